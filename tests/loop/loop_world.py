"""A world around ``decide``: the smallest engine that could be right, with every way to misbehave that a real one has.

It keeps state and records in one place (the transaction), and workers, edges and reports in another (the outside).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loop_builders import START

from sedna.loop import (
    EdgeObservation,
    Evaluation,
    JobSpec,
    JobState,
    ManualRequest,
    ModelScores,
    Observation,
    Outcome,
    SampleCounts,
    SampleScore,
    Stage,
    WorkerObservation,
    WorkerPhase,
    decide,
    initial_state,
    part_of,
)
from sedna.loop import actions as do
from sedna.loop.state import TRANSITIONS
from sedna.loop.verdict import Decision

Place = tuple[int, Stage, int]


@dataclass
class Sample:
    part: str
    round: int | None = None


@dataclass
class Worker:
    place: Place
    phase: WorkerPhase = WorkerPhase.RUNNING
    error: str | None = None
    retryable: bool = False
    lost: bool = False
    candidate: int | None = None
    stopped: bool = False


@dataclass
class World:
    spec: JobSpec
    now: datetime = START
    state: JobState = field(default_factory=lambda: initial_state(START))
    samples: list[Sample] = field(default_factory=list)
    workers: dict[Place, Worker] = field(default_factory=dict)
    edges: dict[str, int | None] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    requests: list[ManualRequest] = field(default_factory=list)
    answers: dict[str, do.AnswerRequest] = field(default_factory=dict)
    opened: list[int] = field(default_factory=list)
    closed: dict[int, Outcome] = field(default_factory=dict)
    stages: dict[int, list[Stage | Outcome]] = field(default_factory=dict)
    champions: list[int] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    models: int = 1
    good: bool = True

    # the outside

    def label(self, count: int) -> None:
        for _ in range(count):
            self.samples.append(Sample(part_of(len(self.samples), self.spec.dataset.train_prob)))

    def finish_workers(self, *, fail: bool = False, retryable: bool = False, lost: bool = False) -> None:
        for worker in self.workers.values():
            if worker.phase is not WorkerPhase.RUNNING or worker.stopped:
                continue
            if fail:
                worker.phase, worker.error, worker.retryable = WorkerPhase.FAILED, "boom", retryable or lost
                worker.lost = lost
                continue
            worker.phase = WorkerPhase.SUCCEEDED
            if worker.place[1] is Stage.TRAINING:
                self.models += 1
                worker.candidate = self.models

    def edges_follow(self) -> None:
        for name in self.edges:
            if self.refused.get(name) != self.state.desired_model:
                self.edges[name] = self.state.desired_model

    # the engine

    def observe(self, *, stray: Worker | None = None) -> Observation:
        current = self.state.current
        worker = None
        if current is not None and current.stage in (Stage.TRAINING, Stage.EVALUATING):
            worker = stray or self.workers.get((current.id, current.stage, current.attempt))
        evaluation = None
        if current is not None and current.stage in (Stage.EVALUATING, Stage.JUDGING):
            done = [w for w in self.workers.values() if w.place[0] == current.id and w.place[1] is Stage.EVALUATING]
            if any(w.phase is WorkerPhase.SUCCEEDED for w in done):
                evaluation = self._evaluation()
        fresh = [sample for sample in self.samples if sample.round is None]
        waiting = [request for request in self.requests if request.id not in self.answers]
        return Observation(
            samples=SampleCounts(
                train_new=sum(sample.part == "train" for sample in fresh),
                eval_new=sum(sample.part == "eval" for sample in fresh),
                train_total=sum(sample.part == "train" for sample in self.samples),
            ),
            request=waiting[0] if waiting else None,
            worker=None if worker is None else _observed(worker),
            evaluation=evaluation,
            edges=tuple(
                EdgeObservation(
                    name=name, live=True, version=version, failed_version=self.refused.get(name), reason="bad"
                )
                for name, version in self.edges.items()
            ),
            initial_model=1,
            known_models=frozenset(range(1, self.models + 1)),
        )

    def _evaluation(self) -> Evaluation:
        def rows(hit: bool) -> tuple[SampleScore, ...]:
            return tuple(SampleScore(sample=str(i), tp=(int(hit),), fp=(0,), fn=(int(not hit),)) for i in range(8))

        return Evaluation(
            candidate=ModelScores(per_sample=rows(self.good)),
            champion=ModelScores(per_sample=rows(not self.good)),
            judged=frozenset(str(i) for i in range(8)),
        )

    def tick(self, *, seconds: float = 1, crash: bool = False, observation: Observation | None = None) -> Observation:
        """One turn. ``crash``: the transaction is stored, the effects are lost. ``observation``: an outdated one."""
        self.now += timedelta(seconds=seconds)
        seen = observation or self.observe()
        self.state, actions = decide(self.spec, self.state, seen, self.now)
        JobState.model_validate_json(self.state.model_dump_json())  # what a database would do
        for action in actions:
            self._record(action)
        if not crash:
            for action in actions:
                self._effect(action)
        return seen

    def _record(self, action: do.Action) -> None:
        match action:
            case do.OpenRound():
                self.opened.append(action.round)
                self.stages[action.round] = []
                if action.kind == "train":
                    for sample in self.samples:
                        sample.round = action.round if sample.round is None else sample.round
            case do.MoveRound():
                trail = self.stages[action.round]
                if trail and trail[-1] is not action.stage:
                    assert action.stage in TRANSITIONS[trail[-1]], (trail, action)
                trail.append(action.stage)
            case do.CloseRound():
                assert action.round not in self.closed
                self.closed[action.round] = action.outcome
                if action.release_samples:
                    for sample in self.samples:
                        sample.round = None if sample.round == action.round else sample.round
            case do.AnswerRequest():
                assert action.id not in self.answers
                self.answers[action.id] = action
            case do.SetChampion():
                self.champions.append(action.version)
            case do.RecordDecision():
                self.decisions.append(action.decision)
            case _:
                pass

    def _effect(self, action: do.Action) -> None:
        if isinstance(action, do.EnsureWorker):
            place = (action.round, action.stage, action.attempt)
            self.workers.setdefault(place, Worker(place))
        elif isinstance(action, do.StopWorker):
            worker = self.workers.get((action.round, action.stage, action.attempt))
            if worker is not None:
                worker.stopped = True

    # what must always hold

    def check(self) -> None:
        assert self.opened == list(range(1, len(self.opened) + 1)), "round numbers are consecutive"
        open_rounds = set(self.opened) - self.closed.keys()
        current = self.state.current
        assert open_rounds == ({current.id} if current else set()), "every round but the current one is closed"
        for sample in self.samples:
            used = sample.round
            assert used is None or used in self.opened
            assert used is None or self.closed.get(used) is not Outcome.FAILED, "a failed round keeps no samples"
        for ended in self.state.history:
            rejected = ended.outcome is Outcome.REJECTED
            assert not (rejected and ended.candidate == ended.champion), "a model in service is not a rejected one"
        if current is not None and current.stage is Stage.TRAINING:
            running = [w for w in self.workers.values() if w.phase is WorkerPhase.RUNNING and not w.stopped]
            assert all(w.place <= (current.id, current.stage, current.attempt) for w in running)

    def settle(self, rounds: int) -> None:
        """A well-behaved world from now on: this many further training rounds must complete."""
        self.good, self.refused = True, {}
        done = sum(outcome is not Outcome.FAILED for outcome in self.closed.values())
        for _ in range(rounds * 40 + 200):
            finished = sum(outcome is not Outcome.FAILED for outcome in self.closed.values())
            if finished >= done + rounds:
                return
            if self.state.current is None:
                self.label(5)
            self.tick(seconds=3600 * 24 if self.state.failures and self.state.current is None else 30)
            self.finish_workers()
            self.edges_follow()
            self.check()
        raise AssertionError(f"stuck: {self.state.current}, {self.closed}")


def _observed(worker: Worker) -> WorkerObservation:
    number, stage, attempt = worker.place
    return WorkerObservation(
        round=number,
        stage=stage,
        attempt=attempt,
        phase=worker.phase,
        candidate=worker.candidate,
        error=worker.error,
        retryable=worker.retryable,
        lost=worker.lost,
    )
