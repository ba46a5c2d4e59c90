"""The status that an object shows: ours, upstream's, or what somebody wrote into it by hand. Nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from globalmanager.cluster.api import Body
from globalmanager.db.values import RequestState
from globalmanager.operator.status import ConditionType, TriggerAnswer

__all__ = ["Stored", "StoredCondition", "status_patch", "stored_status", "written"]


@dataclass(frozen=True)
class StoredCondition:
    """A condition as it is stored."""

    status: str
    reason: str
    message: str
    since: datetime | None


@dataclass(frozen=True)
class Stored:
    """What is of use in a stored status. ``upstream``: its last stage and type where upstream's manager wrote last."""

    raw: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[ConditionType, StoredCondition] = field(default_factory=dict)
    upstream: str = ""
    refusal: TriggerAnswer | None = None
    outcomes: Mapping[int, str | None] = field(default_factory=dict)

    @property
    def update_time(self) -> datetime | None:
        """Of a Dataset or a Model."""
        return _time(self.raw.get("updateTime"))

    @property
    def answer(self) -> tuple[Any, Any]:
        """State and time of the last answer to a trigger."""
        shown = self.raw.get("manualTrigger")
        return (shown.get("state"), shown.get("at")) if isinstance(shown, dict) else (None, None)


def stored_status(body: Body) -> Stored:
    """What the status of an object says."""
    raw = body.get("status")
    if not isinstance(raw, dict):
        return Stored()
    listed = _list(raw, "conditions")
    upstreams = [one for one in listed if "stage" in one]
    conditions = {}
    for one in listed:
        kind = str(one.get("type"))
        # Upstream's history has types of the same names, which mean something else.
        if kind in set(ConditionType) and "stage" not in one:
            conditions[ConditionType(kind)] = StoredCondition(
                status=str(one.get("status", "")),
                reason=str(one.get("reason", "")),
                message=str(one.get("message", "")),
                since=_time(one.get("lastTransitionTime")),
            )
    last = upstreams[-1] if upstreams else None
    return Stored(
        raw=raw,
        conditions=conditions,
        upstream="" if last is None else f"{last.get('stage')}/{last.get('type')}",
        refusal=_refusal(raw),
        outcomes={
            one["round"]: one.get("outcome") for one in _list(raw, "rounds") if isinstance(one.get("round"), int)
        },
    )


def written(status: BaseModel) -> dict[str, Any]:
    """A status as it is sent: absent rather than null, whole seconds."""
    return {name: _sent(value) for name, value in status.model_dump(by_alias=True, exclude_none=True).items()}


def status_patch(wanted: Mapping[str, Any], shown: Any) -> dict[str, Any]:
    """The JSON merge patch that makes ``shown`` into ``wanted``; empty when they are equal."""
    if not isinstance(shown, dict):
        return dict(wanted)
    patch: dict[str, Any] = {name: None for name in shown if name not in wanted}
    for name, value in wanted.items():
        before = shown.get(name)
        if before == value and name in shown:
            continue
        patch[name] = status_patch(value, before) if isinstance(value, dict) and isinstance(before, dict) else value
    return patch


def _sent(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return {name: _sent(one) for name, one in value.items()}
    return [_sent(one) for one in value] if isinstance(value, list | tuple) else value


def _list(raw: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = raw.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _refusal(raw: Mapping[str, Any]) -> TriggerAnswer | None:
    try:
        answer = TriggerAnswer.model_validate(raw.get("manualTrigger"))
    except ValidationError:
        return None
    return answer if answer.state == RequestState.REFUSED.value and answer.round is None else None
