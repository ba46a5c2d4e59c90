"""Liveness and readiness."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from globalmanager.api.schemas import Readiness
from globalmanager.api.services import ApiServices
from globalmanager.db import lease
from sedna.common.atomic import free_bytes
from sedna.common.errors import SednaError
from sedna.store import ObjectStore

__all__ = ["LOW_BYTES", "disk_fault", "liveness", "readiness", "store_fault"]

LOW_BYTES: Final = 64 << 20
"""Free space below which a disk counts as full: a picture or two, and the journal of a database, still fit in."""

_PROBE_KEY = "readiness/probe"


def readiness(services: ApiServices, *, store: bool = True) -> Readiness:
    """Whether the parts that a request needs answer: database, store (unless it is left out), engine."""
    checks = {"database": _database(services)}
    if store:
        checks["store"] = store_fault(services.store) or "ok"
    checks |= {"disk": disk_fault(services.disks) or "ok", "engine": _engine(services)}
    return Readiness(ready=all(state == "ok" for state in checks.values()), checks=checks)


def _database(services: ApiServices) -> str:
    try:
        with services.db.read() as session:
            found = lease.current(session)
    except SednaError as error:
        return str(error)
    # A service whose engine has lost its lease takes requests that nobody would carry out. Of several services one will
    # take over soon, and if each turned its callers away until then, nobody would answer.
    if not services.engine_settings.standby and (found is None or found.expires_at <= services.clock.now()):
        return "no engine holds the lease"
    return "ok"


def store_fault(store: ObjectStore) -> str | None:
    """Why the object store does not answer, or None."""
    try:
        # The key need not exist: "not there" is an answer of the store as well.
        store.stat(_PROBE_KEY)
    except SednaError as error:
        return str(error)
    return None


def disk_fault(folders: Iterable[Path]) -> str | None:
    """Which of these folders can take nothing more, or None."""
    for folder in folders:
        try:
            free = free_bytes(folder)
        except OSError as error:
            return f"{folder} cannot be used: {error.strerror}"
        if free < LOW_BYTES:
            return f"the disk of {folder} is full: {free >> 20} MiB are free"
    return None


def liveness(services: ApiServices) -> str:
    """Whether the engine's thread comes round: ``ok``, or what a restart would cure. Nothing outside counts."""
    last = services.engine.last_turn
    if last is None:
        return "ok"
    silent = (services.clock.now() - last).total_seconds()
    if silent > services.settings.engine_stuck_seconds:
        return f"the engine's thread is stuck for {silent:.0f} s"
    return "ok"


def _engine(services: ApiServices) -> str:
    if services.engine.standing_by:
        return "ok"
    if not services.engine.running:
        return "not running in this process"
    last = services.engine.last_tick
    if last is None:
        return "has not looked at its jobs yet"
    silent = (services.clock.now() - last).total_seconds()
    if silent > services.settings.engine_silence_seconds:
        return f"has not looked at its jobs for {silent:.0f} s"
    return "ok"
