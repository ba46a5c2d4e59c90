"""The program of a training as several processes of one machine, started and restarted by torchrun.

``torchrun`` starts `member` once for each process; it gives a process what is its own and becomes the program. A
process that dies ends the others, and all start again from the checkpoint, `RESTARTS` times at most.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sedna.common.errors import SpecError
from sedna.core.staging import member
from sedna.core.staging.order import WorkOrder
from sedna.store.oserrors import os_errors

__all__ = ["RESTARTS", "group_environment", "launched", "prepare_group"]

RESTARTS = 3
"""Of the processes of one attempt; what fails more often is left to the attempts of the job."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def launched(order: WorkOrder, python: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command that runs ``argv`` as the processes of an order; ``argv`` itself where there is one."""
    if order.processes == 1:
        return argv
    # -P: a file of the user's in the current folder must not be imported by torchrun in place of a module of its own.
    launcher = (python, "-P", "-m", "sedna.core.staging.torchrun")
    where = ("--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={order.processes}")
    program = (python, "-P", str(Path(member.__file__).absolute()), *argv)
    return (*launcher, *where, f"--max-restarts={RESTARTS}", "--no-python", *program)


def prepare_group(folder: Path, python: str, environment: Mapping[str, str]) -> None:
    """Make the folder of a group, empty, and see that its processes can be started.

    Raises:
        SpecError: PyTorch is not there.
    """
    look = "import importlib.util, sys; sys.exit(7 if importlib.util.find_spec('torch') is None else 0)"
    command = [python, "-P", "-c", look]
    if subprocess.run(command, env=dict(environment), stdin=subprocess.DEVNULL, check=False).returncode == 7:
        hint = "install PyTorch there (pip install '.[train]'), or leave out trainSpec.distributed"
        raise SpecError("several processes need PyTorch, which is not installed", where=python, hint=hint)
    with os_errors(str(folder), writing=True):
        shutil.rmtree(folder, ignore_errors=True)  # an earlier start ended otherwise
        folder.mkdir(parents=True)


def group_environment(order: WorkOrder, environment: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Variables of a group beside those of its program: CPU threads divided, and loopback between its processes.

    Args:
        environment: of the worker; what it allows in threads, or the machine has, is divided.
        own: of the program, whose author wins.
    """
    divided = {}
    for name in _THREADS:
        text = environment.get(name, "")
        total = int(text) if text.isascii() and text.isdecimal() else len(os.sched_getaffinity(0))
        divided[name] = str(max(1, total // order.processes))
    network = {"GLOO_SOCKET_IFNAME": "lo"}  # a machine's name may have no address, or that of a network that is down
    return {name: value for name, value in (divided | network).items() if name not in own}
