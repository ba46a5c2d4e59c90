"""Cron expressions in a time zone: the next and the last time they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from sedna.common.errors import SpecError

__all__ = ["last_fire", "next_fire", "validate_cron", "zone"]

_NEAR = timedelta(hours=3)


def zone(name: str, *, where: str = "timezone") -> ZoneInfo:
    """The time zone ``name`` of the IANA database.

    Raises:
        SpecError: there is no such zone; ``where`` is the key path that the message names.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SpecError(
            f"unknown time zone {name!r}", where=where, hint="an IANA name such as UTC or Europe/Berlin"
        ) from error


def validate_cron(expression: str, tz: str = "UTC", *, where: str = "cron") -> None:
    """Check a cron expression and its time zone.

    Raises:
        SpecError: one of them is wrong, or the expression never fires (such as 30 February).
    """
    next_fire(expression, tz, datetime(2026, 1, 1, tzinfo=UTC), where=where)


def next_fire(expression: str, tz: str, after: datetime, *, where: str = "cron") -> datetime:
    """The first time strictly later than ``after`` at which ``expression`` fires.

    Args:
        expression: five fields (minute hour day-of-month month day-of-week), or six with seconds first.
        tz: the zone in which the fields are read. A time that the spring change skips fires right after the
            gap, one that the autumn change repeats fires once (the rules of Debian cron, as ``cronsim``
            implements them).
        after: aware time.

    Returns:
        Aware time in UTC.

    Raises:
        SpecError: the expression or the zone is wrong, or it does not fire in the next 50 years.
    """
    return _fire(expression, tz, after, reverse=False, where=where)


def last_fire(expression: str, tz: str, before: datetime, *, where: str = "cron") -> datetime:
    """The last time strictly earlier than ``before`` at which ``expression`` fired; else as `next_fire`."""
    return _fire(expression, tz, before, reverse=True, where=where)


def _fire(expression: str, tz: str, start: datetime, *, reverse: bool, where: str) -> datetime:
    if start.tzinfo is None:
        raise ValueError(f"a naive datetime has no place on a schedule: {start!r}")
    local = start.astimezone(UTC if tz == "UTC" else zone(tz, where=where))
    hint = "minute hour day-of-month month day-of-week, such as '30 2 * * 1-5'"
    try:
        for fired in CronSim(expression, _run_up(local, reverse), reverse=reverse):
            # The run-up has made cronsim begin too early: firings before the start are passed over.
            if (fired < start) if reverse else (fired > start):
                return fired.astimezone(UTC)
    except CronSimError as error:
        raise SpecError(f"cron expression {expression!r}: {error}", where=where, hint=hint) from error
    raise SpecError(f"cron expression {expression!r} never fires", where=where, hint=hint)


def _run_up(local: datetime, reverse: bool) -> datetime:
    """Where the search begins. Near a clock change cronsim counts in wall time, where an hour is missing or
    comes twice, and would step over a firing; a run-up of some hours finds it."""
    utc = local.astimezone(UTC)
    before, after = ((utc + step).astimezone(local.tzinfo) for step in (-_NEAR, _NEAR))
    if before.utcoffset() == after.utcoffset():
        return local
    return after if reverse else before
