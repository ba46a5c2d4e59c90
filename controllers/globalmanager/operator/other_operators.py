"""Others who drive the same objects: another release of this service, and upstream's manager. No fights."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from globalmanager.cluster.api import Body
from globalmanager.operator.annotations import MANAGED_BY
from globalmanager.operator.context import Context
from globalmanager.operator.stored_status import stored_status
from globalmanager.operator.story import Told
from sedna.common.types import Value

__all__ = ["Fight", "OtherOperators"]

log = logging.getLogger("sedna.globalmanager.operator")

TRUCE_S: Final = 60.0
"""Between two writes of ours to a status that somebody else writes as well."""

OVER_S: Final = 600.0
"""The other one wrote nothing for this long: it is gone."""


class Fight(Value):
    """``message``: what the other one does; empty = nothing. ``pause_s``: leave the object alone for that long."""

    message: str = ""
    pause_s: float = 0.0


@dataclass
class _Seen:
    last_s: float
    wrote_s: float


@dataclass
class OtherOperators:
    """Remembers what it saw since the start; after a restart it is seen again."""

    context: Context
    _told: set[tuple[str, str]] = field(default_factory=set)
    _fights: dict[str, _Seen] = field(default_factory=dict)
    _ours: set[str] = field(default_factory=set)

    def keep_away(self, body: Body, owner: str) -> None:
        """Say once that another release drives this job. Its status is that one's to write."""
        uid = body["metadata"]["uid"]
        if (uid, owner) in self._told:
            return
        text = (
            f"release {owner} drives this job, so that {self.context.release} does not; "
            f"take annotation {MANAGED_BY} off to hand it over"
        )
        self.context.poster.post(body, Told(type="Warning", reason="ManagedByAnotherRelease", message=text))
        self._told.add((uid, owner))

    def fought_over(self, body: Body, *, is_known: bool) -> Fight:
        """Whether upstream's manager writes to a status that was ours.

        Args:
            is_known: the object was ours before this look. The status of one that was not is upstream's rightly.
        """
        uid, now = body["metadata"]["uid"], self.context.clock.monotonic()
        seen = self._fights.get(uid)
        wrote = stored_status(body).upstream
        if wrote and is_known and uid in self._ours:
            seen = self._fights.setdefault(uid, _Seen(last_s=now, wrote_s=now - TRUCE_S))
            seen.last_s = now
            wait = seen.wrote_s + TRUCE_S - now
            if wait > 0:
                return Fight(pause_s=wait)
            seen.wrote_s = now
        elif seen is not None and now - seen.last_s > OVER_S:
            del self._fights[uid]
            seen = None
        self._ours.add(uid)
        if seen is None:
            return Fight()
        text = (
            "upstream's manager writes to the status of this job as well: two managers would run its rounds; "
            "stop it (Deployment gm in namespace sedna), or this service"
        )
        return Fight(message=text)
