"""When a round is worth it: evaluate a trigger against an observation, and say why.

Every leaf answers with a reason and the values it looked at; ``all`` and ``any`` only combine. Nothing is
short-circuited, so that one decision shows everything that would have to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from sedna.loop.observation import Observation
from sedna.loop.spec import JobSpec, PrecisionTrigger, Trigger
from sedna.loop.state import JobState, Stage
from sedna.loop.timers import CronTrigger, Timer
from sedna.loop.verdict import Decision, DecisionKind

FIRST_RETRY = timedelta(minutes=1)
"""Quiet time after one failed round: long enough for a restart of whatever failed."""

LONGEST_RETRY = timedelta(hours=24)
"""A job that fails every time still tries once a day: its data may have been put right."""


@dataclass(frozen=True)
class Finding:
    """One leaf's answer. ``name`` says which leaf, for whoever shows it in other words or as a picture."""

    name: str
    holds: bool
    reason: str
    observed: dict[str, JsonValue] = field(default_factory=dict)


def train_metrics(observation: Observation) -> dict[str, float]:
    """The values a train condition can name (``sedna.loop.spec.TRAIN_METRICS``); absent ones are unknown."""
    metrics: dict[str, float] = {"num_of_samples": float(observation.samples.train_new)}
    if observation.audit is not None:
        known = {
            "audit_precision": observation.audit.precision,
            "audit_recall": observation.audit.recall,
            "audit_f1": observation.audit.f1,
        }
        metrics.update({name: value for name, value in known.items() if value is not None})
    return metrics


def timer_finding(timer: Timer, now: datetime) -> Finding:
    """Whether a daily window is open; the same for training and for deployments."""
    inside, local = timer.contains(now)
    zone = timer.time_zone or "local time"
    where = "inside" if inside else "outside"
    return Finding(
        "timer", inside, f"timer: {local} is {where} {timer.start}-{timer.end} ({zone})", {"timer.time": local}
    )


def _cron(cron: CronTrigger, state: JobState, now: datetime) -> Finding:
    since = cron.due_since(state.last_started_at or state.created_at, now)
    if since is None:
        return Finding(
            "cron",
            False,
            f"cron: {cron.schedule!r} ({cron.time_zone}) is not due since the last training round",
            {"cron.due": None},
        )
    return Finding(
        "cron",
        True,
        f"cron: {cron.schedule!r} ({cron.time_zone}) due since {since:%Y-%m-%d %H:%M}Z",
        {"cron.due": since.isoformat()},
    )


def _condition(trigger: Trigger, observation: Observation) -> Finding:
    condition = trigger.condition
    assert condition is not None
    value = condition.read(train_metrics(observation))
    key = f"condition.{condition.metric}"
    if value is None:
        return Finding("condition", False, f"condition: {condition.metric} is not known yet", {key: None})
    holds = condition.holds(value)
    relation = f"{'' if holds else 'not '}{condition.operator} {condition.threshold:g}"
    text = f"condition: {condition.metric} = {value:g}, {relation}"
    return Finding("condition", holds, text, {key: value})


def _precision(precision: PrecisionTrigger, observation: Observation) -> Finding:
    audit = observation.audit
    samples = audit.samples if audit is not None else 0
    value = train_metrics(observation).get(precision.metric)
    observed: dict[str, JsonValue] = {"audit.samples": samples, f"audit.{precision.metric}": value}
    if samples < precision.min_samples or value is None:
        return Finding(
            "precision", False, f"precision: {samples} labelled audit samples, {precision.min_samples} needed", observed
        )
    holds = value < precision.below
    relation = f"{'' if holds else 'not '}below {precision.below:g}"
    text = f"precision: {precision.metric} = {value:.3f} on {samples} audit samples, {relation}"
    return Finding("precision", holds, text, observed)


def _leaves(trigger: Trigger, observation: Observation, state: JobState, now: datetime) -> Iterator[Finding]:
    if trigger.timer is not None:
        yield timer_finding(trigger.timer, now)
    if trigger.condition is not None:
        yield _condition(trigger, observation)
    if trigger.cron is not None:
        yield _cron(trigger.cron, state, now)
    if trigger.precision is not None:
        yield _precision(trigger.precision, observation)


def _combine(trigger: Trigger, observation: Observation, state: JobState, now: datetime) -> tuple[bool, list[Finding]]:
    findings = list(_leaves(trigger, observation, state, now))
    # No early end: a decision that did not fire names everything that would have to change, not the first thing.
    holds = all(finding.holds for finding in findings)
    for child in trigger.all:
        child_holds, child_findings = _with_time_limits(child, observation, state, now)
        holds = holds and child_holds
        findings += child_findings
    if trigger.any:
        members = [_with_time_limits(child, observation, state, now) for child in trigger.any]
        holds = holds and any(member_holds for member_holds, _ in members)
        findings += [finding for _, found in members for finding in found]
    return holds, findings


