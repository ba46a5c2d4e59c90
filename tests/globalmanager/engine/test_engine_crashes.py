"""Kill the engine after every single transaction and every single effect: the outcome is always the same."""

import contextlib
import itertools
from collections import Counter

import pytest

from fixtures_gm import Trainer, new_world, png
from globalmanager.db import Database, datasets, models, samples, workers
from sedna.loop.state import Outcome


class Crash(BaseException):
    """Not an Exception, so that no handler of the engine can catch it: as with SIGKILL."""


class Crashes:
    """Raises at the n-th point, once."""

    def __init__(self):
        self.armed = None
        self.passed = 0

    def point(self):
        self.passed += 1
        if self.passed == self.armed:
            raise Crash


class CrashingDatabase(Database):
    crashes = None

    @contextlib.contextmanager
    def write(self, **options):
        with super().write(**options) as session:
            yield session
        if self.crashes is not None:
            self.crashes.point()


class Crashing:
    """Passes everything on; some calls are followed by a crash point."""

    def __init__(self, inner, crashes, names):
        self._inner = inner
        self._crashes = crashes
        self._names = names

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def call(*args, **kwargs):
            result = found(*args, **kwargs)
            self._crashes.point()
            return result

        return call


def tick(world):
    try:
        world.tick()
    except Crash:
        world.crash()


def drive(world, crashes, number):
    """Tick until round ``number`` is over, with crashes."""
    world.db.crashes = crashes
    for _ in range(40):
        tick(world)
        state = world.job().state
        if state.next_round > number and state.current is None:
            break
    world.db.crashes = None


def play(crash_at, rounds):
    """Samples come from a dataset file and from an edge; the first round is deployed, the second rejected."""
    crashes = Crashes()
    with new_world(database=CrashingDatabase) as world:
        names = []
        for number in range(1001, 1006):
            (world.folder / f"{number}.png").write_bytes(png(number))
            names.append(f"{number}.png 1,1,5,5,{number % 2}\n")
        (world.folder / "stream.txt").write_text("".join(names[:3]))
        (world.folder / "holdout.txt").write_text("".join(names[3:]))
        world.apply(holdoutUrl=str(world.folder / "holdout.txt"))
        world.samples(5)
        world.store = Crashing(world.store, crashes, {"put", "put_if_absent"})
        world.runtime = Crashing(world.runtime, crashes, {"start", "stop"})
        crashes.armed, crashes.passed = crash_at, 0
        drive(world, crashes, 1)
        if rounds == 2:
            world.trainer.gain = -1.0
            crashes.armed, passed = None, crashes.passed
            world.samples(8)
            crashes.armed, crashes.passed = crash_at, passed
            drive(world, crashes, 2)
        return crashes.passed, summary(world)


def summary(world):
    job = world.job()
    with world.db.read() as session:
        listed = samples.list_page(session, job.id, limit=100).items
        return {
            "champion": job.state.champion,
            "waiting": job.state.current is None,
            "rounds": [
                (row.round, row.kind, row.outcome, row.candidate, row.champion, row.dataset_version)
                for row in world.rounds()
            ],
            "datasets": [
                (row.version, row.train, row.eval, row.holdout, row.new, row.manifest_sha256)
                for row in datasets.list_page(session, job.id).items
            ],
            "models": models.known(session, job.id),
            "manifests": [models.get(session, job.id, n).metrics for n in sorted(models.known(session, job.id))],
            "samples": Counter((row.part, row.round_used, row.source, row.label.seq) for row in listed),
            "workers": [
                (row.name, row.phase, row.attempt)
                for number in range(1, job.state.next_round)
                for row in workers.of_round(session, job.id, number)
            ],
            "runs": [(run.name, run.kind) for run in world.trainer.runs],
            "events": Counter(event.kind for event in world.events()),
            "degraded": job.degraded,
        }


@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.e2e)])
def test_wherever_the_engine_dies_the_same_rounds_come_out(rounds):
    total, expected = play(crash_at=None, rounds=rounds)
    assert expected["champion"] == 2
    assert [row[2] for row in expected["rounds"]] == [Outcome.DEPLOYED, Outcome.REJECTED][:rounds]
    assert expected["events"]["Degraded"] == 0
    assert total > 25
    for crash_at in range(1, total + 1):
        _, found = play(crash_at, rounds)
        assert found == expected, f"after point {crash_at} of {total}"


def test_a_crash_at_every_point_in_turn_only_costs_time():
    """The engine dies again and again, each time one point later."""

    class Relentless(Crashes):
        def point(self):
            self.passed += 1
            if self.passed >= self.armed:
                self.armed += 1
                self.passed = 0
                raise Crash

    with new_world(database=CrashingDatabase) as world:
        world.apply()
        world.samples(8)
        crashes = Relentless()
        crashes.armed = 1
        world.db.crashes = crashes
        world.runtime = Crashing(world.twins(Trainer()), crashes, {"start"})
        for _ in itertools.takewhile(lambda _: world.job().state.champion != 2, range(200)):
            tick(world)
        world.db.crashes = None
        assert world.job().state.champion == 2
        assert len(world.rounds()) == 1
