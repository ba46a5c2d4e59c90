"""What the columns of `kubectl get il` show of the conditions."""

from __future__ import annotations

import pytest

from globalmanager.operator.status import Condition, JobStatus


def status(**conditions: str) -> JobStatus:
    """A status with conditions of these types, as "status reason"."""
    found = (dict(zip(("status", "reason"), text.split(), strict=True)) for text in conditions.values())
    pairs = zip(conditions, found, strict=True)
    return JobStatus(conditions=tuple(Condition.model_validate({"type": kind, **more}) for kind, more in pairs))


@pytest.mark.parametrize(
    ("shown", "ready", "reason"),
    [
        (status(), None, None),
        (status(Deployed="True Deployed"), None, None),
        (status(Ready="True Accepted"), "True", "Accepted"),
        (status(Ready="True Accepted", Progressing="True Training"), "True", "Training"),
        (status(Ready="True Accepted", Progressing="True Unschedulable"), "True", "Unschedulable"),
        (status(Progressing="True Training", Ready="False DatasetMissing"), "False", "DatasetMissing"),
        (status(Ready="Unknown Starting", Degraded="True OOMKilled"), "Unknown", "Starting"),
        (status(Ready="True Accepted", Progressing="True Training", Degraded="True OOMKilled"), "True", "OOMKilled"),
    ],
)
def test_ready_and_the_most_telling_reason(shown: JobStatus, ready: str | None, reason: str | None) -> None:
    sent = shown.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert (sent.get("ready"), sent.get("reason")) == (ready, reason)


def test_a_status_is_read_back_as_it_was_written() -> None:
    shown = status(Ready="True Accepted", Progressing="False Waiting")
    assert JobStatus.model_validate(shown.model_dump(mode="json", by_alias=True)) == shown
