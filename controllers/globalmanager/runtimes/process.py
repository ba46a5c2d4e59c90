"""Workers as processes of this machine, each under a supervisor of its own, so that both outlive the service."""

from __future__ import annotations

import contextlib
import fcntl
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
    TEMPORARY_EXIT,
    LogPart,
    RunPhase,
    RunUsage,
    WorkerHandle,
    WorkerSpec,
    WorkerStatus,
)
from sedna.common.atomic import write_atomic
from sedna.common.errors import TemporaryError, WorkerError
from sedna.common.log import LOGGER
from sedna.core.staging.access import WorkerAccess
from sedna.core.staging.command import command_of
from sedna.store.node_cache import DEFAULT_BYTES
from sedna.store.oserrors import os_errors

START_SECONDS = 60.0
"""A supervisor that takes longer to start a worker is looked for later; the slowest disks need a few seconds."""

LOG_TAIL_BYTES = 4096

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
        service_url: where the service answers, asked at each start; None: workers report to the store alone.
        python: interpreter of workers.
        log_bytes: upper bound of a worker's log; the oldest lines go.
        grace_seconds: between SIGTERM and SIGKILL when a time limit is reached.
        start_seconds: how long a supervisor is waited for.
    """

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

    def handle(self, name: str) -> WorkerHandle:
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
        handle = self.handle(order.worker)
        folder = Path(handle.place["folder"])
        # Ended or running: this order was started before, perhaps by an engine that died before it could say so.
        if (folder / "exit.json").exists() or _is_locked(folder):
            return handle
        own = folder / WORK
        command_of(order, self._python, own)  # what cannot run is said now, and not by a process that ends at once
        with os_errors(str(own), writing=True):
            own.mkdir(parents=True, exist_ok=True)
        access = WorkerAccess(
            order=order.key if self._store_url is not None else "",
            store_url=self._store_url,
            service_url=None if self._service_url is None else self._service_url(),
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

    def adopt(self, handle: WorkerHandle) -> bool:
        """As `WorkerRuntime.adopt`."""
        folder = Path(handle.place["folder"])
        return (folder / "exit.json").exists() or _is_locked(folder)

    def observe(self, handle: WorkerHandle) -> WorkerStatus:
        """As `WorkerRuntime.observe`."""
        folder = Path(handle.place["folder"])
        alive = _is_locked(folder)  # first: the exit file is written while the lock is still held
        ended = _read(folder / "exit.json")
        if ended is not None:
            self._reap(_read(folder / "supervisor.json"))
            return _ended(folder, ended)
        if alive:
            return WorkerStatus(phase=RunPhase.RUNNING, usage=_usage(_read(folder / "usage.json")))
        # Nobody watches its limits any more, and its attempt is about to be given to another worker.
        _kill_orphan(folder)
        return WorkerStatus(
            phase=RunPhase.LOST,
            reason="the worker is gone and left no exit code: its supervisor was killed, or the machine restarted",
            retryable=True,
            usage=_usage(_read(folder / "usage.json")),
            log_tail=_log_tail(folder),
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
        return _read_log(Path(handle.place["folder"]), offset, max_bytes)

    def forget(self, handle: WorkerHandle) -> None:
        """As `WorkerRuntime.forget`."""
        folder = Path(handle.place["folder"])
        if not folder.exists() or _is_locked(folder):
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


def _is_locked(folder: Path) -> bool:
    """Whether a supervisor lives: the kernel drops its lock with it, whatever becomes of its process id."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def _usage(content: dict[str, Any] | None) -> RunUsage | None:
    if content is None or "peak_rss_bytes" not in content:
        return None
    return RunUsage(cpu_seconds=content["cpu_seconds"], peak_rss_bytes=content["peak_rss_bytes"])


_REASONS = {
    "timeout": "it was ended at its time limit",
    "memory": "it was ended at its memory limit",
    "stopped": "it was stopped",
}


def _ended(folder: Path, content: dict[str, Any]) -> WorkerStatus:
    """Retryable are a temporary failure (75), a foreign signal, and the end of the machine; limits are not."""
    code, why = content["exit_code"], content["reason"]
    usage = _usage(content)
    if why == "start":
        return WorkerStatus(phase=RunPhase.FAILED, reason=f"it could not be started: {content['message']}")
    if code == 0 and why == "exited":
        return WorkerStatus(phase=RunPhase.SUCCEEDED, exit_code=0, usage=usage)
    reason = _REASONS.get(why) or (
        f"it was killed by {_signal_name(-code)}" if code < 0 else f"it ended with exit code {code}"
    )
    retryable = why == "terminated" or (why == "exited" and (code < 0 or code == TEMPORARY_EXIT))
    return WorkerStatus(
        phase=RunPhase.FAILED,
        exit_code=code,
        reason=reason,
        retryable=retryable,
        usage=usage,
        log_tail=_log_tail(folder),
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _log_tail(folder: Path) -> str:
    return _read_log(folder, -LOG_TAIL_BYTES, LOG_TAIL_BYTES).data.decode(errors="replace").strip()


def _read_log(folder: Path, offset: int, max_bytes: int) -> LogPart:
    """Of the older half and the newer half of the log; before them lie the bytes that were dropped."""
    dropped = int((_read(folder / supervisor.DROPPED) or {}).get("bytes", 0))
    halves = [path for path in (folder / supervisor.OLDER_LOG, folder / supervisor.LOG) if path.exists()]
    sizes = [path.stat().st_size for path in halves]
    end = dropped + sum(sizes)
    start = min(max(dropped, end + offset if offset < 0 else offset), end)
    part, before = b"", dropped
    for path, size in zip(halves, sizes, strict=True):
        place = start + len(part) - before
        if 0 <= place < size:
            with path.open("rb") as file:
                file.seek(place)
                part += file.read(max_bytes - len(part))
        before += size
    return LogPart(data=part, offset=start)


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
    notes = _read(folder / "supervisor.json")
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
