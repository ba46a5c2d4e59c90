"""A user's file, tried as a worker would use it, before a job that names it is accepted."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from globalmanager.runtimes.process import worker_environment
from sedna.backend.trial import Refusal
from sedna.loop.spec import Algorithm

__all__ = ["try_algorithm"]

LOGGER = logging.getLogger("sedna.globalmanager.runtimes")

_SECONDS = 45.0
"""A file that imports a framework takes some seconds; callers of the API wait for sixty."""


def try_algorithm(algorithm: Algorithm, module: str, class_names: Sequence[str]) -> Refusal | None:
    """Load ``module`` in a process with the environment of workers; None if ``algorithm`` can be made from it.

    A file that takes too long to load is left to its worker, which has a time limit of its own.
    """
    order = {
        "module": module,
        "name": algorithm.name,
        "parameters": algorithm.parameters,
        "class_names": list(class_names),
    }
    with tempfile.TemporaryDirectory(prefix="sedna-trial-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "sedna.backend.trial"],
                input=json.dumps(order).encode(),
                capture_output=True,
                env=worker_environment({}, None),
                cwd=folder,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            LOGGER.warning("%s was not loaded within %.0f s; its worker will tell what is wrong", module, _SECONDS)
            return None
    answer = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0 or not answer:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it says nothing"]
        return Refusal(key="module", message=f"{module}: loading it ends with code {done.returncode}: {last[0]}")
    return None if answer == "{}" else Refusal.model_validate_json(answer)
