"""Workers as processes of this machine, each under a supervisor of its own, so that both outlive the service."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

import sedna
from globalmanager.runtimes import supervisor
from globalmanager.runtimes.base import (
    LOST,
    LogPart,
    RunPhase,
    WorkerHandle,
    WorkerSpec,
    WorkerStatus,
)
from globalmanager.runtimes.notes import (
    LOG_TAIL_BYTES,
    ended_status,
    is_locked,
    log_tail,
    read_log_part,
    read_note,
    usage_of,
)
from sedna.common.atomic import write_atomic
from sedna.common.errors import TemporaryError, WorkerError
from sedna.common.log import LOGGER
from sedna.common.types import JobKey
from sedna.core.staging.access import WorkerAccess
from sedna.core.staging.command import command_of
from sedna.store.node_cache import DEFAULT_BYTES
from sedna.store.oserrors import os_errors

START_SECONDS = 60.0
"""A supervisor that takes longer to start a worker is looked for later; the slowest disks need a few seconds."""

SERVICE_URL = "service.url"
"""File in the folder of all workers; read by each whenever it calls the service."""

WORK = "work"
"""Folder of the worker itself, beside the notes of its supervisor, which it has no business with."""

_INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SSL_CERT_FILE",
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
"""What a worker inherits. Everything else stays out: the service's environment may hold credentials."""