def _max_wait(seconds: float, observation: Observation, now: datetime) -> Finding:
    oldest = observation.samples.oldest_new_at
    waited = (now - oldest).total_seconds() if oldest is not None else 0.0
    holds = oldest is not None and waited >= seconds
    text = f"max wait: the oldest unused sample has waited {waited:.0f} s of {seconds:.0f} s"
    return Finding("max_wait", holds, text, {"max_wait.waited_seconds": waited})


def _cooldown(seconds: float, state: JobState, now: datetime) -> Finding:
    if state.last_ended_at is None:
        return Finding("cooldown", True, "cooldown: no round has ended yet", {})
    rest = seconds - (now - state.last_ended_at).total_seconds()
    text = f"cooldown: {max(rest, 0):.0f} s left of {seconds:.0f} s" if rest > 0 else "cooldown: over"
    return Finding("cooldown", rest <= 0, text, {"cooldown.left_seconds": max(rest, 0.0)})


def _with_time_limits(
    trigger: Trigger, observation: Observation, state: JobState, now: datetime
) -> tuple[bool, list[Finding]]:
    """``max_wait`` overrides an unmet trigger; ``cooldown`` overrides everything."""
    holds, findings = _combine(trigger, observation, state, now)
    if trigger.max_wait_seconds is not None:
        waited = _max_wait(trigger.max_wait_seconds, observation, now)
        # After the members and before the cooldown: samples that wait too long override an unmet condition, and nothing
        # overrides the quiet time after a round.
        holds = holds or waited.holds
        findings.append(waited)
    if trigger.cooldown_seconds > 0:
        cooled = _cooldown(trigger.cooldown_seconds, state, now)
        holds = holds and cooled.holds
        findings.append(cooled)
    return holds, findings


def retry_after(failures: int) -> timedelta:
    """Quiet time after failed rounds: doubles with each failure in a row, one day at most."""
    if failures == 0:
        return timedelta(0)
    return min(FIRST_RETRY * (1 << min(failures - 1, 20)), LONGEST_RETRY)


def pause_of(spec: JobSpec, state: JobState) -> str | None:
    """Why the job begins no round of itself; None where nobody has paused it."""
    if state.paused is not None:
        return str(state.paused)
    return "paused by spec.suspend of its description" if spec.suspend else None


def _ready(paused: str | None, observation: Observation, state: JobState, now: datetime) -> list[Finding]:
    """What must hold before any automatic round, whatever the trigger says."""
    samples = observation.samples
    findings = [
        Finding(
            "samples",
            samples.train_new > 0,
            f"samples: {samples.train_new} new for training, {samples.eval_new} new for evaluation",
            {
                "samples.train_new": samples.train_new,
                "samples.eval_new": samples.eval_new,
                "samples.unlabelled": samples.unlabelled,
            },
        ),
        Finding(
            "model",
            state.champion is not None,
            f"model in service: {state.champion}" if state.champion is not None else "no model in service yet",
            {"champion": state.champion},
        ),
    ]
    if paused is not None:
        findings.append(Finding("paused", False, paused, {"paused": True}))
    if state.current is not None:
        current = state.current
        doing = f"is {current.stage.value.lower()}"
        if current.stage is Stage.JUDGING and current.verdict is not None:
            doing = f"has a better candidate, {current.candidate}, that waits for the window of deploySpec.trigger"
        findings.append(Finding("round", False, f"round {current.id} {doing}", {"round": current.id}))
    # A promotion between two failed trainings ends later than they did; it must not put off the next try.
    failed_at = state.last_failed_at or state.last_ended_at
    if state.failures and failed_at is not None:
        rest = (failed_at + retry_after(state.failures) - now).total_seconds()
        text = f"{state.failures} failed rounds in a row: next automatic try in {max(rest, 0):.0f} s"
        findings.append(Finding("failures", rest <= 0, text, {"failures": state.failures}))
    return findings


def trigger_findings(
    trigger: Trigger, observation: Observation, state: JobState, now: datetime, *, paused: str | None = None
) -> tuple[bool, tuple[Finding, ...]]:
    """Would an automatic training round start now, and what every part says. Pure: asking changes nothing.

    Args:
        paused: why none may, see `pause_of`.
    """
    holds, findings = _with_time_limits(trigger, observation, state, now)
    if not findings:
        findings.append(Finding("none", True, "no trigger is given: any new labelled sample starts a round"))
    ready = _ready(paused, observation, state, now)
    return holds and all(finding.holds for finding in ready), (*ready, *findings)


def evaluate_trigger(
    trigger: Trigger, observation: Observation, state: JobState, now: datetime, *, paused: str | None = None
) -> Decision:
    """`trigger_findings` as a decision.

    Returns:
        A decision whose reasons are, when it fires, the parts that hold, and otherwise the parts that do not.
    """
    fire, findings = trigger_findings(trigger, observation, state, now, paused=paused)
    observed: dict[str, JsonValue] = {}
    for finding in findings:
        observed |= finding.observed
    # The side that decided: what holds when it fires, what is missing when it does not.
    reasons = tuple(finding.reason for finding in findings if finding.holds is fire)
    return Decision(kind=DecisionKind.TRAIN, fire=fire, reasons=reasons, observed=observed, at=now)
