"""The incremental loop of a benchmark: observe, ``sedna.loop.decide``, carry out. Production's loop, in one process.

Time is the stream's, not the machine's: it stands still within a round's work and moves on with every piece.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import JsonValue

from ianvs.grammar.testenv import ModelEval, TestEnv
from sedna.loop import (
    AuditMetrics,
    Decision,
    EdgeObservation,
    Evaluation,
    GateVerdict,
    JobSpec,
    JobState,
    Observation,
    SampleCounts,
    Stage,
    WorkerObservation,
    WorkerPhase,
    decide,
    initial_state,
)
from sedna.loop import actions as do
from sedna.loop.conditions import Condition
from sedna.loop.spec import (
    Algorithm,
    Audit,
    DatasetUse,
    DeployModel,
    DeploySpec,
    Gate,
    HardExampleMining,
    Reference,
    TrainSpec,
    Trigger,
)

INITIAL_MODEL = 1
_MAX_TURNS = 16

_EXACT = {
    ">": lambda delta, threshold: delta > threshold,
    "<": lambda delta, threshold: delta < threshold,
    "==": lambda delta, threshold: delta == threshold,
    ">=": lambda delta, threshold: delta >= threshold,
    "<=": lambda delta, threshold: delta <= threshold,
}


class ExactCondition(Condition):
    """Ianvs compares floats as they are; production's conditions have a tolerance of 1e-6, as upstream's have."""

    def holds(self, value: float) -> bool:
        return bool(_EXACT[self.operator](value, self.threshold))


class Work(Protocol):
    """What the loop asks of a paradigm."""

    def counts(self) -> SampleCounts:
        """Labelled samples, used and unused."""
        ...

    def audited(self) -> AuditMetrics | None:
        """The model in service on randomly picked samples."""
        ...

    def train(self, number: int, champion: int, parameters: dict[str, JsonValue]) -> int:
        """Train a candidate on every unused sample; its model version."""
        ...

    def evaluate(self, candidate: int, champion: int) -> Evaluation:
        """Both models on the same samples."""
        ...

    def deployed(self, version: int) -> None:
        """The edges serve another model from now on."""
        ...


@dataclass
class Turn:
    """What one look at the trigger led to. ``closed`` is None when no round was opened."""

    decisions: list[Decision] = field(default_factory=list)
    verdict: GateVerdict | None = None
    closed: do.CloseRound | None = None
    candidate: int | None = None

    @property
    def reason(self) -> str:
        """Why it ended as it did, in one line."""
        if self.closed is not None:
            found = f"{self.verdict.reason}; " if self.verdict is not None else ""
            return self.closed.reason if self.closed.reason in found else f"{found}{self.closed.reason}"
        return "; ".join(reason for decision in self.decisions for reason in decision.reasons)


@dataclass
class Course:
    """How far the loop has come: the job's state, the stream's time, what each edge serves, which models there are."""

    state: JobState
    now: datetime
    serving: dict[str, int | None]
    versions: set[int]


class LoopDriver:
    """Holds the job's description, and lets ``decide`` say what to do. All that changes is in ``course``."""

    def __init__(self, spec: JobSpec, start: datetime, edges: int) -> None:
        self.spec = spec
        self.course = Course(
            state=initial_state(start),
            now=start,
            serving={f"edge-{number}": INITIAL_MODEL for number in range(1, edges + 1)},
            versions={INITIAL_MODEL},
        )

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of the edges."""
        return tuple(self.course.serving)

    @property
    def champion(self) -> int:
        """Version of the model in service."""
        return self.course.state.champion or INITIAL_MODEL

    @property
    def now(self) -> datetime:
        """The stream's time."""
        return self.course.now

    def wait(self, seconds: float) -> None:
        """Let the stream's time pass."""
        self.course.now += timedelta(seconds=seconds)

    def turn(self, work: Work) -> Turn:
        """Look at the trigger once, and see a round that it opens through to its end."""
        turn = Turn()
        worker: WorkerObservation | None = None
        evaluation: Evaluation | None = None
        for number in range(_MAX_TURNS):
            seen = self._observe(work, worker, evaluation)
            self.course.state, actions = decide(self.spec, self.course.state, seen, self.now, automatic=number == 0)
            worker = None
            for action in actions:
                if isinstance(action, do.EnsureWorker):
                    worker, found = self._work(action, work, turn)
                    evaluation = found or evaluation
                else:
                    self._note(action, turn)
            self._deploy(work)
            if self.course.state.current is None:
                return turn
        raise AssertionError(f"round {self.course.state.current} does not end")

    def _observe(self, work: Work, worker: WorkerObservation | None, evaluation: Evaluation | None) -> Observation:
        return Observation(
            samples=work.counts(),
            audit=work.audited(),
            worker=worker,
            evaluation=evaluation,
            edges=tuple(
                EdgeObservation(name=name, live=True, version=version) for name, version in self.course.serving.items()
            ),
            initial_model=INITIAL_MODEL,
            known_models=frozenset(self.course.versions),
        )

    def _work(self, action: do.EnsureWorker, work: Work, turn: Turn) -> tuple[WorkerObservation, Evaluation | None]:
        """Do a worker's work here and now. What it raises ends the test case: a benchmark does not hide failures."""
        candidate, evaluation = action.candidate, None
        if action.stage is Stage.TRAINING:
            candidate = work.train(action.round, action.champion, action.parameters)
            self.course.versions.add(candidate)
            turn.candidate = candidate
        else:
            assert candidate is not None
            evaluation = work.evaluate(candidate, action.champion)
        done = WorkerObservation(
            round=action.round,
            stage=action.stage,
            attempt=action.attempt,
            phase=WorkerPhase.SUCCEEDED,
            candidate=candidate,
        )
        return done, evaluation

    @staticmethod
    def _note(action: do.Action, turn: Turn) -> None:
        if isinstance(action, do.RecordDecision):
            turn.decisions.append(action.decision)
        elif isinstance(action, do.RecordVerdict):
            turn.verdict = action.verdict
        elif isinstance(action, do.CloseRound):
            turn.closed = action

    def _deploy(self, work: Work) -> None:
        """Every edge takes the desired model at once."""
        desired = self.course.state.desired_model
        if desired is not None and any(version != desired for version in self.course.serving.values()):
            self.course.serving = dict.fromkeys(self.course.serving, desired)
            work.deployed(desired)


def job_spec(testenv: TestEnv, basemodel: str, miner: str) -> JobSpec:
    """The production description of what a test environment says."""
    gate, deploy = testenv.loop_gate(), testenv.loop_deploy_trigger()
    if deploy is None:
        condition = _condition(testenv.model_eval) if testenv.model_eval.model_metric.name else None
        deploy = Trigger(condition=condition)
    return JobSpec(
        dataset=DatasetUse(name="stream", train_prob=0.5),
        initial_model=Reference(name="initial"),
        train_spec=TrainSpec(algorithm=Algorithm(name=basemodel), trigger=testenv.loop_trigger() or Trigger()),
        deploy_spec=DeploySpec(
            model=DeployModel(name="serving"),
            hard_example_mining=HardExampleMining(name=miner),
            trigger=deploy,
            gate=gate or Gate(),
            audit=testenv.loop_audit() or Audit(ratio=0),
        ),
        class_names=testenv.class_names,
    )


def _condition(judge: ModelEval) -> ExactCondition:
    return ExactCondition.model_validate(
        {
            "operator": judge.operator,
            "threshold": judge.threshold,
            "metric": f"{judge.model_metric.name}_delta",
        }
    )
