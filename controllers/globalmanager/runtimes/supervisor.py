"""Watches one worker process: starts it, bounds its time, memory and log, and leaves its exit code on the disk.

Runs as a process of its own (``python supervisor.py FOLDER``), so that a worker and its result outlive the service.
Imports next to nothing, since it stays as long as the worker does.

Files in FOLDER: ``worker.json`` (what to run, from the service), ``lock`` (held while this process lives: the proof of
life), ``supervisor.json`` (process ids), ``usage.json``, ``stop.json`` (from the service), ``worker.log[.1|.dropped]``,
``exit.json`` (last of all).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import psutil

from sedna.common.atomic import write_atomic

LOG = "worker.log"
OLDER_LOG = "worker.log.1"
DROPPED = "worker.log.dropped"
"""How many bytes of the log came before the older half, so that a place in it has one number for ever."""

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05
_MEASURE_SECONDS = 0.5
_LOCK_TRIES = 40


class _Terminated:
    """Set by SIGTERM to this process: the machine goes down."""

    asked = False


def main(folder: Path) -> int:
    """Detach, then watch. The caller's process returns once the worker is started, or could not be."""
    # The pipe is how the caller learns that the worker is started: it ends without a byte if this process dies first.
    ready, tell = os.pipe()
    if os.fork() > 0:
        os.close(tell)
        with os.fdopen(ready, "rb") as pipe:
            return 0 if pipe.read(1) == b"+" else 1
    os.close(ready)
    # A session of its own: neither Ctrl-C at the service nor the end of its process group reaches the worker.
    os.setsid()
    with os.fdopen(tell, "wb", buffering=0) as pipe:
        watched = _begin(folder)
        pipe.write(b"+")
    if watched is not None:
        _watch(folder, *watched)
    return 0


def _begin(folder: Path) -> tuple[dict[str, Any], subprocess.Popen[bytes], threading.Thread, float] | None:
    """Take the folder and start the worker; None when another process has it, or it ended already."""
    if not _lock(folder) or (folder / "exit.json").exists():
        return None
    _adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: setattr(_Terminated, "asked", True))
    order = json.loads((folder / "worker.json").read_bytes())
    started = time.monotonic()
    try:
        worker = subprocess.Popen(
            order["argv"],
            cwd=order["cwd"],
            env=order["env"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        _write(folder / "exit.json", {"exit_code": None, "reason": "start", "message": str(error)})
        return None
    _write(
        folder / "supervisor.json",
        {
            "pid": os.getpid(),
            "created": psutil.Process().create_time(),
            "worker_pid": worker.pid,
            "worker_created": psutil.Process(worker.pid).create_time(),
        },
    )
    assert worker.stdout is not None
    copier = threading.Thread(target=_copy, args=(worker.stdout, folder / LOG, order["log_bytes"]), daemon=True)
    copier.start()
    return order, worker, copier, started


def _adopt_orphans() -> None:
    """Have the kernel give us what the worker's programs leave alone: a daemon counts, and ends with its worker."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _lock(folder: Path) -> bool:
    """Hold ``lock`` until this process ends. A reader that looks for life holds it for an instant, so try again."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_POLL_SECONDS)
    os.close(descriptor)
    return False


def _watch(
    folder: Path, order: dict[str, Any], worker: subprocess.Popen[bytes], copier: threading.Thread, started: float
) -> None:
    reason, kill_at, measured, peak = "exited", None, 0.0, 0
    while not _has_ended(worker.pid):
        now = time.monotonic()
        if now - measured >= _MEASURE_SECONDS:
            measured = now
            rss, cpu = _measure(worker.pid)
            peak = max(peak, rss)
            _write(folder / "usage.json", {"cpu_seconds": cpu, "peak_rss_bytes": peak}, durable=False)
        # Asked once: a second SIGTERM would tell the worker not to wait for its checkpoint.
        if kill_at is None:
            why = _why_stop(folder, order, now - started, peak)
            if why is not None:
                reason, grace = why
                _signal_group(worker.pid, signal.SIGTERM)
                kill_at = now + grace
        elif now >= kill_at:
            _signal_group(worker.pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    _signal_group(worker.pid, signal.SIGKILL)  # children that it left behind; its own id is not free until wait()
    _kill_orphans(worker.pid)
    code = worker.wait()
    # A grandchild in a session of its own may hold the pipe for ever; five seconds are enough for what was written.
    copier.join(timeout=5)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    _write(
        folder / "exit.json",
        {
            "exit_code": code,
            "reason": reason,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "peak_rss_bytes": max(peak, used.ru_maxrss * 1024),
        },
    )


def _why_stop(folder: Path, order: dict[str, Any], ran: float, peak: int) -> tuple[str, float] | None:
    """The reason to end the worker and the seconds it gets, or None."""
    grace = float(order["grace_seconds"])
    if _Terminated.asked:
        return "terminated", grace
    if (folder / "stop.json").exists():
        return "stopped", float(json.loads((folder / "stop.json").read_bytes())["grace_seconds"])
    if ran > order["timeout_seconds"]:
        return "timeout", grace
    if order["memory_bytes"] is not None and peak > order["memory_bytes"]:
        return "memory", 0.0  # each second of grace could take the whole machine down
    return None


def _has_ended(pid: int) -> bool:
    """Whether the child is over, without reaping it: until then its group id cannot become somebody else's."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _measure(worker: int) -> tuple[int, float]:
    """Resident bytes of what the worker has started, and processor seconds of that and of itself.

    A limit is one of the user's program: what our own process takes beside it, some tens of megabytes, is no part.
    """
    rss, cpu = 0, 0.0
    with contextlib.suppress(psutil.Error):
        # Ours and not the worker's alone: a daemon of it is our child.
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                rss += 0 if process.pid == worker else process.memory_info().rss
                cpu += times.user + times.system
    return rss, cpu


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _kill_orphans(worker: int) -> None:
    """End descendants in sessions of their own, which no signal to the group has reached."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process().children(recursive=True):
            if process.pid != worker:
                with contextlib.suppress(psutil.Error):
                    process.kill()


def _copy(source: IO[bytes], path: Path, limit: int) -> None:
    """Copy to ``path``; before half of ``limit`` it becomes ``path.1`` and a new one begins: the newest lines stay."""
    older, half, dropped = path.with_name(OLDER_LOG), limit // 2, 0
    target = path.open("ab", buffering=0)
    try:
        for chunk in iter(lambda: os.read(source.fileno(), min(65536, half)), b""):
            # On a full disk the log suffers, not the worker.
            with contextlib.suppress(OSError):
                if target.tell() + len(chunk) > half:
                    target.close()
                    if older.exists():
                        # Noted before they go: a reader in between meets the gap, and not the same lines twice.
                        dropped += older.stat().st_size
                        _write(path.with_name(DROPPED), {"bytes": dropped}, durable=False)
                    path.replace(older)
                    target = path.open("ab", buffering=0)
                target.write(chunk)
    finally:
        target.close()


def _write(path: Path, content: dict[str, Any], *, durable: bool = True) -> None:
    data = json.dumps(content).encode()
    if durable:
        write_atomic(path, data)
        return
    beside = path.with_name(path.name + ".part")
    with contextlib.suppress(OSError):
        beside.write_bytes(data)
        beside.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
