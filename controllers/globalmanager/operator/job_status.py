"""The whole status of a job from what the database has of it. Pure: the same facts give the same status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from globalmanager.db.values import RoundRow
from globalmanager.operator.conditions import MIGRATED, NO_ROUND, State, job_conditions
from globalmanager.operator.described import Refusal
from globalmanager.operator.edges import EdgesRollout
from globalmanager.operator.facts import JobFacts
from globalmanager.operator.status import (
    MESSAGE_CHARS,
    Condition,
    ConditionType,
    JobStatus,
    RoundStatus,
    SampleCounts,
    TriggerAnswer,
    TriggerDecision,
)
from globalmanager.operator.stored_status import Stored
from globalmanager.operator.trigger_request import answer_of
from sedna.common.types import Value
from sedna.loop.verdict import GateVerdict

__all__ = ["Situation", "dated", "job_status"]

ROUND_TEXT_CHARS = 300
"""Of a text of a round: ten of them go over the wire with every write."""


class Situation(Value):
    """What is known of the object itself. ``answer``: to a trigger that could not be stored, just now."""

    generation: int
    refusal: Refusal | None = None
    deleting: bool = False
    fought_over: str = ""
    answer: TriggerAnswer | None = None
    edges: EdgesRollout | None = None


def job_status(facts: JobFacts | None, situation: Situation, stored: Stored, now: datetime) -> JobStatus:
    """The status as it should be.

    Args:
        stored: what the object shows now; it gives the times at which conditions flipped, and what the database cannot
            know: upstream's last words, and the answer to a trigger that was none.
    """
    states = job_conditions(
        facts,
        situation.refusal,
        deleting=situation.deleting,
        fought_over=situation.fought_over,
        edges=situation.edges,
    )
    states[ConditionType.DEPLOYED] = _with_upstreams_words(states[ConditionType.DEPLOYED], stored)
    common: dict[str, Any] = {
        "observed_generation": situation.generation,
        "conditions": dated(states, stored, situation.generation, now),
        "manual_trigger": _answer(facts, situation, stored),
    }
    if facts is None:
        waits = situation.refusal is None or situation.refusal.waits
        return JobStatus(phase="Waiting" if waits else "Degraded", **common)
    row, decision = facts.row, facts.decision
    current = row.state.current
    last = current.id if current is not None else row.state.next_round - 1
    return JobStatus(
        phase="Degraded" if facts.unserved is not None and current is None else row.phase,
        round=last or None,
        rounds=tuple(_round(one, facts.sizes) for one in facts.rounds),
        last_outcome=next((one.outcome.value for one in facts.rounds if one.outcome is not None), None),
        samples=SampleCounts(
            total=row.totals.samples,
            labelled=row.totals.labelled,
            unlabelled=row.totals.unlabelled,
            train=row.totals.train,
            eval=row.totals.eval,
            holdout=row.totals.holdout,
            unused=facts.unused.train_new,
        ),
        edges=facts.edges,
        model=row.state.champion,
        metric=_metric(facts),
        trigger=None
        if decision is None
        else TriggerDecision(
            fired=decision.decision.fire, reason=_cut("; ".join(decision.decision.reasons)), at=decision.at
        ),
        start_time=row.created_at,
        **common,
    )


def dated(
    states: Mapping[ConditionType, State], stored: Stored, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Conditions with the time of their last flip: that of the stored one while the status is the same."""
    found = []
    for kind, state in states.items():
        before = stored.conditions.get(kind)
        since = before.since if before is not None and before.status == state.status else None
        found.append(
            Condition(
                type=kind.value,
                status=state.status,
                reason=state.reason,
                message=_cut(state.message),
                observed_generation=generation,
                last_transition_time=since or now,
            )
        )
    return tuple(found)


def _with_upstreams_words(deployed: State, stored: Stored) -> State:
    if deployed.reason != NO_ROUND:
        return deployed
    kept = stored.conditions.get(ConditionType.DEPLOYED)
    if stored.upstream:
        text = f"upstream's manager left the job at {stored.upstream}; rounds begin anew here"
        return State(status="False", reason=MIGRATED, message=text)
    if kept is not None and kept.reason == MIGRATED:
        return State(status="False", reason=MIGRATED, message=kept.message)
    return deployed


def _answer(facts: JobFacts | None, situation: Situation, stored: Stored) -> TriggerAnswer | None:
    """The newest answer: that of just now, of the database, or one that only the object has."""
    if situation.answer is not None:
        return situation.answer
    known = None if facts is None or facts.request is None else answer_of(facts.request)
    kept = stored.refusal
    if kept is not None and (known is None or known.at is None or (kept.at is not None and kept.at > known.at)):
        return kept
    return known


def _round(row: RoundRow, sizes: Mapping[int, int]) -> RoundStatus:
    verdict = row.verdict
    return RoundStatus(
        round=row.round,
        kind=row.kind.value,
        reason=_cut(row.reason, ROUND_TEXT_CHARS),
        stage=row.stage.value,
        outcome=None if row.outcome is None else row.outcome.value,
        message=_cut(row.outcome_reason, ROUND_TEXT_CHARS),
        candidate=row.candidate,
        champion=row.champion,
        samples=None if row.dataset_version is None else sizes.get(row.dataset_version),
        metric=None if verdict is None else verdict.metric,
        candidate_metric=None if verdict is None else verdict.candidate,
        champion_metric=None if verdict is None else verdict.champion,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _metric(facts: JobFacts) -> str | None:
    """The gate's metric of the model in service, as the newest round that judged it found it."""
    champion = facts.row.state.champion
    for row in facts.rounds:
        if row.verdict is None:
            continue
        value = _value_of(row.verdict, champion, row)
        if value is not None:
            return f"{row.verdict.metric}={value:.4g}"
    return None


def _value_of(verdict: GateVerdict, champion: int | None, row: RoundRow) -> float | None:
    if champion is None:
        return None
    if row.candidate == champion:
        return verdict.candidate
    return verdict.champion if row.champion == champion else None


def _cut(text: str, chars: int = MESSAGE_CHARS) -> str:
    return text if len(text) <= chars else text[: chars - 3] + "..."
