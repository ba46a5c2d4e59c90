"""How often somebody may fail to sign in."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from starlette.exceptions import HTTPException

from sedna.common.clock import Clock

__all__ = ["FAILURES", "WINDOW", "SignInLimit"]

FAILURES: Final = 10
WINDOW: Final = timedelta(minutes=1)
_ADDRESSES: Final = 1000


class SignInLimit:
    """Counts failures by address; codes and tokens are too long to be guessed, but each try costs a look-up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, list[datetime]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise the answer 429 if there were too many failures from there."""
        now = self._clock.now()
        with self._lock:
            recent = self._recent(address, now)
        if len(recent) >= FAILURES:
            wait = max(1, round((recent[0] + WINDOW - now).total_seconds()))
            raise HTTPException(
                429, f"{len(recent)} times in a row nobody could be signed in from here", {"Retry-After": str(wait)}
            )

    def failed(self, address: str) -> None:
        """Note a failure."""
        now = self._clock.now()
        with self._lock:
            self._failed[address] = [*self._recent(address, now), now]
            self._failed.move_to_end(address)
            while len(self._failed) > _ADDRESSES:
                self._failed.popitem(last=False)

    def _recent(self, address: str, now: datetime) -> list[datetime]:
        return [at for at in self._failed.get(address, []) if now - at < WINDOW]
