"""Liveness and readiness."""

from __future__ import annotations

from globalmanager.api.schemas import Readiness
from globalmanager.api.services import ApiServices
from globalmanager.db import lease
from sedna.common.errors import SednaError

__all__ = ["liveness", "readiness"]

_PROBE_KEY = "readiness/probe"


def readiness(services: ApiServices, *, store: bool = True) -> Readiness:
    """Whether the parts that a request needs answer: database, store (unless it is left out), engine."""
    checks = {"database": _database(services)} | ({"store": _store(services)} if store else {})
    checks |= {"engine": _engine(services)}
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


def _store(services: ApiServices) -> str:
    try:
        # The key need not exist: "not there" is an answer of the store as well.
        services.store.stat(_PROBE_KEY)
    except SednaError as error:
        return str(error)
    return "ok"


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
