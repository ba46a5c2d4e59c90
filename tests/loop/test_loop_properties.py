"""Whatever happens: N rounds complete, and no sample is lost or used twice."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from loop_builders import make_spec
from loop_world import Worker, World

from sedna.loop import ManualRequest, Observation, RoundKind, Stage, WorkerPhase

KINDS = st.sampled_from(list(RoundKind))


class AnythingCanHappen(RuleBasedStateMachine):
    """Labels, requests, crashes, repeats, stray and late reports, refusing edges, in any order."""

    world: World
    last: Observation

    @initialize(threshold=st.integers(0, 6), edges=st.integers(0, 3), retries=st.integers(0, 2))
    def start(self, threshold: int, edges: int, retries: int) -> None:
        spec = make_spec(
            trigger={"condition": {"operator": ">=", "threshold": threshold, "metric": "num_of_samples"}},
            limits={"retries": retries, "retrySeconds": 5, "timeoutSeconds": 300},
        )
        self.world = World(spec, edges={f"edge-{i}": None for i in range(edges)})
        self.last = self.world.observe()

    @rule(count=st.integers(1, 7))
    def labels_arrive(self, count: int) -> None:
        self.world.label(count)

    @rule(seconds=st.sampled_from([0, 1, 30, 400, 90_000]), crash=st.booleans())
    def turn(self, seconds: int, crash: bool) -> None:
        self.last = self.world.tick(seconds=seconds, crash=crash)

    @rule()
    def the_same_observation_again(self) -> None:
        """A snapshot is used once per stored state (compare-and-swap), so a repeat meets an unchanged state."""
        self.world.tick(seconds=0)
        seen = self.world.observe()
        before = self.world.state
        self.world.tick(seconds=0, observation=seen)
        if self.world.state == before:
            self.world.tick(seconds=0, observation=seen)
            assert self.world.state == before

    @rule(fail=st.booleans(), retryable=st.booleans(), lost=st.booleans())
    def workers_end(self, fail: bool, retryable: bool, lost: bool) -> None:
        self.world.finish_workers(fail=fail, retryable=retryable, lost=lost)

    @rule(count=st.integers(1, 7))
    def a_stage_goes_well(self, count: int) -> None:
        """What takes four rules in the right order otherwise, so that later stages are seen as often as the first."""
        self.world.label(count)
        self.world.tick()
        self.world.finish_workers()
        self.last = self.world.tick()

    @rule()
    def the_candidate_is_asked_for(self) -> None:
        current = self.world.state.current
        if current is not None and current.candidate is not None:
            self.somebody_asks(RoundKind.DEPLOY, current.candidate)

    @rule(
        number=st.integers(0, 12),
        stage=st.sampled_from([Stage.TRAINING, Stage.EVALUATING]),
        attempt=st.integers(1, 4),
        phase=st.sampled_from(list(WorkerPhase)),
    )
    def stray_report(self, number: int, stage: Stage, attempt: int, phase: WorkerPhase) -> None:
        current = self.world.state.current
        if current is not None and (number, stage, attempt) == (current.id, current.stage, current.attempt):
            return
        stray = Worker((number, stage, attempt), phase=phase, error="stray", candidate=1)
        rounds, closed = len(self.world.opened), len(self.world.closed)
        if current is not None and current.stage in (Stage.TRAINING, Stage.EVALUATING):
            self.world.tick(seconds=0, observation=self.world.observe(stray=stray).model_copy(update={"request": None}))
            assert (len(self.world.opened), len(self.world.closed)) == (rounds, closed)
            assert self.world.state.current is not None
            assert self.world.state.current.id == current.id

    @rule(kind=KINDS, version=st.none() | st.integers(0, 6))
    def somebody_asks(self, kind: RoundKind, version: int | None) -> None:
        request = ManualRequest(id=f"r{len(self.world.requests)}", action=kind, reason="test", version=version)
        self.world.requests.append(request)

    @rule()
    def edges_follow(self) -> None:
        self.world.edges_follow()

    @rule(good=st.booleans())
    def candidates_are(self, good: bool) -> None:
        self.world.good = good

    @rule()
    def an_edge_refuses(self) -> None:
        desired = self.world.state.desired_model
        if self.world.edges and desired is not None:
            self.world.refused = {next(iter(self.world.edges)): desired}

    @invariant()
    def consistent(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            labelled = len(self.world.samples)
            self.world.settle(3)
            assert len(self.world.samples) >= labelled
            train = [sample for sample in self.world.samples if sample.part == "train"]
            assert any(sample.round is not None for sample in train)


AnythingCanHappen.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAnythingCanHappen = AnythingCanHappen.TestCase
