"""What the chart's Roles allow, and what the code asks for: the twin of the API server compares them at every request.

Requests of the code under test count, not those that a test makes in the place of a user or of the cluster. With
``SEDNA_RIGHTS_LOG=FOLDER`` each process writes there what was asked for; `.ci/check_rights.py` finds rights that nobody
needed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy/charts/sedna/templates/_rules.tpl"

SERVICE = "sedna.rules"
CLEANUP = "sedna.cleanupRules"

Right = tuple[str, str]

# Rights of objects without a namespace are in a ClusterRole of their own; those of `helm test` in its Role.
ELSEWHERE: frozenset[Right] = frozenset({("create", "tokenreviews"), ("get", "namespaces")})

_VERBS = {"dry-run": "create", "merge": "patch", "log": "get"}
_CODE = os.sep + "controllers" + os.sep

ASKED: set[Right] = set()
REFUSED: list[str] = []


@cache
def rights_of(template: str) -> frozenset[Right]:
    """(verb, resource) of a template of the chart, such as ``("patch", "datasets/status")``."""
    text = RULES.read_text()
    found = re.search(rf'define "{re.escape(template)}" -}}}}\n(.*?)\n{{{{- end', text, re.DOTALL)
    assert found is not None, f"{RULES.name} has no {template}"
    rules = yaml.safe_load(found[1])
    return frozenset((verb, what) for rule in rules for what in rule["resources"] for verb in rule["verbs"])


def ask(verb: str, plural: str, subresource: str, allowed: frozenset[Right] | None) -> None:
    """Note a request of the code, and refuse what the chart does not allow."""
    frame = sys._getframe(1)
    while frame is not None and Path(frame.f_code.co_filename).name in ("fixtures_cluster.py", "fixtures_rights.py"):
        frame = frame.f_back
    if frame is None or _CODE not in frame.f_code.co_filename:
        return
    what = plural if verb != "log" else "pods/log"
    right = (_VERBS.get(verb, verb), f"{what}/{subresource}" if subresource else what)
    ASKED.add(right)
    if allowed is not None and right not in allowed | ELSEWHERE:
        # Noted too: a loop that survives every error would survive this one.
        REFUSED.append(f"{right[0]} {right[1]}, in {frame.f_code.co_filename}:{frame.f_lineno}")
        raise AssertionError(f"the chart's Role does not allow: {REFUSED[-1]}")


def write_asked() -> None:
    """At the end of a session and not of the process, which a busy machine may have killed before it got there."""
    folder = os.environ.get("SEDNA_RIGHTS_LOG")
    if folder and ASKED:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{os.getpid()}.json").write_text(json.dumps(sorted(ASKED)))
