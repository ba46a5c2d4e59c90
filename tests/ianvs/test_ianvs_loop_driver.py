"""The loop's driver: production's decisions, Ianvs' comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ianvs.grammar import TestEnv
from ianvs.paradigms.incremental.loop_driver import ExactCondition, LoopDriver, job_spec
from sedna.loop import AuditMetrics, Evaluation, ModelScores, SampleCounts

START = datetime(2026, 1, 1, tzinfo=UTC)
OPERATORS = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def environment(**keys: Any) -> TestEnv:
    return TestEnv.model_validate({"dataset": {}, "metrics": [{"name": "f1"}], **keys})


@dataclass
class World:
    """Answers the loop's questions from lists."""

    new: int = 0
    used: int = 0
    scores: list[tuple[float, float]] = field(default_factory=list)
    trained: list[tuple[int, int]] = field(default_factory=list)
    served: list[int] = field(default_factory=list)

    def sample_counts(self) -> SampleCounts:
        return SampleCounts(train_new=self.new, train_total=self.new + self.used)

    def audit_metrics(self) -> AuditMetrics | None:
        return None

    def train(self, number: int, champion: int, parameters: Any) -> int:
        self.trained.append((number, champion))
        self.new, self.used = 0, self.used + self.new
        return len(self.trained) + 1

    def evaluate(self, candidate: int, champion: int) -> Evaluation:
        new, old = self.scores.pop(0)
        return Evaluation(candidate=ModelScores(metrics={"f1": new}), champion=ModelScores(metrics={"f1": old}))

    def deployed(self, version: int) -> None:
        self.served.append(version)


def driver(operator: str = ">", threshold: float = 0.0) -> LoopDriver:
    judge = {"model_metric": {"name": "f1"}, "operator": operator, "threshold": threshold}
    return LoopDriver(job_spec(environment(model_eval=judge), "FPN", "IBT"), START, edges=2)


@given(
    new=st.floats(0, 1), old=st.floats(0, 1), threshold=st.floats(-1, 1), operator=st.sampled_from(sorted(OPERATORS))
)
def test_the_update_is_upstreams_arithmetic(new: float, old: float, threshold: float, operator: str) -> None:
    loop, world = driver(operator, threshold), World(new=1, scores=[(new, old)])
    loop.step(world)
    assert (loop.champion == 2) is OPERATORS[operator](new - old, threshold)


@pytest.mark.parametrize(("new", "old", "threshold"), [(0.8, 0.7, 0.1), (0.1 + 0.2, 0.0, 0.3)])
def test_a_difference_in_the_last_place_counts(new: float, old: float, threshold: float) -> None:
    assert new - old > threshold
    loop = driver(">", threshold)
    loop.step(World(new=1, scores=[(new, old)]))
    assert loop.champion == 2
    assert isinstance(loop.spec.deploy_spec.trigger.condition, ExactCondition)


def test_no_new_sample_means_no_round() -> None:
    loop, world = driver(), World()
    step = loop.step(world)
    assert (step.closed, world.trained) == (None, [])
    assert "0 new for training" in step.reason


def test_a_rejected_candidate_is_not_served_and_its_successor_starts_from_the_champion() -> None:
    loop, world = driver(), World(new=3, scores=[(0.5, 0.6), (0.7, 0.6)])
    assert loop.step(world).reason == "f1_delta = -0.1000, not > 0"
    world.new = 2
    step = loop.step(world)
    assert world.trained == [(1, 1), (2, 1)]
    assert (loop.champion, world.served) == (3, [3])
    assert step.reason == "f1_delta = 0.1000, > 0; model 3 serves on 2 of 2 edges"
    assert [summary.outcome.value for summary in loop.state.job.history] == ["Rejected", "Deployed"]


def test_a_metric_that_is_no_number_keeps_the_model() -> None:
    loop, world = driver("<=", 1.0), World(new=1)

    class Silent(World):
        def evaluate(self, candidate: int, champion: int) -> Evaluation:
            return Evaluation(candidate=ModelScores(), champion=ModelScores())

    step = loop.step(Silent(new=1))
    assert loop.champion == 1
    assert step.closed is not None
    assert step.closed.outcome.value == "Inconclusive"
    assert world.trained == []
