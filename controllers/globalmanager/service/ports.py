"""Ports that stay the same over restarts, unless another process takes them meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sedna.common.atomic import write_atomic
from sedna.common.errors import ConflictError

__all__ = ["on_port_of_last_start"]

LOGGER = logging.getLogger("sedna.globalmanager.service")

_LARGEST_PORT = 65535

T = TypeVar("T")


def on_port_of_last_start(path: Path, who: str, make: Callable[[int], T], port_of: Callable[[T], int]) -> T:
    """Make a server on the port that ``path`` remembers, or on any free one, and remember the port.

    Args:
        path: file in the data folder; its folder must exist when ``make`` has returned.
        who: for the message when the port is taken.
        make: makes the server on a port, 0 = any free one; raises `ConflictError` when that is taken.
        port_of: the port that it got.

    Raises:
        ConflictError: from ``make`` for port 0.
    """
    remembered = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    last = int(remembered) if remembered.isdecimal() and int(remembered) <= _LARGEST_PORT else 0
    try:
        made = make(last)
    # Somebody else has the port now. A service that does not start for that would be worse than one at a new address.
    except ConflictError:
        if not last:
            raise
        LOGGER.warning("port %d of %s is taken by another process; it takes another one", last, who)
        made = make(0)
    if port_of(made) != last:
        write_atomic(path, f"{port_of(made)}\n".encode())
    return made
