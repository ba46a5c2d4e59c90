"""Annotations and the finalizer of custom resources that mean something to this service."""

from __future__ import annotations

from typing import Final

__all__ = [
    "FINALIZER",
    "MANAGED_BY",
    "TRIGGER",
    "TRIGGER_ID",
    "TRIGGER_REASON",
    "is_of_the_operator",
]

TRIGGER: Final = "sedna.io/trigger"
"""Set by people: ``train``, ``eval``, ``deploy`` or ``deploy=VERSION``. Taken off when the request is stored."""

TRIGGER_REASON: Final = "sedna.io/trigger-reason"
"""Set by people beside it, if they like: kept with the round."""

TRIGGER_ID: Final = "sedna.io/trigger-id"
"""Set by the operator before a request is stored, so that a crash in between does not store it twice."""

MANAGED_BY: Final = "sedna.io/managed-by"
"""Set once: which release drives the job. Another one keeps away."""

FINALIZER: Final = "sedna.io/workers"
"""On a job while a round is under way: its workers are ended and its samples given back before the object goes."""


def is_of_the_operator(name: str) -> bool:
    """Whether an annotation is a matter between people and the operator, and no part of a description."""
    return name in (TRIGGER, TRIGGER_REASON, TRIGGER_ID, MANAGED_BY)