class ProcessRuntime:
    """Runs workers as local processes, each in a folder of its own below ``work_dir``.

    Args:
        work_dir: the folders of all workers: notes of their supervisors, and below them the workers' own files.
        cache_dir: what workers of this machine fetched from the store, shared by them.
        cache_bytes: upper bound of that.
        store_url: a folder store, which workers open by themselves; None: objects come through the service.
        service_url: where the service answers; None: workers report to the store alone.
        python: interpreter of workers.
        log_bytes: upper bound of a worker's log; the oldest lines go.
        grace_seconds: between SIGTERM and SIGKILL when a time limit is reached.
        start_seconds: how long a supervisor is waited for.
    """

    runs_images = False
    is_local = True

    def __init__(
        self,
        work_dir: Path,
        cache_dir: Path,
        *,
        cache_bytes: int = DEFAULT_BYTES,
        store_url: str | None = None,
        service_url: Callable[[], str] | None = None,
        python: str = sys.executable,
        log_bytes: int = 16 * 2**20,
        grace_seconds: float = 20.0,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._work_dir = work_dir.absolute()
        self._cache_dir = cache_dir.absolute()
        self._cache_bytes = cache_bytes
        self._store_url = store_url
        self._service_url = service_url
        self._python = python
        self._log_bytes = log_bytes
        self._grace = grace_seconds
        self._start_seconds = start_seconds
        self._ended: dict[int, float] = {}
        self._reaping = threading.Lock()

    def handle(self, name: str, job: JobKey | None = None) -> WorkerHandle:  # noqa: ARG002  names are unique already
        """As `WorkerRuntime.handle`."""
        return WorkerHandle(name=name, place={"folder": str(self._work_dir / name)})

    def start(self, spec: WorkerSpec) -> WorkerHandle:
        """As `WorkerRuntime.start`.

        Raises:
            SpecError: the template cannot run as a process.
            StorageFullError: the disk is full.
            WorkerError: the supervisor itself cannot be started.
            TemporaryError: it did not start in time, and perhaps will: the next call finds it.
        """
        order, limits = spec.order, spec.order.limits
        assert spec.token is not None, "a local runtime is given one"
        handle = self.handle(order.worker)
        folder = Path(handle.place["folder"])
        # Ended or running: this order was started before, perhaps by an engine that died before it could say so.
        if (folder / "exit.json").exists() or is_locked(folder):
            return handle
        own = folder / WORK
        command_of(order, self._python, own)  # what cannot run is said now, and not by a process that ends at once
        with os_errors(str(own), writing=True):
            own.mkdir(parents=True, exist_ok=True)
        access = WorkerAccess(
            order=order.key if self._store_url is not None else "",
            store_url=self._store_url,
            service_url_file=None if self._service_url is None else self._work_dir / SERVICE_URL,
            worker_token=spec.token,
            work_dir=own,
            cache_dir=self._cache_dir,
            cache_bytes=self._cache_bytes,
            signals_reach_group=True,
        )
        access.check()
        watched: dict[str, Any] = {
            "argv": (self._python, "-P", "-m", "sedna.core.staging"),
            "cwd": str(own),
            "env": worker_environment(access.to_env(), limits.threads),
            "timeout_seconds": limits.timeout_seconds,
            "memory_bytes": None if limits.memory_mib is None else limits.memory_mib * 2**20,
            "grace_seconds": self._grace,
            "log_bytes": self._log_bytes,
        }
        write_atomic(folder / "worker.json", json.dumps(watched).encode(), mode=0o600)  # it holds the token
        self._launch(folder)
        return handle

    def _launch(self, folder: Path) -> None:
        log = folder / "supervisor.log"  # a file, since a pipe would keep us waiting as long as the supervisor lives
        try:
            with log.open("wb") as stderr:
                done = subprocess.run(
                    [self._python, "-P", supervisor.__file__, str(folder)],
                    env=worker_environment({}, None),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    timeout=self._start_seconds,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            # It detaches before it starts the worker, so that what was given up here may still do so: no failure.
            text = f"the supervisor did not start within {self._start_seconds:g} s"
            raise TemporaryError(text, where=str(folder), hint="it is looked for again") from error
        except OSError as error:
            raise WorkerError(f"the supervisor does not start: {error}", where=str(folder)) from error
        if done.returncode != 0:
            text = log.read_text(errors="replace").strip()[-LOG_TAIL_BYTES:]
            raise WorkerError(f"the supervisor ended with code {done.returncode}: {text}", where=str(folder))

    def announce(self) -> None:
        """Leave the address of the service where workers read it, those of earlier starts as well.

        Raises:
            StorageFullError: the disk is full.
        """
        if self._service_url is not None:
            with os_errors(str(self._work_dir), writing=True):
                self._work_dir.mkdir(parents=True, exist_ok=True)
                write_atomic(self._work_dir / SERVICE_URL, f"{self._service_url()}\n".encode())

    def adopt(self, handle: WorkerHandle) -> bool:
        """As `WorkerRuntime.adopt`."""
        folder = Path(handle.place["folder"])
        return (folder / "exit.json").exists() or is_locked(folder)

    def observe(self, handle: WorkerHandle) -> WorkerStatus:
        """As `WorkerRuntime.observe`."""
        folder = Path(handle.place["folder"])
        alive = is_locked(folder)  # first: the exit file is written while the lock is still held
        ended = read_note(folder / "exit.json")
        if ended is not None:
            self._reap(read_note(folder / "supervisor.json"))
            return ended_status(folder, ended)
        if alive:
            return WorkerStatus(phase=RunPhase.RUNNING, usage=usage_of(read_note(folder / "usage.json")))
        # Nobody watches its limits any more, and its attempt is about to be given to another worker.
        _kill_orphan(folder)
        return WorkerStatus(
            phase=RunPhase.LOST,
            cause=LOST,
            reason="the worker is gone and left no exit code: its supervisor was killed, or the machine restarted",
            retryable=True,
            usage=usage_of(read_note(folder / "usage.json")),
            log_tail=log_tail(folder),
        )

    def _reap(self, notes: dict[str, Any] | None) -> None:
        """Let go of supervisors that have ended: where this process is the first of a container, they are its children,
        and nobody else asks for their exit code. The last one of each call may still be ending, and goes next time.
        """
        with self._reaping:
            if notes is not None and "created" in notes:
                self._ended[notes["pid"]] = notes["created"]
            for pid, created in list(self._ended.items()):
                if _reaped(pid, created):
                    del self._ended[pid]

    def stop(self, handle: WorkerHandle, grace_seconds: float) -> None:
        """As `WorkerRuntime.stop`."""
        folder = Path(handle.place["folder"])
        if folder.exists() and not (folder / "exit.json").exists():
            write_atomic(folder / "stop.json", json.dumps({"grace_seconds": grace_seconds}).encode())

    def read_log(self, handle: WorkerHandle, offset: int, max_bytes: int) -> LogPart:
        """As `WorkerRuntime.read_log`."""
        return read_log_part(Path(handle.place["folder"]), offset, max_bytes)

    def forget(self, handle: WorkerHandle) -> None:
        """As `WorkerRuntime.forget`."""
        folder = Path(handle.place["folder"])
        if not folder.exists() or is_locked(folder):
            return
        try:
            shutil.rmtree(folder)
        except OSError as error:  # it costs space, and is tried again when the next round has ended
            LOGGER.warning("%s cannot be deleted: %s", folder, error)


def worker_environment(own: dict[str, str], threads: int | None) -> dict[str, str]:
    """The environment of a worker: what it inherits, this copy of the SDK, and ``own``, which wins."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # The worker runs this very copy of the SDK, whether or not it is installed in the interpreter's site-packages.
    path = [str(Path(sedna.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(entry for entry in path if entry))
    env["PYTHONUNBUFFERED"] = "1"
    if threads is not None:
        env |= {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return env | own


def _reaped(pid: int, created: float) -> bool:
    """Whether a supervisor needs no more care: it is gone, it is not our child, or its number is another process's."""
    try:
        process = psutil.Process(pid)
        if process.ppid() != os.getpid() or abs(process.create_time() - created) > 1.0:
            return True
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except (psutil.NoSuchProcess, ChildProcessError):
        return True


def _kill_orphan(folder: Path) -> None:
    """End what a killed supervisor left behind, if it is still that and not something later with its number.

    The program may have outlived the worker that started it: then the group has no leader any more, and its members
    are known by the name of the worker in their environment.
    """
    notes = read_note(folder / "supervisor.json")
    if notes is None:
        return
    group, created = notes["worker_pid"], notes["worker_created"]
    with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
        if psutil.pid_exists(group):
            ours = abs(psutil.Process(group).create_time() - created) < 1.0 and os.getpgid(group) == group
        else:
            ours = any(_is_of_worker(process, group, folder.name) for process in psutil.process_iter())
        if ours:
            os.killpg(group, signal.SIGKILL)


def _is_of_worker(process: psutil.Process, group: int, name: str) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.environ().get("WORKER_NAME") == name
    except (psutil.Error, OSError):  # it ended, or is somebody else's
        return False
