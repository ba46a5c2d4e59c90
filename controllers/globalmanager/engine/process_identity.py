"""Which process is this, and does a named one still live? Only answered where the answer is certain."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from pathlib import Path

import psutil

_LIVE: set[str] = set()
_LIVE_LOCK = threading.Lock()


def describe() -> str:
    """This process in words: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


def claim() -> str:
    """A fresh identity for a part of this process; it counts as living until `give_up` or the end of the process."""
    created = f"{psutil.Process().create_time():.0f}"
    identity = f"{_world()}/{os.getpid()}/{created}/{secrets.token_hex(8)}"
    with _LIVE_LOCK:
        _LIVE.add(identity)
    return identity


def give_up(identity: str) -> None:
    """The part is over."""
    with _LIVE_LOCK:
        _LIVE.discard(identity)


def is_dead(identity: str) -> bool:
    """True only if the process can be seen to be gone; False also for "who knows", such as one of another machine."""
    world, _, rest = identity.partition("/")
    if not world or world != _world():
        return False
    pid, created, _ = rest.split("/")
    if int(pid) == os.getpid():
        with _LIVE_LOCK:
            return identity not in _LIVE
    try:
        process = psutil.Process(int(pid))
        reused = abs(process.create_time() - float(created)) > 2
        return reused or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _world() -> str:
    """Boot and process namespace, in which a process id means one process; empty where they cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
