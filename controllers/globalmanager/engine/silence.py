"""Edges that are not heard any more: told when they go and when they come back."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue

from globalmanager.db import Database, edges, events
from globalmanager.db.database import Session
from globalmanager.db.values import Level
from globalmanager.settings import EngineSettings

__all__ = ["note_silent", "silent_edges", "tell_back"]


def silent_edges(
    session: Session, now: datetime, settings: EngineSettings, listening_since: datetime | None
) -> tuple[tuple[str, datetime], ...]:
    """Edges that have missed three heartbeats and are not noted as offline yet, each with when it was heard last.

    Args:
        listening_since: as of `edges.observe`.
    """
    live, back = settings.live_seconds, settings.edge_return_seconds
    return edges.silent(session, now, live, listening_since=listening_since, return_seconds=back)


def note_silent(db: Database, now: datetime, settings: EngineSettings, listening_since: datetime | None) -> None:
    """Note and tell who is silent.

    Raises:
        TemporaryError: the database takes nothing; the next look tries again.
    """
    with db.write() as session:
        # Asked again under the lock: one may have come back in between.
        for name, since in silent_edges(session, now, settings, listening_since):
            edges.set_offline(session, name, since)
            text = f"edge {name} is offline since {_time(since)}"
            _tell(session, name, "EdgeOffline", text, now, since, level="warning")


def tell_back(session: Session, name: str, since: datetime, now: datetime) -> None:
    """Tell that an edge is heard again that was offline ``since`` then."""
    _tell(session, name, "EdgeOnline", f"edge {name} is back; it was offline since {_time(since)}", now, since)


def _tell(
    session: Session, name: str, kind: str, text: str, now: datetime, since: datetime, *, level: Level = "info"
) -> None:
    data: dict[str, JsonValue] = {"edge": name, "since": since.isoformat()}
    # At each of its jobs, where people look; an edge without one is told of all the same.
    for job_id in edges.job_ids(session, name) or (None,):
        events.add(session, job_id, kind, text, now, level=level, data=data)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
