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
_MAX_DECISIONS = 16
"""Far more than a round takes: at this bound ``decide`` and the driver are waiting for each other."""

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


class RoundExecutor(Protocol):
    """Carries out what the loop decides: counts samples, trains, evaluates and deploys."""

    def sample_counts(self) -> SampleCounts:
        """Labelled samples, used and unused."""
        ...

    def audit_metrics(self) -> AuditMetrics | None:
        """The model in service on randomly picked samples."""
        ...

    def train(self, round_id: int, champion: int, parameters: dict[str, JsonValue]) -> int:
        """Train a candidate on every unused sample; its model version."""
        ...

    def evaluate(self, candidate: int, champion: int) -> Evaluation:
        """Both models on the same samples."""
        ...

    def deployed(self, version: int) -> None:
        """The edges serve another model from now on."""
        ...


@dataclass
class LoopStep:
    """The result of one look at the trigger. ``closed`` is None when no round was opened."""

    decisions: list[Decision] = field(default_factory=list)
    verdict: GateVerdict | None = None
    closed: do.CloseRound | None = None
    candidate: int | None = None

    @property
    def reason(self) -> str:
        """The reason of the result, in one line."""
        if self.closed is not None:
            found = f"{self.verdict.reason}; " if self.verdict is not None else ""
            return self.closed.reason if self.closed.reason in found else f"{found}{self.closed.reason}"
        return "; ".join(reason for decision in self.decisions for reason in decision.reasons)


@dataclass
class LoopState:
    """How far the loop has come: the job's state, the stream's time, what each edge serves, which models there are."""

    job: JobState
    now: datetime
    serving: dict[str, int | None]
    versions: set[int]


class LoopDriver:
    """Asks ``decide`` what to do, and has it done. Everything that changes is in ``state``."""

    def __init__(self, spec: JobSpec, start: datetime, edges: int) -> None:
        self.spec = spec
        self.state = LoopState(
            job=initial_state(start),
            now=start,
            serving={f"edge-{index}": INITIAL_MODEL for index in range(1, edges + 1)},
            versions={INITIAL_MODEL},
        )

    @property
    def edges(self) -> tuple[str, ...]:
        """Names of the edges."""
        return tuple(self.state.serving)

    @property
    def champion(self) -> int:
        """Version of the model in service."""
        return self.state.job.champion or INITIAL_MODEL

    @property
    def now(self) -> datetime:
        """The stream's time."""
        return self.state.now

    def wait(self, seconds: float) -> None:
        """Let the stream's time pass."""
        self.state.now += timedelta(seconds=seconds)

    def step(self, executor: RoundExecutor) -> LoopStep:
        """Look at the trigger once, and see a round that it opens through to its end."""
        step = LoopStep()
        worker: WorkerObservation | None = None
        evaluation: Evaluation | None = None
        for decisions in range(_MAX_DECISIONS):
            # Only the first look may open a round: a second one in the same step would train on nothing new.
            seen = self._observe(executor, worker, evaluation)
            self.state.job, actions = decide(self.spec, self.state.job, seen, self.now, automatic=decisions == 0)
            worker = None  # a report is given once; the same one again would be of a stage that is over
            for action in actions:
                if isinstance(action, do.EnsureWorker):
                    worker, found = self._execute(action, executor, step)
                    evaluation = found or evaluation
                else:
                    self._record(action, step)
            self._deploy(executor)
            if self.state.job.current is None:
                return step
        raise AssertionError(f"round {self.state.job.current} does not end")

    def _observe(
        self, executor: RoundExecutor, worker: WorkerObservation | None, evaluation: Evaluation | None
    ) -> Observation:
        return Observation(
            samples=executor.sample_counts(),
            audit=executor.audit_metrics(),
            worker=worker,
            evaluation=evaluation,
            edges=tuple(
                EdgeObservation(name=name, live=True, version=version) for name, version in self.state.serving.items()
            ),
            initial_model=INITIAL_MODEL,
            known_models=frozenset(self.state.versions),
        )

    def _execute(
        self, action: do.EnsureWorker, executor: RoundExecutor, step: LoopStep
    ) -> tuple[WorkerObservation, Evaluation | None]:
        """Do a worker's work here and now. What it raises ends the test case: a benchmark does not hide failures."""
        candidate, evaluation = action.candidate, None
        if action.stage is Stage.TRAINING:
            candidate = executor.train(action.round, action.champion, action.parameters)
            self.state.versions.add(candidate)
            step.candidate = candidate
        else:
            assert candidate is not None
            evaluation = executor.evaluate(candidate, action.champion)
        done = WorkerObservation(
            round=action.round,
            stage=action.stage,
            attempt=action.attempt,
            phase=WorkerPhase.SUCCEEDED,
            candidate=candidate,
        )
        return done, evaluation

    @staticmethod
    def _record(action: do.Action, step: LoopStep) -> None:
        if isinstance(action, do.RecordDecision):
            step.decisions.append(action.decision)
        elif isinstance(action, do.RecordVerdict):
            step.verdict = action.verdict
        elif isinstance(action, do.CloseRound):
            step.closed = action

    def _deploy(self, executor: RoundExecutor) -> None:
        """Every edge takes the desired model at once."""
        desired = self.state.job.desired_model
        if desired is not None and any(version != desired for version in self.state.serving.values()):
            self.state.serving = dict.fromkeys(self.state.serving, desired)
            executor.deployed(desired)


def job_spec(testenv: TestEnv, basemodel: str, miner: str) -> JobSpec:
    """The production job that a test environment describes."""
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
