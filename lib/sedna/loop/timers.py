"""Time triggers: upstream's daily window, and cron with a time zone."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field

from sedna.common.errors import SpecError
from sedna.common.schedule import last_fire, validate_cron, zone

_HOUR_MINUTE = re.compile(r"^(\d{1,2}):(\d{2})$")
_MINUTES_PER_DAY = 24 * 60


def _clock_time(text: str) -> str:
    match = _HOUR_MINUTE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time of day; write HH:MM between 00:00 and 24:00")
    hours, minutes = int(match.group(1)), int(match.group(2))
    if minutes > 59 or hours * 60 + minutes > _MINUTES_PER_DAY:
        raise ValueError(f"{text!r} is not a time of day; write HH:MM between 00:00 and 24:00")
    return f"{hours:02d}:{minutes:02d}"


def _zone(name: str) -> str:
    try:
        zone(name)
    except SpecError as error:  # pydantic adds the key path itself
        raise ValueError(f"{error.message}; {error.hint}") from error
    return name


def _schedule(expression: str) -> str:
    try:
        validate_cron(expression)
    except SpecError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error
    return expression


ClockTime = Annotated[str, AfterValidator(_clock_time)]
ZoneName = Annotated[str, AfterValidator(_zone)]


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


class Timer(BaseModel):
    """A daily window, both ends inclusive; ``start`` after ``end`` means across midnight, as upstream."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    start: ClockTime = Field(description="First minute of the window, HH:MM.")
    end: ClockTime = Field(description="Last minute of the window, HH:MM; before start = on the next day.")
    time_zone: ZoneName | None = Field(
        default=None,
        validation_alias=AliasChoices("timeZone", "time_zone"),
        serialization_alias="timeZone",
        description="Ours: an IANA time zone, such as Europe/Berlin; none = the service's local time.",
    )

    def contains(self, now: datetime) -> tuple[bool, str]:
        """Whether ``now`` (aware) is inside, and the local time of day that was compared."""
        local = now.astimezone(ZoneInfo(self.time_zone)) if self.time_zone else now.astimezone()
        minute = local.hour * 60 + local.minute
        start, end = _minutes(self.start), _minutes(self.end)
        inside = start <= minute <= end if start <= end else minute >= start or minute <= end
        return inside, f"{local:%H:%M}"


class CronTrigger(BaseModel):
    """Ours: holds from a scheduled instant until the next round starts. A missed instant is caught up once."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schedule: Annotated[str, AfterValidator(_schedule)] = Field(
        description="Five fields: minute, hour, day, month, day of the week, such as 0 2 * * 1."
    )
    time_zone: ZoneName = Field(
        default="UTC",
        validation_alias=AliasChoices("timeZone", "time_zone"),
        serialization_alias="timeZone",
        description="An IANA time zone, such as Europe/Berlin.",
    )

    def due_since(self, last_fired: datetime, now: datetime) -> datetime | None:
        """The newest scheduled instant in (last_fired, now], in UTC, or None."""
        instant = last_fire(self.schedule, self.time_zone, now)
        return instant if instant > last_fired else None
