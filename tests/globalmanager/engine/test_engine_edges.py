import pytest
from sqlalchemy import event

from fixtures_gm import KEY, job_spec
from globalmanager.db import edges, jobs, sample_labels, samples
from globalmanager.engine.desired import heartbeat
from sedna.common.errors import NotFoundError
from sedna.common.types import Annotation, Box, JobKey, Picked, Prediction
from sedna.edge.protocol import EdgeHeartbeat, EdgeJobStatus
from sedna.loop.state import Outcome, Stage


@pytest.fixture
def deploying(world):
    """Model 2 is better, and one live edge still serves model 1."""
    world.apply()
    world.tick()
    assert world.beat(model_version=1, state="serving") == 1
    world.samples(8)
    world.until(lambda job: job.state.current is not None and job.state.current.stage is Stage.DEPLOYING)
    return world


def test_an_edge_is_told_everything_it_needs(world):
    spec = job_spec()
    spec["deploySpec"]["hardExampleMining"]["parameters"] = [{"key": "threshold_img", "value": "0.9"}]
    spec["deploySpec"]["audit"] = {"ratio": 0.25, "seed": 7}
    spec["pictures"] = {"bitsPerSample": 12}
    world.apply(spec)
    assert world.beat() is None
    world.tick()
    beat = EdgeHeartbeat(edge="edge-1", software="test", at=world.clock.now())
    [job] = heartbeat(world.db, beat, world.clock.now(), world.settings).jobs
    assert (job.job, job.model_version, job.class_names) == (KEY, 1, ("good", "bad"))
    assert (job.miner.name, job.miner.parameters) == ("IBT", {"threshold_img": "0.9"})
    assert (job.audit_ratio, job.audit_seed, job.bits_per_sample) == (0.25, 7, 12)
    assert len(job.manifest_sha256) == 64
    assert job.created_at == world.job().created_at


def test_a_round_ends_when_the_live_edges_serve_the_candidate(deploying):
    assert deploying.beat(model_version=1, state="serving") == 2
    assert deploying.tick().state.champion == 1
    deploying.beat(model_version=2, state="serving")
    assert deploying.tick().state.champion == 2
    assert deploying.round(1).outcome is Outcome.DEPLOYED
    assert "serves on 1 of 1 edges" in deploying.round(1).outcome_reason


def test_an_edge_that_refuses_rolls_the_model_back(deploying):
    deploying.beat(model_version=1, state="serving")
    deploying.beat(model_version=1, state="serving", failed_version=2, reason="self-test: NaN")
    job = deploying.tick()
    assert job.state.champion == 1
    assert "edge-1: self-test: NaN" in deploying.round(1).outcome_reason
    assert deploying.beat(model_version=1, state="serving") == 1
    assert [event.data["version"] for event in deploying.events("EdgeRefused")] == [2]


def test_a_refusal_of_an_earlier_roll_out_does_not_count(deploying):
    """An edge keeps saying that it gave up version 2 until it hears that 2 is wanted again."""
    from globalmanager.db import requests
    from sedna.loop.observation import ManualRequest
    from sedna.loop.state import RoundKind

    refusal = {"model_version": 1, "state": "serving", "failed_version": 2, "reason": "disk was full"}
    deploying.beat(model_version=1, state="serving")
    deploying.beat(**refusal)
    deploying.until(lambda job: job.state.current is None)
    deploying.beat(**refusal)
    wish = ManualRequest(id="", action=RoundKind.DEPLOY, reason="try again", version=2)
    with deploying.db.write() as session:
        requests.add(session, deploying.job(), wish, deploying.clock.now())
    deploying.tick()
    assert deploying.beat(**refusal) == 2
    assert deploying.tick().state.current.stage is Stage.DEPLOYING
    deploying.beat(model_version=2, state="serving")
    assert deploying.tick().state.champion == 2


def test_a_silent_edge_does_not_hold_a_round_up(deploying):
    deploying.clock.advance(deploying.settings.live_seconds + 1)
    assert deploying.tick().state.champion == 2


def outage(world, seconds):
    """The service is down for so long, and edges speak to nobody; then an engine starts again."""
    world.crash()
    world.clock.advance(seconds)
    world.tick()


@pytest.mark.parametrize("seconds", [0, 3600, 30 * 86_400])
def test_an_outage_during_a_roll_out_says_nothing_about_the_edges(deploying, seconds):
    """Nobody was there to listen, and the time of a roll-out does not run while nobody can take the model."""
    outage(deploying, seconds)
    assert deploying.tick().state.current.stage is Stage.DEPLOYING
    deploying.beat(model_version=1, state="serving")
    deploying.beat(model_version=1, state="serving", failed_version=2, reason="self-test: NaN")
    assert deploying.tick().state.champion == 1
    assert deploying.round(1).outcome is Outcome.FAILED
    assert "edge-1: self-test: NaN" in deploying.round(1).outcome_reason


