"""Run an order: stage in, work, stage out. Killed anywhere and started again, it ends with the same result."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Self

from sedna.common.atomic import write_atomic
from sedna.common.errors import ConflictError, SednaError, SpecError
from sedna.common.log import LOGGER
from sedna.core.report import error_kind
from sedna.core.staging.access import WorkerAccess
from sedna.core.staging.command import Command, command_of
from sedna.core.staging.folder import WorkFolder
from sedna.core.staging.helper import Helper
from sedna.core.staging.launch import group_environment, prepare_group
from sedna.core.staging.order import WorkOrder, load_order
from sedna.core.staging.service_link import ServiceLink
from sedna.core.staging.stage_in import stage_in
from sedna.core.staging.stage_out import load_end, load_result
from sedna.store.file_sets import FileStore
from sedna.store.node_cache import NodeCache
from sedna.store.oserrors import os_errors

__all__ = ["EXIT_CODES", "Attempt", "alone", "run"]

EXIT_CODES = {"user": 2, "permanent": 3, "temporary": 75}
"""Of a worker that ends with an error of ours, by what the platform does about it."""


class Attempt:
    """One order on one machine, with the ways to its inputs and results; a context manager."""

    def __init__(self, access: WorkerAccess) -> None:
        """
        Raises:
            SpecError, NotFoundError: there is no such order.
            AuthError: the token is not of a running attempt.
        """
        self.access = access
        self.service: ServiceLink | None = access.service()
        self.store: FileStore = access.files(self.service)
        try:
            self.order: WorkOrder = self._read_order()
        except BaseException:
            self.close()
            raise
        self.folder: WorkFolder = access.folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections."""
        if self.service is not None:
            self.service.close()

    def _read_order(self) -> WorkOrder:
        if self.access.order_file is not None and self.access.order_file.is_file():  # no service is needed for it
            return load_order(self.access.order_file.read_bytes(), str(self.access.order_file))
        if self.access.order:
            order = load_order(self.store.get(self.access.order), self.access.order)
            if order.key != self.access.order:  # its results would go where nobody looks for them
                raise SpecError(f"the order belongs at {order.key}", where=self.access.order)
            return order
        if self.service is None:
            raise SpecError(
                "no order is named", where="ORDER", hint="its key in the store; only a token names one itself"
            )
        return load_order(self.service.order(), "the order of this token")

    def is_done(self) -> bool:
        """Whether an earlier start has brought this order to its good end."""
        end = load_end(self.store, self.order.prefix)
        return end is not None and end.exit_code == 0 and load_result(self.store, self.order.prefix) is not None

    def stage_in(self) -> None:
        """Bring the inputs here."""
        cache = NodeCache(self.access.cache_dir, self.access.cache_bytes)
        stage_in(self.order, self.store, self.folder, cache)
        if self.access.inputs_dir is not None:
            _open_to_all(self.folder)
        if self.access.order_file is not None:  # last: where it is, all is there
            write_atomic(self.access.order_file, self.order.model_dump_json().encode(), mode=0o444)

    def helper(self, port: int = 0) -> Helper:
        """What is to run beside the program; ``port``: where it takes the report, 0 = any free one."""
        return Helper(self.order, self.store, self.folder, self.service, port=port)


def _open_to_all(folder: WorkFolder) -> None:
    """The program runs in a container of its own, as a user that we do not know, and writes into these."""
    for path in (folder.root, folder.output, folder.checkpoints, *folder.checkpoints.rglob("*")):
        with os_errors(str(path), writing=True), contextlib.suppress(PermissionError):  # the volume is the node's own
            path.chmod(0o777 if path.is_dir() else 0o666)


def run(access: WorkerAccess, *, python: str = sys.executable) -> int:
    """Run the order to its end; returns the exit code, that of the program where it could be started.

    Errors of ours are logged, reported like those of a program, and end with a code of `EXIT_CODES`.
    """
    try:
        with Attempt(access) as attempt, alone(attempt.folder.root) as lock:
            if attempt.is_done():
                LOGGER.info("%s was done before", attempt.order.worker)
                return 0
            return _run(attempt, python, lock)
    except SednaError as error:
        LOGGER.error("%s", error)
        return EXIT_CODES[error_kind(error)]
    except Exception as error:  # noqa: BLE001 - the boundary of the process: every error becomes an exit code
        LOGGER.exception("the worker ends with an error of its own")
        return EXIT_CODES[error_kind(error)]


def _run(attempt: Attempt, python: str, lock: int) -> int:
    helper = attempt.helper()
    helper.start()
    try:
        # Before the inputs are there: a template that cannot run need not wait for them.
        command = command_of(attempt.order, python, attempt.folder.root)
        env = WorkerAccess.without(os.environ) | command.env | {"LC_SERVER": helper.url}
        if attempt.order.processes > 1:
            prepare_group(attempt.folder.group, python, env)
            env |= group_environment(attempt.order, env, command.env)
        attempt.stage_in()
        code = _run_program(command, env, lock, forward=not attempt.access.signals_reach_group)
        helper.finish(code)
    except Exception as error:
        helper.fail(error)
        raise
    finally:
        helper.close()
    return code


def _run_program(command: Command, env: dict[str, str], lock: int, *, forward: bool) -> int:
    """The exit code of the program; negative: it was ended by that signal."""
    if not command.cwd.is_dir():
        hint = "name a folder of the machine that runs the worker"
        raise SpecError("there is no such folder", where=f"workingDir {command.cwd}", hint=hint)
    with _terminations() as program_started:
        try:
            program = subprocess.Popen(
                command.argv, cwd=command.cwd, env=env, stdin=subprocess.DEVNULL, pass_fds=(lock,)
            )
        except (OSError, ValueError) as error:  # a value error: a null byte, an empty name of a variable
            hint = "command, args and workingDir of the template are those of a process, without a container's files"
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SpecError(f"it could not be started: {said}", where=command.argv[0], hint=hint) from error
        program_started(program, forward)
        return program.wait()


@contextlib.contextmanager
def _terminations() -> Iterator[Callable[[subprocess.Popen[bytes], bool], None]]:
    """Within the block SIGTERM does not end this process: it is the program's, which may have a checkpoint to write,
    and we have to bring that home. What is yielded is called with the program, and whether to pass the signal on.
    """
    asked = False
    target: subprocess.Popen[bytes] | None = None

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        if target is not None:
            target.terminate()

    def program_started(program: subprocess.Popen[bytes], forward: bool) -> None:
        nonlocal target
        target = program if forward else None
        if asked:  # it came before there was a program, which whoever sent it could not reach
            program.terminate()

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield program_started
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def alone(root: Path) -> Iterator[int]:
    """Hold the folder; its program inherits the lock, so that one that outlived us is not joined by a second one.

    Raises:
        ConflictError: another worker is at work in this folder.
    """
    if root.exists() and not root.is_dir():
        raise SpecError("this is no folder", where=str(root), hint="name a folder for this worker alone")
    with os_errors(str(root), writing=True):
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait for its end, or give this one a folder of its own"
            raise ConflictError("another worker is at work in this folder", where=str(root), hint=hint) from None
        yield descriptor
    finally:
        os.close(descriptor)
