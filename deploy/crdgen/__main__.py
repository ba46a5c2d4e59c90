"""``make crds``: write `deploy/crds` and, with CEL rules, `deploy/crds-cel`. ``--check`` writes nothing and tells."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from crdgen.documents import documents

DEPLOY = Path(__file__).resolve().parents[1]

MAX_BYTES = 262_144
"""A manifest has to fit into an annotation, or plain ``kubectl apply`` refuses it."""

_HEAD = "# Made by `make crds` from the models of the job description and its status. Do not edit.\n"
_HEAD_RULES = _HEAD + "# With CEL rules: for servers from 1.25. The files in deploy/crds apply everywhere.\n"


def rendered() -> Iterator[tuple[Path, str]]:
    """Path, relative to `deploy`, and text of every file."""
    for folder, rules in (("crds", False), ("crds-cel", True)):
        for name, document in documents(rules=rules):
            plain = json.loads(json.dumps(document))  # nothing shared, which YAML would write as an anchor
            text = yaml.safe_dump(plain, sort_keys=False, width=120, allow_unicode=True)
            yield Path(folder) / name, (_HEAD_RULES if rules else _HEAD) + text


def main() -> int:
    """Returns 1 if ``--check`` finds a file that differs from the models."""
    parser = argparse.ArgumentParser(prog="crdgen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    check = parser.parse_args().check
    stale = []
    for path, text in rendered():
        if len(text.encode()) > MAX_BYTES:
            print(f"{path} has {len(text.encode())} bytes; kubectl apply takes {MAX_BYTES}", file=sys.stderr)
            return 1
        file = DEPLOY / path
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"wrote deploy/{path}")
    if check and stale:
        print(f"not up to date: {', '.join(map(str, stale))}; run `make crds`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