def test_an_edge_that_does_not_come_back_is_waited_for_as_long_as_edges_may_back_off(deploying):
    outage(deploying, 3600)
    deploying.clock.advance(deploying.settings.edge_return_seconds - 5)
    assert deploying.tick().state.champion == 1
    deploying.clock.advance(10)
    assert deploying.tick().state.champion == 2


def test_a_roll_out_with_little_time_does_not_fail_by_an_edge_that_was_not_heard_yet(world):
    """An edge is silent, was long before the outage, and is not waited for; the others have taken the model."""
    spec = job_spec()
    spec["deploySpec"]["rollout"] = {"timeoutSeconds": 30}
    world.apply(spec)
    world.tick()
    world.beat("edge-1", model_version=1, state="serving")
    world.beat("edge-gone", model_version=1, state="serving")
    outage(world, 3600)
    world.samples(8)
    world.beat("edge-1", model_version=1, state="serving")
    world.until(lambda job: job.state.current is not None and job.state.current.stage is Stage.DEPLOYING)
    for _ in range(10):
        world.beat("edge-1", model_version=2, state="serving")
        world.clock.advance(9)
        world.tick()
    assert world.round(1).outcome is Outcome.DEPLOYED
    assert "serves on 1 of 2 edges" in world.round(1).outcome_reason


def test_an_edge_that_was_heard_after_the_outage_has_the_usual_time(deploying):
    outage(deploying, 3600)
    for _ in range(62):
        deploying.clock.advance(9)
        deploying.beat(model_version=1, state="serving")
        assert deploying.tick().state.champion == 1
    assert deploying.round(1).outcome is Outcome.FAILED
    assert "not taken within 600 s by edge-1" in deploying.round(1).outcome_reason


def test_an_edge_that_serves_the_job_no_more_is_not_waited_for(deploying):
    beat = EdgeHeartbeat(edge="edge-1", software="test", at=deploying.clock.now())
    heartbeat(deploying.db, beat, deploying.clock.now(), deploying.settings)
    assert deploying.tick().state.champion == 2
    with deploying.db.read() as session:
        assert edges.of_job(session, deploying.job().id) == ()


def test_an_unregistered_edge_is_refused(world):
    beat = EdgeHeartbeat(edge="stranger", software="test", at=world.clock.now())
    with pytest.raises(NotFoundError, match="not registered"):
        heartbeat(world.db, beat, world.clock.now(), world.settings)


def test_what_did_not_change_is_not_told_again(world):
    world.apply()
    world.tick()
    for _ in range(3):
        world.beat(model_version=1, state="serving")
    assert len(world.events("EdgeServes")) == 1


def test_audited_traffic_measures_the_model_in_service(world):
    spec = job_spec()
    spec["trainSpec"]["trigger"] = {"checkPeriodSeconds": 1, "precision": {"below": 0.9, "minSamples": 4}}
    world.apply(spec)
    world.tick()
    box = Box(x1=1, y1=1, x2=5, y2=5, label=0, score=0.8)
    wrong = box.model_copy(update={"label": 1})
    for answered in (box, box, wrong):
        world.sample(picked=Picked.AUDIT, prediction=Prediction(boxes=(answered,)))
    world.sample(picked=Picked.AUDIT, prediction=Prediction(boxes=(wrong,)), version=9)
    assert world.tick(2).state.current is None
    relabelled = world.sample(picked=Picked.AUDIT, prediction=Prediction(boxes=(wrong,)))
    with world.db.read() as session:
        metrics = samples.audit(session, world.job().id, 1, window=1000)
    assert (metrics.samples, metrics.precision) == (4, 0.5)
    with world.db.write() as session:
        as_answered = Annotation(boxes=(wrong.model_copy(update={"score": None}),))
        sample_labels.add_label(session, world.job().id, relabelled, as_answered, "bea", world.clock.now())
        assert samples.audit(session, world.job().id, 1, window=1000).precision == 0.75
        assert samples.audit(session, world.job().id, 1, window=1).precision == 1.0
    world.until(lambda job: job.state.next_round == 2)
    assert "audit_precision = 0.750" in world.round(1).reason


def test_a_heartbeat_about_many_jobs_asks_a_few_questions_while_others_wait(world):
    """Counted in statements: with those under the write lock no other writer goes on."""
    world.apply()
    world.tick()
    costs = []
    for number in (1, 9):
        for more in range(1, number):
            world.apply(key=JobKey(name=f"more-{more}"))
        with world.db.read() as session:
            keys = [job.key for job in jobs.list_all(session)]
        said = tuple(EdgeJobStatus(job=key, state="serving") for key in keys)
        beat = EdgeHeartbeat(edge="edge-1", software="test", at=world.clock.now(), jobs=said)
        world.beat()
        heartbeat(world.db, beat, world.clock.now(), world.settings)
        sent = []
        event.listen(world.db._engine, "before_cursor_execute", lambda *args, sent=sent: sent.append(args[2]))
        answer = heartbeat(world.db, beat, world.clock.now(), world.settings)
        assert len(answer.jobs) == len(keys)
        costs.append(len(sent))
    assert costs[0] == costs[1] <= 10


