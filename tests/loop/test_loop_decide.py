"""``decide``: the round's way through its stages, one behaviour a test."""

from __future__ import annotations

from datetime import timedelta

import pytest
from loop_builders import make_spec
from loop_world import Worker, World

from sedna.loop import ManualRequest, Outcome, RoundKind, Stage, WorkerPhase, decide, evaluate_trigger
from sedna.loop.actions import AnswerRequest, CloseRound, EnsureWorker, OpenRound, StopWorker
from sedna.loop.observation import Observation, SampleCounts
from sedna.loop.state import Pause


@pytest.fixture
def world() -> World:
    spec = make_spec(trigger={"condition": {"operator": ">=", "threshold": 4, "metric": "num_of_samples"}})
    made = World(spec, edges={"edge-1": 1, "edge-2": 1})
    made.tick()
    return made


def to_stage(world: World, stage: Stage) -> None:
    world.label(5)
    for _ in range(20):
        current = world.state.current
        if current is not None and current.stage is stage:
            return
        world.tick()
        if not (world.state.current and world.state.current.stage is stage):
            world.finish_workers()
    raise AssertionError(f"never reached {stage}: {world.state}")


def run_out(world: World) -> None:
    for _ in range(10):
        if world.state.current is None:
            return
        world.finish_workers()
        world.tick()
        world.edges_follow()


def ask(world: World, action: RoundKind, **more: object) -> ManualRequest:
    request = ManualRequest(id=f"r{len(world.requests)}", action=action, reason="because", **more)
    world.requests.append(request)
    return request


def test_the_initial_model_goes_into_service(world: World) -> None:
    assert world.state.champion == 1
    assert world.champions == [1]


