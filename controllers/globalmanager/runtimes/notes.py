"""What supervisors leave on the disk, read as the state of their workers."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from pathlib import Path
from typing import Any

from globalmanager.runtimes import supervisor
from globalmanager.runtimes.base import LOST, TEMPORARY_EXIT, LogPart, RunPhase, RunUsage, WorkerStatus

__all__ = ["LOG_TAIL_BYTES", "ended_status", "is_locked", "log_tail", "read_log_part", "read_note", "usage_of"]

LOG_TAIL_BYTES = 4096
"""Of the log that an error carries."""


def is_locked(folder: Path) -> bool:
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


def read_note(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def usage_of(content: dict[str, Any] | None) -> RunUsage | None:
    if content is None or "peak_rss_bytes" not in content:
        return None
    return RunUsage(cpu_seconds=content["cpu_seconds"], peak_rss_bytes=content["peak_rss_bytes"])


_REASONS = {
    "timeout": "it was ended at its time limit",
    "memory": "it was ended at its memory limit",
    "stopped": "it was stopped",
    "terminated": "it was ended with its service or its machine",
}


def ended_status(folder: Path, content: dict[str, Any]) -> WorkerStatus:
    """Retryable are a temporary failure (75), a foreign signal, and the end of the machine; limits are not."""
    code, why = content["exit_code"], content["reason"]
    usage = usage_of(content)
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
        cause=LOST if why == "terminated" else "",
        reason=reason,
        retryable=retryable,
        usage=usage,
        log_tail=log_tail(folder),
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def log_tail(folder: Path) -> str:
    return read_log_part(folder, -LOG_TAIL_BYTES, LOG_TAIL_BYTES).data.decode(errors="replace").strip()


def read_log_part(folder: Path, offset: int, max_bytes: int) -> LogPart:
    """Of the older half and the newer half of the log; before them lie the bytes that were dropped."""
    dropped = int((read_note(folder / supervisor.DROPPED) or {}).get("bytes", 0))
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