def test_a_heartbeat_that_speaks_twice_of_a_job_counts_the_last(world):
    world.apply()
    world.beat()
    with world.db.write() as session:
        edges.register(session, "edge-2", world.clock.now())
    said = tuple(EdgeJobStatus(job=KEY, state="empty", reason=reason) for reason in ("first", "second"))
    beat = EdgeHeartbeat(edge="edge-2", software="test", at=world.clock.now(), jobs=said)
    heartbeat(world.db, beat, world.clock.now(), world.settings)
    with world.db.read() as session:
        assert [status.reason for status in edges.get(session, "edge-2").jobs] == ["second"]


def asked_of(world):
    beat = EdgeHeartbeat(edge="edge-1", software="test", at=world.clock.now())
    return heartbeat(world.db, beat, world.clock.now(), world.settings).jobs[0].asked


def promote(world, version):
    from globalmanager.db import requests
    from sedna.loop.observation import ManualRequest
    from sedna.loop.state import RoundKind

    wish = ManualRequest(id="", action=RoundKind.DEPLOY, reason="again", version=version)
    with world.db.write() as session:
        return requests.add(session, world.job(), wish, world.clock.now())[0].id


def test_the_model_in_service_is_asked_for_again_and_an_old_refusal_does_not_count(world):
    world.apply()
    world.tick()
    for _ in range(2):
        world.beat(model_version=None, state="failed", failed_version=1, reason="no module")
    promote(world, 1)
    assert world.tick().state.current.stage is Stage.DEPLOYING
    assert asked_of(world) == 1
    # The heartbeat under way was written before the edge heard of the round, and so was the one before its next try.
    world.beat(model_version=None, state="failed", failed_version=1, reason="no module")
    assert world.tick().state.current is not None
    world.beat(model_version=1, state="serving")
    assert world.tick().state.current is None
    assert world.round(1).outcome is Outcome.DEPLOYED
    assert [event.data["version"] for event in world.events("EdgeServes")] == [1]
    assert world.job().state.champion == 1


def test_an_edge_that_refuses_it_again_ends_the_round(world):
    world.apply()
    world.tick()
    for _ in range(2):
        world.beat(model_version=None, state="failed", failed_version=1, reason="no module")
    promote(world, 1)
    world.tick()
    for _ in range(2):
        world.beat(model_version=None, state="loading")
        assert world.tick().state.current is not None
    world.beat(model_version=None, state="failed", failed_version=1, reason="still none")
    world.tick()
    assert world.round(1).outcome is Outcome.FAILED
    assert (
        "model 1 stays the model in service, but edges refuse it: edge-1: still none" in world.round(1).outcome_reason
    )


def edges_of(world):
    with world.db.read() as session:
        return {edge.name: edge for edge in edges.list_all(session)}


def test_an_edge_that_goes_and_comes_back_is_told_once_each_and_the_list_says_since_when(world):
    world.apply()
    world.tick()
    world.beat("edge-1", model_version=1, state="serving")
    world.beat("edge-2", model_version=1, state="serving")
    heard = world.clock.now()
    world.clock.advance(world.settings.live_seconds - 2)
    world.tick()
    assert world.events("EdgeOffline") == []
    world.beat("edge-2", model_version=1, state="serving")
    world.clock.advance(2)
    world.tick(3)
    (gone,) = world.events("EdgeOffline")
    assert gone.message == f"edge edge-1 is offline since {heard:%Y-%m-%d %H:%M:%S} UTC"
    assert (gone.level, gone.data["edge"], gone.job) == ("warning", "edge-1", KEY)
    assert {name: edge.offline_since for name, edge in edges_of(world).items()} == {"edge-1": heard, "edge-2": None}
    world.crash()
    world.tick(2)
    assert len(world.events("EdgeOffline")) == 1, "another engine tells it no second time"
    world.beat("edge-1", model_version=1, state="serving")
    world.beat("edge-1", model_version=1, state="serving")
    (back,) = world.events("EdgeOnline")
    assert "edge edge-1 is back; it was offline since" in back.message
    assert edges_of(world)["edge-1"].offline_since is None


def test_after_an_outage_of_the_service_edges_have_time_to_come_back(world):
    world.apply()
    world.tick()
    world.beat("edge-1", model_version=1, state="serving")
    outage(world, 3600)
    world.clock.advance(world.settings.edge_return_seconds - 5)
    world.tick()
    assert world.events("EdgeOffline") == []
    world.clock.advance(10)
    world.tick()
    assert len(world.events("EdgeOffline")) == 1


def test_an_edge_that_was_never_heard_or_has_no_job_says_so(world):
    world.apply()
    world.tick()
    with world.db.write() as session:
        edges.register(session, "new", world.clock.now())
        edges.register(session, "idle", world.clock.now())
        edges.seen(session, "idle", "test", world.clock.now())
    world.clock.advance(world.settings.live_seconds + 1)
    world.tick()
    assert edges_of(world)["new"].offline_since is None
    assert edges_of(world)["idle"].offline_since is not None
    (told,) = world.events("EdgeOffline")
    assert (told.job, told.data["edge"]) == (None, "idle")