def test_a_better_candidate_is_deployed_to_every_edge(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    assert world.state.champion == 1
    assert world.state.desired_model == 2
    world.edges["edge-1"] = 2
    world.tick()
    assert world.state.current is not None, "one edge is still on its way"
    world.edges["edge-2"] = 2
    world.tick()
    assert world.closed == {1: Outcome.DEPLOYED}
    assert world.state.champion == 2
    assert world.stages[1] == [Stage.TRAINING, Stage.EVALUATING, Stage.JUDGING, Stage.DEPLOYING]


def test_a_worse_candidate_is_rejected_and_the_next_round_works(world: World) -> None:
    world.good = False
    to_stage(world, Stage.EVALUATING)
    run_out(world)
    assert world.closed == {1: Outcome.REJECTED}
    assert world.state.champion == 1
    assert {sample.round for sample in world.samples} == {1}, "a judged round has used its samples"
    world.settle(3)


def test_an_edge_that_refuses_rolls_the_model_back_everywhere(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    world.edges["edge-1"] = 2
    world.refused["edge-2"] = 2
    world.tick()
    assert world.closed == {1: Outcome.FAILED}
    assert world.state.desired_model == 1
    assert "edge-2: bad" in world.state.history[-1].reason


def test_a_rollout_that_takes_too_long_is_rolled_back(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    world.tick(seconds=601)
    assert world.closed == {1: Outcome.FAILED}
    assert "edge-1, edge-2" in world.state.history[-1].reason


def test_the_time_of_a_rollout_does_not_run_while_nobody_listens(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    back = world.now + timedelta(hours=5)
    for seconds, ends in ((1, False), (600, False), (601, True)):
        seen = world.observe().model_copy(update={"listening_since": back})
        state, _ = decide(world.spec, world.state, seen, back + timedelta(seconds=seconds))
        assert (state.current is None) is ends


def test_an_edge_that_is_not_heard_yet_is_waited_for_and_is_not_late(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    world.edges["edge-1"] = 2
    seen = world.observe()
    quiet = [edge.model_copy(update={"heard": edge.name == "edge-1"}) for edge in seen.edges]
    world.tick(seconds=601, observation=seen.model_copy(update={"edges": tuple(quiet)}))
    assert world.state.current is not None
    world.tick()
    assert world.closed == {1: Outcome.FAILED}
    assert world.state.history[-1].reason.endswith("by edge-2")


def test_a_temporary_failure_is_tried_again_after_a_pause(world: World) -> None:
    to_stage(world, Stage.TRAINING)
    world.tick()
    world.finish_workers(fail=True, retryable=True)
    world.tick()
    current = world.state.current
    assert current is not None
    assert (current.stage, current.attempt) == (Stage.TRAINING, 2)
    assert (1, Stage.TRAINING, 2) not in world.workers, "the pause holds"
    world.tick(seconds=11)
    assert (1, Stage.TRAINING, 2) in world.workers
    run_out(world)
    assert world.closed == {1: Outcome.DEPLOYED}


@pytest.mark.parametrize("retryable", [True, False])
def test_failed_training_gives_its_samples_back(world: World, retryable: bool) -> None:
    to_stage(world, Stage.TRAINING)
    for _ in range(12):
        world.tick(seconds=60)
        world.finish_workers(fail=True, retryable=retryable)
        if world.closed:
            break
    assert world.closed == {1: Outcome.FAILED}
    assert {sample.round for sample in world.samples} == {None}
    assert len(world.workers) == (3 if retryable else 1)
    before = len(world.opened)
    world.tick()
    assert len(world.opened) == before, "no hot loop after a failure"
    world.settle(2)


def test_a_worker_over_its_time_is_stopped(world: World) -> None:
    to_stage(world, Stage.TRAINING)
    world.tick()
    world.tick(seconds=6 * 3600 + 1)
    assert world.closed == {1: Outcome.FAILED}
    assert world.workers[1, Stage.TRAINING, 1].stopped


def test_reports_of_other_rounds_stages_and_attempts_change_nothing(world: World) -> None:
    to_stage(world, Stage.TRAINING)
    world.tick()
    for place in [(9, Stage.TRAINING, 1), (1, Stage.EVALUATING, 1), (1, Stage.TRAINING, 7)]:
        for phase in (WorkerPhase.SUCCEEDED, WorkerPhase.FAILED):
            stray = Worker(place, phase=phase, candidate=99)
            state, _ = decide(world.spec, world.state, world.observe(stray=stray), world.now)
            assert state == world.state


def test_manual_training_needs_no_trigger_but_samples(world: World) -> None:
    ask(world, RoundKind.TRAIN)
    world.tick()
    assert world.answers["r0"].accepted is False
    assert "no labelled sample" in world.answers["r0"].message
    world.label(2)
    ask(world, RoundKind.TRAIN, parameters={"learning_rate": 9.0})
    world.tick()
    assert world.answers["r1"].accepted is True
    assert world.state.current is not None
    assert world.state.current.parameters == {"learning_rate": 9.0}


def test_a_request_waits_for_the_round_under_way(world: World) -> None:
    to_stage(world, Stage.TRAINING)
    ask(world, RoundKind.TRAIN)
    world.tick()
    assert "r0" not in world.answers
    run_out(world)
    world.tick()
    assert world.answers["r0"].accepted


def test_evaluating_the_last_candidate_again(world: World) -> None:
    world.good = False
    to_stage(world, Stage.EVALUATING)
    run_out(world)
    world.good = True
    ask(world, RoundKind.EVAL)
    world.tick()
    run_out(world)
    assert world.closed == {1: Outcome.REJECTED, 2: Outcome.DEPLOYED}
    assert world.stages[2][0] is Stage.EVALUATING
    assert world.state.champion == 2


def test_a_rollback_does_not_wait_for_the_training(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    world.edges_follow()
    world.tick()
    assert world.state.champion == 2
    to_stage(world, Stage.TRAINING)
    ask(world, RoundKind.DEPLOY, version=1)
    world.tick()
    assert world.state.champion == 1
    assert world.state.desired_model == 1
    assert world.state.current is not None
    assert world.state.current.stage is Stage.TRAINING
    run_out(world)
    assert world.closed == {1: Outcome.DEPLOYED, 2: Outcome.DEPLOYED, 3: Outcome.DEPLOYED}


def test_a_rollback_during_evaluation_evaluates_against_the_new_champion(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    world.edges_follow()
    world.tick()
    to_stage(world, Stage.EVALUATING)
    world.tick()
    ask(world, RoundKind.DEPLOY, version=1)
    world.tick()
    assert world.state.current is not None
    assert world.state.current.attempt == 2
    assert world.workers[2, Stage.EVALUATING, 1].stopped


@pytest.mark.parametrize("version", [None, 2])
def test_somebody_may_ask_for_the_candidate_under_evaluation(world: World, version: int | None) -> None:
    to_stage(world, Stage.EVALUATING)
    world.tick()
    request = ask(world, RoundKind.DEPLOY, version=version)
    world.tick()
    answer = world.answers[request.id]
    assert (answer.accepted, answer.round) == (True, 1)
    assert world.workers[1, Stage.EVALUATING, 1].stopped
    assert (world.state.champion, world.state.desired_model) == (1, 2)
    run_out(world)
    assert world.closed == {1: Outcome.DEPLOYED}
    assert world.state.champion == 2
    assert world.stages[1] == [Stage.TRAINING, Stage.EVALUATING, Stage.DEPLOYING]


def test_a_rollback_during_evaluation_is_no_failed_attempt(world: World) -> None:
    """With the evaluation of another model asked for again and again, a temporary failure still has its retries."""
    to_stage(world, Stage.DEPLOYING)
    world.edges_follow()
    world.tick()
    to_stage(world, Stage.EVALUATING)
    for version in (1, 2, 1, 2):
        world.tick()
        ask(world, RoundKind.DEPLOY, version=version)
    world.tick()
    assert world.state.current is not None
    assert world.state.current.attempt == 5
    waits = []
    for _ in range(3):
        world.tick(seconds=3600)
        world.finish_workers(fail=True, retryable=True)
        world.tick()
        current = world.state.current
        if current is not None and current.not_before is not None:
            waits.append((current.not_before - world.now).total_seconds())
    assert waits == [10, 20]
    assert world.closed[2] is Outcome.FAILED
    assert "Evaluating failed after 3 attempts: boom" in world.state.history[-1].reason


def test_a_lost_worker_costs_no_retry_and_twenty_are_enough(world: World) -> None:
    to_stage(world, Stage.TRAINING)
    waits = []
    for _ in range(20):
        world.tick(seconds=3600)
        world.finish_workers(fail=True, lost=True)
        world.tick()
        current = world.state.current
        assert current is not None
        assert current.not_before is not None
        assert current.failed_attempts == 0
        waits.append((current.not_before - world.now).total_seconds())
    assert waits[:6] == [10, 20, 40, 80, 160, 320]
    assert set(waits[6:]) == {320}, "a machine that comes and goes is not asked for ever more seldom"
    for _ in range(3):  # the job's two retries, and the end
        assert world.state.current is not None
        world.tick(seconds=3600)
        world.finish_workers(fail=True, lost=True)
        world.tick()
    assert world.closed[1] is Outcome.FAILED


def test_a_new_stage_has_its_own_retries(world: World) -> None:
    to_stage(world, Stage.TRAINING)
    for _ in range(2):
        world.tick(seconds=60)
        world.finish_workers(fail=True, retryable=True)
        world.tick()
    world.tick(seconds=60)
    world.finish_workers()
    world.tick()
    assert world.state.current is not None
    assert (world.state.current.stage, world.state.current.failed_attempts) == (Stage.EVALUATING, 0)


@pytest.mark.parametrize("action", [RoundKind.EVAL, RoundKind.DEPLOY])
def test_only_a_training_is_a_round_that_a_schedule_waits_for(world: World, action: RoundKind) -> None:
    """A rollback just before the hour does not take the hour's training away."""
    world.good = False
    to_stage(world, Stage.EVALUATING)
    run_out(world)
    started = world.state.last_started_at
    assert started is not None
    world.tick(seconds=3600)
    ask(world, action)
    world.tick()
    assert world.answers["r0"].accepted
    assert world.state.last_started_at == started


def test_only_a_failed_training_starts_the_pause_after_failures(world: World) -> None:
    """Models that are put into service every hour do not put the training off for ever."""
    to_stage(world, Stage.TRAINING)
    world.tick()
    world.finish_workers(fail=True)
    world.tick()
    failed_at = world.now
    assert (world.state.failures, world.state.last_failed_at) == (1, failed_at)
    world.models = 2
    world.tick(seconds=30)
    ask(world, RoundKind.DEPLOY, version=2)
    world.tick(seconds=1)
    world.edges_follow()
    world.tick(seconds=1)
    assert world.state.champion == 2
    assert (world.state.last_ended_at, world.state.last_failed_at) == (world.now, failed_at)
    world.tick(seconds=27)
    assert world.state.current is None
    world.tick(seconds=1)
    assert world.state.current is not None


@pytest.mark.parametrize(
    ("version", "message"), [(77, "no model version 77; known: 1"), (1, "already in service"), (None, "no candidate")]
)
def test_a_deploy_request_that_cannot_be_served_says_why(world: World, version: int | None, message: str) -> None:
    ask(world, RoundKind.DEPLOY, version=version)
    world.tick()
    assert message in world.answers["r0"].message


def test_the_model_in_service_is_asked_for_again_where_an_edge_does_not_serve_it(world: World) -> None:
    world.edges["edge-2"], world.refused = None, {"edge-2": 1}
    ask(world, RoundKind.DEPLOY, version=1)
    world.refused = {}  # it hears of the new round before its old failure counts again
    world.tick()
    assert (world.answers["r0"].accepted, world.state.asked, world.state.desired_model) == (True, 1, 1)
    world.tick(seconds=5)
    assert world.state.current is not None, "it is waited for"
    world.edges["edge-2"] = 1
    world.tick()
    assert world.closed == {1: Outcome.DEPLOYED}
    assert world.champions == [1], "nothing was put into service anew"
    ask(world, RoundKind.DEPLOY, version=1)
    world.tick()
    assert "already in service, and every edge serves it" in world.answers["r1"].message


def test_an_edge_that_refuses_the_model_in_service_again_leaves_it_in_service(world: World) -> None:
    world.edges["edge-2"] = None
    ask(world, RoundKind.DEPLOY, version=1)
    world.tick()
    world.refused = {"edge-2": 1}
    world.tick()
    assert world.closed == {1: Outcome.FAILED}
    assert world.state.champion == world.state.desired_model == 1
    assert world.state.history[-1].reason == "model 1 stays the model in service, but edges refuse it: edge-2: bad"


@pytest.mark.parametrize("stage", [Stage.TRAINING, Stage.EVALUATING])
def test_asking_for_the_model_in_service_again_disturbs_no_round(world: World, stage: Stage) -> None:
    to_stage(world, stage)
    attempt = world.state.current.attempt if world.state.current else 0
    world.edges["edge-2"] = None
    ask(world, RoundKind.DEPLOY, version=1)
    world.tick()
    current = world.state.current
    assert current is not None
    assert (current.id, current.stage, current.attempt) == (1, stage, attempt)
    assert (world.state.asked, world.answers["r0"].accepted) == (2, True)
    assert world.champions == [1]
    assert not any(worker.stopped for worker in world.workers.values())


def test_no_evidence_is_an_outcome_of_its_own() -> None:
    world = World(make_spec(gate={"minSamples": 1000}))
    world.tick()
    to_stage(world, Stage.EVALUATING)
    run_out(world)
    assert world.closed == {1: Outcome.INCONCLUSIVE}


def test_without_edges_the_champion_changes_at_once() -> None:
    world = World(make_spec())
    world.tick()
    to_stage(world, Stage.EVALUATING)
    run_out(world)
    assert world.closed == {1: Outcome.DEPLOYED}


def test_between_check_periods_the_trigger_is_not_looked_at(world: World) -> None:
    world.label(10)
    state, actions = decide(world.spec, world.state, world.observe(), world.now + timedelta(days=1), automatic=False)
    assert state is world.state
    assert actions == ()


NIGHT = {"timer": {"start": "01:00", "end": "03:00", "timeZone": "UTC"}}


@pytest.fixture
def by_night() -> World:
    """It is ten in the morning; models change at night only."""
    spec = make_spec(
        trigger={"condition": {"operator": ">=", "threshold": 4, "metric": "num_of_samples"}}, deploy_trigger=NIGHT
    )
    made = World(spec, edges={"edge-1": 1})
    made.tick()
    to_stage(made, Stage.EVALUATING)
    made.finish_workers()
    made.tick()
    return made


def test_a_better_candidate_waits_for_its_window(by_night: World) -> None:
    for _ in range(3):
        assert by_night.state.current is not None
        assert by_night.state.current.stage is Stage.JUDGING
        assert by_night.state.desired_model == 1
        by_night.tick(seconds=3600)
    by_night.tick(seconds=13 * 3600)  # two in the morning
    assert by_night.state.desired_model == 2
    run_out(by_night)
    assert by_night.closed == {1: Outcome.DEPLOYED}
    assert by_night.stages[1] == [Stage.TRAINING, Stage.EVALUATING, Stage.JUDGING, Stage.DEPLOYING]


def test_a_waiting_candidate_is_told_once_with_the_window(by_night: World) -> None:
    current = by_night.state.current
    assert current is not None
    state, actions = decide(by_night.spec, by_night.state, by_night.observe(), by_night.now)
    assert (state, actions) == (by_night.state, ())
    told = [entry for entry in by_night.decisions if entry.kind == "deploy"]
    assert [entry.fire for entry in told] == [False]
    assert "timer: 10:" in told[0].reasons[-1]
    assert "outside 01:00-03:00" in told[0].reasons[-1]


def test_who_asks_why_no_round_starts_learns_about_the_wait(by_night: World) -> None:
    by_night.label(8)
    trigger = by_night.spec.train_spec.trigger
    decision = evaluate_trigger(trigger, by_night.observe(), by_night.state, by_night.now)
    assert not decision.fire
    assert "round 1 has a better candidate, 2, that waits for the window of deploySpec.trigger" in decision.reasons


def test_a_worse_candidate_does_not_wait(by_night: World) -> None:
    by_night.tick(seconds=16 * 3600)
    run_out(by_night)
    by_night.tick(seconds=8 * 3600)
    by_night.good = False
    to_stage(by_night, Stage.EVALUATING)
    run_out(by_night)
    assert by_night.closed == {1: Outcome.DEPLOYED, 2: Outcome.REJECTED}


@pytest.mark.parametrize("version", [None, 2])
def test_somebody_may_ask_for_the_waiting_candidate(by_night: World, version: int | None) -> None:
    request = ask(by_night, RoundKind.DEPLOY, version=version)
    by_night.tick()
    answer = by_night.answers[request.id]
    assert (answer.accepted, answer.round) == (True, 1)
    run_out(by_night)
    assert by_night.closed == {1: Outcome.DEPLOYED}
    assert by_night.state.champion == 2


def test_a_window_that_is_taken_away_lets_the_candidate_go(by_night: World) -> None:
    by_night.spec = make_spec(trigger={"condition": {"operator": ">=", "threshold": 4, "metric": "num_of_samples"}})
    run_out(by_night)
    assert by_night.closed == {1: Outcome.DEPLOYED}


def test_another_model_in_service_ends_the_wait(by_night: World) -> None:
    by_night.tick(seconds=16 * 3600)
    run_out(by_night)
    by_night.tick(seconds=8 * 3600)  # ten again
    to_stage(by_night, Stage.EVALUATING)
    by_night.finish_workers()
    by_night.tick()
    assert by_night.state.current is not None
    assert by_night.state.current.candidate == 3
    request = ask(by_night, RoundKind.DEPLOY, version=1)
    by_night.tick()
    assert by_night.answers[request.id].accepted
    assert by_night.state.champion == 1
    assert by_night.closed == {1: Outcome.DEPLOYED, 2: Outcome.REJECTED, 3: Outcome.DEPLOYED}


# --- a job that was deleted ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", list(Stage))
def test_a_deleted_job_ends_its_round_and_its_worker_wherever_it_is(world: World, stage: Stage) -> None:
    to_stage(world, Stage.EVALUATING if stage is Stage.JUDGING else stage)  # nobody stays at judging for long
    assert world.state.current is not None
    current = world.state.current.model_copy(update={"stage": stage})
    state = world.state.model_copy(update={"failures": 2, "current": current})
    after, actions = decide(world.spec, state, Observation(deleted=True, known_models=frozenset({1, 2})), world.now)
    assert after.current is None
    assert (after.history[-1].outcome, after.history[-1].reason) == (Outcome.FAILED, "the job was deleted")
    assert after.failures == 2, "a deletion is no failure of the training"
    kinds = [type(action) for action in actions]
    assert kinds.count(CloseRound) == 1
    assert kinds.count(StopWorker) == (stage in (Stage.TRAINING, Stage.EVALUATING))
    assert EnsureWorker not in kinds


def test_a_deleted_job_refuses_who_waits_and_begins_nothing(world: World) -> None:
    request = ManualRequest(id="r", action=RoundKind.TRAIN, reason="please")
    counts = SampleCounts(train_new=1000, train_total=1000)
    seen = Observation(deleted=True, request=request, samples=counts, known_models=frozenset({1}))
    after, actions = decide(world.spec, world.state, seen, world.now)
    [answer] = [action for action in actions if isinstance(action, AnswerRequest)]
    assert (answer.accepted, answer.message) == (False, "the job was deleted")
    assert not [action for action in actions if isinstance(action, OpenRound)]
    assert decide(world.spec, after, seen, world.now) == (after, ())


def pause(world: World, reason: str | None) -> None:
    paused = None if reason is None else Pause(at=world.now, by="anna", reason=reason)
    world.state = world.state.model_copy(update={"paused": paused})


def test_a_paused_job_begins_no_round_and_goes_on_when_it_is_resumed(world: World) -> None:
    pause(world, "new cameras")
    world.label(5)
    for _ in range(3):
        world.tick()
    assert world.state.next_round == 1
    spec = world.spec.train_spec.trigger
    decision = evaluate_trigger(spec, world.observe(), world.state, world.now, paused=str(world.state.paused))
    assert decision.reasons == ("paused by anna since 2026-03-02 10:00Z: new cameras",)
    pause(world, None)
    world.tick()
    assert world.state.current is not None


@pytest.mark.parametrize("stage", [Stage.TRAINING, Stage.EVALUATING, Stage.DEPLOYING])
def test_what_is_under_way_goes_on_in_a_paused_job_and_is_the_last(world: World, stage: Stage) -> None:
    to_stage(world, stage)
    pause(world, "audit")
    world.label(5)
    run_out(world)
    assert (world.state.current, world.state.champion, world.state.next_round) == (None, 2, 2)


def test_a_paused_job_can_still_be_rolled_back_but_not_trained(world: World) -> None:
    to_stage(world, Stage.DEPLOYING)
    run_out(world)
    pause(world, "complaints")
    world.label(1)
    for action in (RoundKind.TRAIN, RoundKind.EVAL):
        request = ask(world, action)
        world.tick()
        answer = world.answers[request.id]
        assert not answer.accepted
        assert answer.message.startswith("the job is paused by anna since")
    ask(world, RoundKind.DEPLOY, version=1)
    world.tick()
    world.edges_follow()
    run_out(world)
    assert world.state.champion == 1


def test_a_description_that_suspends_begins_no_round() -> None:
    world = World(make_spec(suspend=True), edges={"edge-1": 1})
    world.tick()
    world.label(5)
    world.tick()
    assert (world.state.champion, world.state.next_round) == (1, 1)
