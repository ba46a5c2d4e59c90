"""``python -m sedna.core.staging``: run the order that the environment names; see `WorkerAccess`."""

import os
import signal
import sys

from sedna.common.errors import SednaError
from sedna.common.log import LOGGER, setup_logging
from sedna.core.staging.access import WorkerAccess
from sedna.core.staging.run import EXIT_CODES, run


def main() -> int:
    """Run it; returns the exit code."""
    setup_logging()
    try:
        code = run(WorkerAccess.from_env(os.environ))
    except SednaError as error:
        LOGGER.error("%s", error)
        return EXIT_CODES["user"]
    if code < 0:  # whoever watches this process sees what ended the program
        if -code != signal.SIGKILL:  # nobody can handle that one
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())
