"""The first view of the page, and the drawing of a job's loop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fixtures_api import Api, png
from globalmanager.db import jobs, rounds, workers
from globalmanager.db.values import WorkerProgress
from sedna.common.types import JobKey
from sedna.loop.state import Outcome, RoundKind, RoundState, Stage
from sedna.loop.verdict import GateOutcome, GateVerdict

KEY = JobKey(name="pcb")


def beat(api: Api, edge: str = "line-1", **counters: int) -> None:
    body = {
        "edge": edge, "software": "t", "at": "2026-01-01T00:00:00Z",
        "jobs": [{"job": {"name": "pcb"}, "state": "serving", "model_version": 1, "counters": counters}],
    }  # fmt: skip
    headers = api.edge if edge == "line-1" else api.admin
    assert api.http.post(f"/api/v1/edges/{edge}/heartbeat", json=body, headers=headers).status_code == 200


def judged_round(
    api: Api, number: int, outcome: Outcome, candidate: float, champion: float, metric: str = "f1"
) -> None:
    """A round whose candidate is number + 1, judged against model ``number``."""
    verdict = GateVerdict(
        outcome=GateOutcome.BETTER if outcome is Outcome.DEPLOYED else GateOutcome.NOT_BETTER,
        metric=metric, candidate=candidate, champion=champion, samples=10, checks=(),
    )  # fmt: skip
    now = api.clock.now()
    with api.services.db.write() as session:
        job = jobs.get(session, KEY)
        rounds.open_round(
            session, job.id, number, kind=RoundKind.TRAIN, reason="r", candidate=number + 1, champion=number,
            dataset_version=None, now=now,
        )  # fmt: skip
        rounds.set_verdict(session, job.id, number, verdict)
        rounds.close(session, job.id, number, outcome, "", now)


def card(api: Api) -> dict[str, Any]:
    (found,) = api.get("home")["jobs"]
    return dict(found)


def label(api: Api, name: str) -> None:
    body = {"annotation": {"boxes": [{"x1": 1, "y1": 1, "x2": 9, "y2": 9, "label": 0}]}}
    path = f"/api/v1/jobs/default/pcb/samples/{name}/label"
    assert api.http.put(path, json=body, headers=api.admin).status_code == 200


def test_a_new_job_is_a_card_that_says_what_it_waits_for(api: Api) -> None:
    api.apply()
    home = api.get("home")
    assert home["user"] == "admin"
    assert any(line.startswith("edge line-2: has never been heard of") for line in home["trouble"])
    found = card(api)
    assert found == {**found, **api.get("jobs")[0]}, "all that a list says of a job"
    assert (found["metric"], found["progress"], found["last_heartbeat_at"], found["waiting"]) == (None, None, None, 0)
    trigger = found["trigger"]
    assert not trigger["holds"]
    assert trigger["sentence"] == "no model in service yet"
    assert {one["name"]: one["holds"] for one in trigger["findings"]} == {
        "samples": False, "model": False, "condition": False,
    }  # fmt: skip
    assert trigger["findings"][2]["observed"] == {"condition.num_of_samples": 0.0}


def test_a_card_counts_what_waits_for_a_label_and_says_when_an_edge_was_heard(api: Api) -> None:
    api.apply()
    names = [api.put_sample(png(number)).json()["sample_id"] for number in range(3)]
    label(api, names[0])
    beat(api)
    heard = api.clock.now()
    api.clock.advance(100)
    found = card(api)
    assert found["waiting"] == 2
    assert found["last_heartbeat_at"].startswith(heard.isoformat()[:19])


def test_the_curve_is_the_model_in_service_after_each_round(api: Api) -> None:
    api.apply()
    judged_round(api, 1, Outcome.DEPLOYED, 0.7, 0.5)
    judged_round(api, 2, Outcome.REJECTED, 0.6, 0.72)
    judged_round(api, 3, Outcome.INCONCLUSIVE, 0.9, 0.71)
    assert card(api)["metric"] == {
        "name": "f1",
        "points": [
            {"round": 1, "version": 2, "value": 0.7},
            {"round": 2, "version": 2, "value": 0.72},
            {"round": 3, "version": 3, "value": 0.71},
        ],
    }
    for number in range(4, 40):
        judged_round(api, number, Outcome.REJECTED, 0.1, number / 100, metric="recall" if number < 25 else "f1")
    points = card(api)["metric"]["points"]
    assert [point["round"] for point in points] == list(range(25, 40)), "of the newest twenty, those of one metric"


def running(api: Api, progress: WorkerProgress | None) -> None:
    """A training under way, as far as its worker has said."""
    now = api.clock.now()
    current = RoundState(
        id=7, kind=RoundKind.TRAIN, reason="r", stage=Stage.TRAINING, started_at=now, stage_started_at=now
    )
    with api.services.db.write() as session:
        job = jobs.get(session, KEY)
        jobs.swap_state(session, job.id, job.seq, job.state.model_copy(update={"current": current}))
        row = workers.ensure(session, job.id, 7, Stage.TRAINING, 1, name="w", handle={}, now=now)
        if progress is not None:
            workers.progressed(session, row.id, progress)


def test_a_card_shows_how_far_the_stage_is_that_runs(api: Api) -> None:
    api.apply()
    running(api, None)
    assert card(api)["progress"] == {"stage": "Training", "share": None, "eta_seconds": None}
    running(api, WorkerProgress(iteration=31, max_iteration=50, eta_seconds=180))
    assert card(api)["progress"] == {"stage": "Training", "share": 0.62, "eta_seconds": 180}
    running(api, WorkerProgress(iteration=60, max_iteration=50))
    assert card(api)["progress"]["share"] == 1.0
    assert card(api)["trigger"]["sentence"] == "round 7 is training"


def test_the_loop_of_a_job_has_its_numbers(api: Api) -> None:
    api.apply()
    names = [api.put_sample(png(number)).json()["sample_id"] for number in range(5)]
    for name in names[:2]:
        label(api, name)
    assert api.get("jobs/default/pcb/flow")["spool"] is None
    beat(api, spooled=9, uploaded=5, rejected=1, dropped=1)
    beat(api, "line-2", spooled=3, uploaded=5)
    judged_round(api, 1, Outcome.REJECTED, 0.6, 0.7)
    assert api.get("jobs/default/pcb/flow") == {
        "edges": {"live": 2, "all": 2},
        "spool": 2,
        "store": 5,
        "labels": {"waiting": 3, "settled": 2, "review": 0},
        "training": {"new": 2, "round": None, "progress": None},
        "gate": {"round": 1, "outcome": "not_better"},
        "model": None,
    }
    api.clock.advance(timedelta(minutes=5))
    assert api.get("jobs/default/pcb/flow")["edges"] == {"live": 0, "all": 2}
    assert api.http.get("/api/v1/jobs/default/nothing/flow", headers=api.admin).status_code == 404
