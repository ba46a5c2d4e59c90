"""What may be done, and by which role. Each operation of the API has one of these."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from globalmanager.db.values import Role

__all__ = ["ROLES_OF", "Permission"]


class Permission(StrEnum):
    """One per operation."""

    OPEN = "open"
    """Who calls is found out by the operation itself: signing in, and Pods that bring a token of their cluster."""
    READ = "read"
    """See jobs, samples, labels, rounds, models, edges."""
    READ_SERVED = "read-served"
    """See what an edge needs as well: itself, and the models it serves."""
    LABEL = "label"
    """Take samples, label them, settle what others disagree on."""
    ADMIN = "admin"
    """Change anything else; see who has tokens."""
    REPORT = "report"
    """Say what an edge sees and does: heartbeats, samples, reports of its workers."""
    WORK = "work"
    """What an attempt of a training needs."""
    BROWSER = "browser"
    """About one's own session."""


_PEOPLE: Final[frozenset[Role]] = frozenset({"viewer", "labeller", "admin"})

ROLES_OF: Final[Mapping[Permission, frozenset[Role]]] = {
    Permission.OPEN: frozenset(),
    Permission.READ: _PEOPLE,
    Permission.READ_SERVED: _PEOPLE | {"edge"},
    Permission.LABEL: frozenset({"labeller", "admin"}),
    Permission.ADMIN: frozenset({"admin"}),
    Permission.REPORT: frozenset({"admin", "edge"}),
    Permission.WORK: frozenset({"worker"}),
    Permission.BROWSER: _PEOPLE,
}
"""``OPEN`` asks for no role: there is nobody yet."""
