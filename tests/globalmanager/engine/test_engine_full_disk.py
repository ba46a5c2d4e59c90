"""A database that cannot grow: what was acknowledged stays, the rest is refused, and the loop goes on afterwards."""

from contextlib import suppress

import pytest
from sqlalchemy import event

from fixtures_gm import KEY, job_spec, png, record_of
from globalmanager.db import samples
from globalmanager.ingest.intake import accept_sample
from globalmanager.labelling import label_sample
from sedna.common.errors import StorageFullError, TemporaryError
from sedna.common.types import Annotation, Box
from sedna.loop.state import Outcome

pytestmark = pytest.mark.sqlite
UNLIMITED = 2**30


class Disk:
    """Bounds the pages of the database, as a full disk does: SQLite itself then says that it is full."""

    def __init__(self, db):
        self.pages = UNLIMITED
        self._db = db
        event.listen(db._engine, "checkout", self._bound)

    def _bound(self, connection, _record, _proxy):
        connection.execute(f"PRAGMA max_page_count = {self.pages}").close()

    def fill(self):
        with self._db.read() as session:
            self.pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()

    def free(self):
        self.pages = UNLIMITED


@pytest.fixture
def disk(world):
    world.apply()
    world.tick()
    return Disk(world.db)


def ids(world):
    with world.db.read() as session:
        page = samples.list_page(session, world.job().id, limit=1000)
    return {row.record.sample_id for row in page.items}


def send(world, number):
    image = png(number)
    record = record_of(image)
    accept_sample(world.db, world.store, record, image, world.clock.now())
    return record.sample_id


def until_full(write):
    """Call ``write(1)``, ``write(2)``... until the disk is full; what they returned, and the error."""
    done = []
    for number in range(1, 1000):
        try:
            done.append(write(number))
        except StorageFullError as error:
            return done, error
    raise AssertionError("the disk was never full")


def test_a_sample_is_acknowledged_if_and_only_if_it_is_stored(world, disk):
    disk.fill()
    acknowledged, error = until_full(lambda number: send(world, number))
    assert "the database cannot grow" in str(error)
    assert error.retry_after > 0
    assert ids(world) == set(acknowledged)
    disk.free()
    refused = len(acknowledged) + 1
    assert ids(world) | {send(world, refused)} == ids(world)
    assert world.job().totals.samples == refused


def test_a_label_that_does_not_fit_leaves_the_one_before(world, disk):
    sample = world.sample()
    disk.fill()

    def label(number):
        box = Box(x1=1, y1=1, x2=5 + number / 1000, y2=5, label=0)
        return label_sample(world.db, KEY, sample, Annotation(boxes=(box,) * 20), "bea", world.clock.now())

    done, _ = until_full(label)
    with world.db.read() as session:
        story = samples.story(session, world.job().id, sample)
    assert len(story.labels) == 1 + len(done)
    assert story.sample.label.seq == max(one.seq for one in story.labels)
    assert world.job().totals.labelled == 1


def test_the_loop_stands_still_and_goes_on(world, disk):
    world.samples(8)
    disk.fill()
    for _ in range(20):
        with suppress(TemporaryError):
            world.tick()
    disk.free()
    job = world.until(lambda job: job.state.champion == 2)
    assert [row.outcome for row in world.rounds()] == [Outcome.DEPLOYED]
    assert world.unused() == 0
    assert job.degraded is None


def test_a_worker_that_filled_the_disk_is_forgotten_so_that_its_round_can_end(world):
    """What it has left is what fills the disk: nothing could be written down, and the round would never end."""

    class Full:
        def __init__(self, inner, runtime):
            self.inner, self.runtime = inner, runtime

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def put(self, key, data):
            if "/logs/" in key and not self.runtime.forgotten:
                raise StorageFullError("cannot write: No space left on device")
            return self.inner.put(key, data)

    world.apply(job_spec(limits={"retries": 0}))
    world.trainer.exit_codes = [3]
    world.tick()
    world.store = Full(world.store, world.runtime)
    world.crash()
    world.runtime.logs = type("Logs", (dict,), {"get": lambda *_: "no space left"})()
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert world.round(1).outcome is Outcome.FAILED
    assert world.runtime.forgotten
