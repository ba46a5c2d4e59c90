"""The engine with real worker processes, the built-in worker, and a user's numpy algorithm."""

import io
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures_gm import KEY, job_spec, record_of
from globalmanager.db import models, workers
from globalmanager.engine import Engine
from globalmanager.engine.apply import apply_resources
from globalmanager.ingest.intake import accept_sample
from globalmanager.labelling import label_sample
from globalmanager.runtimes import ProcessRuntime
from sedna.common.clock import SystemClock
from sedna.common.types import Annotation
from sedna.loop.spec import Dataset, IncrementalLearningJob, Model
from sedna.loop.state import Outcome

ALGORITHM = Path(__file__).with_name("brightness.py")


def picture(level):
    out = io.BytesIO()
    Image.new("L", (8, 8), level).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def real(world):
    world.clock = SystemClock()
    world.runtime = ProcessRuntime(world.settings.work_dir, world.settings.cache_dir, store_url=world.store.url)
    world.settings = world.settings.model_copy(update={"tick_seconds": 0.05})
    np.savez(world.folder / "first.npz", border=np.float64(240.0))
    (world.folder / "stream.txt").write_text("")
    spec = job_spec(algorithm={"name": "Brightness", "module": str(ALGORITHM), "parameters": {"margin": "0.5"}})
    spec["deploySpec"]["gate"] = {"metric": "accuracy"}
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 8
    model = {"url": str(world.folder / "first.npz"), "format": "npz"}
    apply_resources(
        world.db,
        [
            Dataset.model_validate(
                {"metadata": {"name": "stream"}, "spec": {"url": str(world.folder / "stream.txt"), "format": "txt"}}
            ),
            Model.model_validate({"metadata": {"name": "first"}, "spec": model}),
            IncrementalLearningJob.model_validate({"metadata": {"name": KEY.name}, "spec": spec}),
        ],
        world.clock.now(),
    )
    for level in (*range(20, 100, 10), *range(160, 240, 10)):  # apart: any half of them shows where bright begins
        image = picture(level)
        record = record_of(image)
        accept_sample(world.db, world.store, record, image, world.clock.now())
        label = Annotation(label=int(level > 120))
        label_sample(world.db, KEY, record.sample_id, label, "ann", world.clock.now())
    return world


def engine(world):
    return Engine(world.db, world.store, world.runtime, world.clock, world.settings)


def wait(world, done):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job = world.job()
        if done(job):
            return job
        threading.Event().wait(0.05)
    raise AssertionError(f"not reached: {world.job().state}, {[event.message for event in world.events()]}")


def test_a_round_with_real_processes_survives_a_change_of_engines(real):
    first = engine(real)
    first.start()
    wait(real, lambda job: job.state.current is not None)
    first.stop()  # the training goes on without it
    second = engine(real)
    second.start()
    try:
        job = wait(real, lambda job: job.state.next_round == 2 and job.state.current is None)
    finally:
        second.stop()
    found = real.round(1)
    assert found.outcome is Outcome.DEPLOYED, found.outcome_reason
    assert found.verdict.champion < 0.6
    assert found.verdict.candidate == 1.0
    with real.db.read() as session:
        rows = workers.of_round(session, job.id, 1)
        model = models.get(session, job.id, 2)
    assert [(row.stage, row.phase, row.exit_code, row.attempt) for row in rows] == [
        ("Training", "Succeeded", 0, 1),
        ("Evaluating", "Succeeded", 0, 1),
    ]
    assert all(row.usage.peak_rss_bytes > 0 for row in rows)
    assert model.runtime == "python"
    assert 110 < model.metrics.get("border", 0) < 140


def test_the_error_of_a_real_worker_reaches_the_round(real):
    spec = real.job().spec.model_dump(by_alias=True, exclude_unset=True)
    spec["trainSpec"]["algorithm"]["parameters"] = {"colour": "red"}
    job = IncrementalLearningJob.model_validate({"metadata": {"name": KEY.name}, "spec": spec})
    apply_resources(real.db, [job], real.clock.now())
    driver = engine(real)
    driver.start()
    try:
        wait(real, lambda job: job.state.next_round == 2 and job.state.current is None)
    finally:
        driver.stop()
    found = real.round(1)
    assert found.outcome is Outcome.FAILED
    assert "exit code 2" in found.outcome_reason
    assert "colour" in found.outcome_reason
    assert real.unused() == 16
