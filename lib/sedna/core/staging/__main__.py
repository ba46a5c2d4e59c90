"""``python -m sedna.core.staging [run|stage-in|beside]``: the order that the environment names; see `WorkerAccess`.

``run`` does all of it in one process; ``stage-in`` comes before a program in another container, ``beside`` stays with
it as its local controller.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from sedna.common.errors import SednaError
from sedna.common.log import LOGGER, setup_logging
from sedna.core.report import error_kind
from sedna.core.staging.access import WorkerAccess
from sedna.core.staging.beside import LC_PORT, beside
from sedna.core.staging.run import EXIT_CODES, Attempt, alone, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sedna.core.staging", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("run", "stage-in", "beside"), default="run")
    parser.add_argument("--port", type=int, default=LC_PORT, help="of the local controller")
    parser.add_argument("--grace", type=float, default=120.0, help="seconds between SIGTERM and SIGKILL of the Pod")
    given = parser.parse_args(arguments)
    setup_logging()
    try:
        access = WorkerAccess.from_env(os.environ)
        if given.what == "run":
            return _as_it_ended(run(access))
        if given.what == "beside":
            return beside(access, port=given.port, grace_seconds=given.grace)
        with Attempt(access) as attempt, alone(attempt.folder.root):
            attempt.stage_in()
    except SednaError as error:
        LOGGER.error("%s", error)
        return EXIT_CODES[error_kind(error)]
    return 0


def _as_it_ended(code: int) -> int:
    if code < 0:  # whoever watches this process sees what ended the program
        if -code != signal.SIGKILL:  # nobody can handle that one
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        return 128 - code  # the first process of a container outlives its own signal
    return code


if __name__ == "__main__":
    sys.exit(main())
