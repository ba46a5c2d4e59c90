"""``python -m sedna.core.staging.torchrun``: torchrun, ending as the process ended that failed first.

torchrun itself ends with 1 whatever happened; which error is worth another attempt, the exit code of the program says.
"""

from __future__ import annotations

import os
import signal
import sys

from sedna.common.log import LOGGER, setup_logging


def main(arguments: list[str]) -> int:
    """Run it; returns the exit code, negative for a signal that ended a process."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    try:
        torchrun(arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        code = int(failure.exitcode)
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        LOGGER.error("process %s of the training %s, too often to start it again", rank, ended)
        return code
    except SignalException as error:
        return -int(error.sigval)
    return 0


def _end(code: int) -> int:
    """Exit code of this process, which a signal ends where one has ended the program."""
    if code < 0:
        if -code != signal.SIGKILL:  # nobody can handle that one
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    setup_logging()
    sys.exit(_end(main(sys.argv[1:])))
