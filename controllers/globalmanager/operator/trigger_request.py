"""A round asked for by annotation: ``sedna.io/trigger: train``, answered in the status.

The annotation is a request and no state: it is marked with an id of its own, stored under that id, and taken off. A
crash anywhere in between goes on from what the annotations say.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from globalmanager.api.lookup import check_version
from globalmanager.cluster.api import Body
from globalmanager.db import requests
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow, RequestRow, RequestState
from globalmanager.operator.annotations import TRIGGER, TRIGGER_ID, TRIGGER_REASON
from globalmanager.operator.status import TriggerAnswer
from sedna.common.errors import SpecError
from sedna.common.types import Value
from sedna.loop.observation import ManualRequest
from sedna.loop.state import RoundKind

__all__ = ["ASKED_BY", "Ask", "answer_of", "ask_in", "refused", "store_ask"]

ASKED_BY: Final = "annotation sedna.io/trigger"
"""Who asked, as far as is known: no token has such a name."""

REASON_CHARS: Final = 1000

_ASKED = re.compile(r"(train|eval|deploy)(?:=(\d{1,9}))?")


class Ask(Value):
    """The annotations of an object that ask for a round. ``id``: None until the operator has marked it."""

    value: str
    reason: str
    id: str | None

    def wish(self) -> ManualRequest:
        """The request.

        Raises:
            SpecError: it is none.
        """
        match = _ASKED.fullmatch(self.value.strip())
        if match is None or (match[2] and match[1] != "deploy"):
            raise SpecError(
                f"{self.value!r} asks for nothing that is known",
                where=TRIGGER,
                hint="train, eval, deploy, or deploy=VERSION",
            )
        return ManualRequest(
            id="",
            action=RoundKind(match[1]),
            reason=self.reason.strip()[:REASON_CHARS] or f"annotation {TRIGGER}",
            requested_by=ASKED_BY,
            version=int(match[2]) if match[2] else None,
        )


def ask_in(body: Body) -> Ask | None:
    """What the annotations of an object ask for, if anything."""
    annotations = body["metadata"].get("annotations") or {}
    if TRIGGER not in annotations:
        return None
    return Ask(value=annotations[TRIGGER], reason=annotations.get(TRIGGER_REASON, ""), id=annotations.get(TRIGGER_ID))


def store_ask(session: Session, job: JobRow, uid: str, ask: Ask, now: datetime) -> RequestRow:
    """Keep the request; again with the same mark gives the first one.

    Raises:
        SpecError: it asks for nothing that is known.
        NotFoundError: there is no such model version.
    """
    wish = ask.wish()
    key = f"{uid}/{ask.id}/{wish.action}/{wish.version or ''}"
    earlier = requests.by_key(session, job, key)
    if earlier is not None:  # answered perhaps, and that a version is there was known then
        return earlier
    if wish.version is not None:
        check_version(session, job, wish.version)
    return requests.add(session, job, wish, now, idempotency_key=key)[0]


def answer_of(row: RequestRow) -> TriggerAnswer:
    """A request as the status shows it."""
    value = row.action.value if row.version is None else f"{row.action.value}={row.version}"
    message = "waits for the engine, or for the end of a round" if row.state is RequestState.PENDING else row.message
    return TriggerAnswer(value=value, state=row.state.value, message=message, round=row.round, at=row.created_at)


def refused(ask: Ask, why: str, now: datetime) -> TriggerAnswer:
    """The answer to what cannot be stored."""
    return TriggerAnswer(value=ask.value[:100], state=RequestState.REFUSED.value, message=why, at=now)
