"""Triggers: each leaf alone, their combination, and the explanation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.loop import AuditMetrics, Observation, SampleCounts, evaluate_trigger, initial_state
from sedna.loop.conditions import Condition
from sedna.loop.spec import Trigger
from sedna.loop.state import JobState
from sedna.loop.triggers import LONGEST_RETRY, retry_after

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def trigger(**spec) -> Trigger:
    return Trigger.model_validate(spec)


def serving(**changes) -> JobState:
    return initial_state(NOON - timedelta(days=1)).model_copy(update={"champion": 1} | changes)


def seen(train_new: int = 10, **more) -> Observation:
    return Observation(samples=SampleCounts(train_new=train_new, train_total=train_new), **more)


def fires(spec: Trigger, observation: Observation, state: JobState | None = None, now: datetime = NOON) -> bool:
    return evaluate_trigger(spec, observation, state or serving(), now).fire


@pytest.mark.parametrize(("count", "expected"), [(500, False), (501, True)])
def test_sample_count(count: int, expected: bool) -> None:
    spec = trigger(condition={"operator": ">", "threshold": 500, "metric": "num_of_samples"})
    assert fires(spec, seen(count)) is expected


@pytest.mark.parametrize(
    ("start", "end", "hour", "minute", "expected"),
    [
        ("02:00", "20:00", 2, 0, True),
        ("02:00", "20:00", 20, 0, True),
        ("02:00", "20:00", 20, 1, False),
        ("02:00", "20:00", 1, 59, False),
        ("22:00", "04:00", 23, 30, True),
        ("22:00", "04:00", 4, 0, True),
        ("22:00", "04:00", 12, 0, False),
        ("9:00", "24:00", 23, 59, True),
        ("9:00", "24:00", 8, 59, False),
    ],
)
def test_daily_window(start: str, end: str, hour: int, minute: int, expected: bool) -> None:
    spec = trigger(timer={"start": start, "end": end, "timeZone": "UTC"})
    assert fires(spec, seen(), now=NOON.replace(hour=hour, minute=minute)) is expected


def test_window_in_another_time_zone() -> None:
    spec = trigger(timer={"start": "20:30", "end": "21:30", "timeZone": "Asia/Tokyo"})
    assert fires(spec, seen(), now=NOON)  # 12:00 UTC is 21:00 in Tokyo


def test_cron_is_caught_up_once() -> None:
    spec = trigger(cron={"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"})
    before = serving(last_started_at=NOON.replace(hour=1, minute=0))
    after = serving(last_started_at=NOON.replace(hour=1, minute=31))
    assert fires(spec, seen(), before)  # 02:30 in Berlin was 01:30 UTC
    assert not fires(spec, seen(), after)
    assert fires(spec, seen(), after, now=NOON + timedelta(days=4))


def test_precision_needs_enough_labelled_audit_samples() -> None:
    spec = trigger(precision={"below": 0.8, "minSamples": 20})
    bad = AuditMetrics(samples=19, precision=0.5, recall=0.5, f1=0.5)
    assert not fires(spec, seen(audit=bad))
    assert fires(spec, seen(audit=bad.model_copy(update={"samples": 20})))
    assert not fires(spec, seen(audit=AuditMetrics(samples=99, precision=0.8)))
    assert not fires(spec, seen())


def test_everything_given_must_hold_as_upstream() -> None:
    spec = trigger(
        timer={"start": "02:00", "end": "04:00", "timeZone": "UTC"},
        condition={"operator": ">", "threshold": 5, "metric": "num_of_samples"},
    )
    decision = evaluate_trigger(spec, seen(10), serving(), NOON)
    assert not decision.fire
    assert decision.reasons == ("timer: 12:00 is outside 02:00-04:00 (UTC)",)
    assert decision.observed["condition.num_of_samples"] == 10


def test_any_and_all_combine() -> None:
    many = {"condition": {"operator": ">", "threshold": 100, "metric": "num_of_samples"}}
    few = {"condition": {"operator": ">=", "threshold": 5, "metric": "num_of_samples"}}
    assert fires(trigger(any=[many, few]), seen(10))
    assert not fires(trigger(all=[many, few]), seen(10))
    assert fires(trigger(all=[many, few]), seen(101))
    assert not fires(trigger(any=[many], **few), seen(10))


def test_cooldown_outweighs_everything_and_max_wait_outweighs_the_rest() -> None:
    spec = trigger(
        condition={"operator": ">", "threshold": 100, "metric": "num_of_samples"},
        cooldownSeconds=600,
        maxWaitSeconds=3600,
    )
    old = Observation(samples=SampleCounts(train_new=3, oldest_new_at=NOON - timedelta(hours=2)))
    assert fires(spec, old)
    assert not fires(spec, old, serving(last_ended_at=NOON - timedelta(seconds=599)))
    assert fires(spec, old, serving(last_ended_at=NOON - timedelta(seconds=600)))
    fresh = Observation(samples=SampleCounts(train_new=3, oldest_new_at=NOON - timedelta(minutes=5)))
    assert not fires(spec, fresh)


def test_nothing_new_never_fires() -> None:
    assert fires(trigger(), seen(1))
    assert not fires(trigger(), seen(0))


def test_no_model_in_service_never_fires() -> None:
    decision = evaluate_trigger(trigger(), seen(5), initial_state(NOON), NOON)
    assert not decision.fire
    assert "no model in service yet" in decision.reasons


def test_failures_in_a_row_wait_longer_and_longer() -> None:
    waits = [retry_after(count) for count in range(30)]
    assert waits == sorted(waits)
    assert waits[0] == timedelta(0)
    assert waits[-1] == LONGEST_RETRY
    failed = serving(failures=2, last_ended_at=NOON - timedelta(seconds=119))
    assert not fires(trigger(), seen(), failed)
    assert fires(trigger(), seen(), failed, now=NOON + timedelta(seconds=1))


def test_the_wait_counts_from_the_failure_and_not_from_a_later_round() -> None:
    failed = serving(failures=2, last_failed_at=NOON - timedelta(seconds=119), last_ended_at=NOON)
    assert not fires(trigger(), seen(), failed)
    assert fires(trigger(), seen(), failed, now=NOON + timedelta(seconds=1))


def test_a_state_from_before_failures_had_a_time_of_their_own_still_waits() -> None:
    state = serving(failures=2, last_ended_at=NOON - timedelta(seconds=119))
    failed = JobState.model_validate_json(state.model_dump_json(exclude={"last_failed_at"}))
    assert not fires(trigger(), seen(), failed)
    assert fires(trigger(), seen(), failed, now=NOON + timedelta(seconds=1))


@given(value=st.floats(-1e6, 1e6), limit=st.floats(-1e6, 1e6))
def test_operators_partition_the_line(value: float, limit: float) -> None:
    def holds(operator: str) -> bool:
        return Condition(operator=operator, threshold=limit, metric="m").holds(value)

    assert holds("<") + holds("==") + holds(">") == 1
    assert holds("<=") == (holds("<") or holds("=="))
    assert holds(">=") == (holds(">") or holds("=="))
    assert holds("!=") is not holds("==")
    assert holds("gt") == holds(">")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("scalar", 0.3),
        ("list[1]", 0.6),
        ("list", 0.4),
        ("list[5]", None),
        ("absent", None),
        ("scalar[0]", 0.3),
        ("empty", None),
    ],
)
def test_metric_reading(metric: str, expected: float | None) -> None:
    metrics = {"scalar": 0.3, "list": (0.2, 0.6), "empty": ()}
    value = Condition(operator=">", threshold=0, metric=metric).read(metrics)
    assert value == (None if expected is None else pytest.approx(expected))


@given(
    counts=st.integers(0, 1000),
    ended=st.none() | st.integers(0, 10_000),
    cooldown=st.floats(0, 5000),
    wait=st.none() | st.floats(1, 5000),
)
def test_a_decision_always_says_why(counts: int, ended: int | None, cooldown: float, wait: float | None) -> None:
    spec = trigger(
        condition={"operator": ">", "threshold": 500, "metric": "num_of_samples"},
        cooldownSeconds=cooldown,
        **({} if wait is None else {"maxWaitSeconds": wait}),
    )
    state = serving(last_ended_at=None if ended is None else NOON - timedelta(seconds=ended))
    decision = evaluate_trigger(spec, seen(counts), state, NOON)
    assert decision.reasons
    assert decision == evaluate_trigger(spec, seen(counts), state, NOON)
