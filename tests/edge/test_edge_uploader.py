import random
import threading
from pathlib import Path

import pytest

from edge.edge_twins import MemoryLink, png, record_of
from sedna.common.clock import SettableClock
from sedna.common.errors import AuthError, DataError, LinkUnavailableError, PermanentError
from sedna.common.types import Picked
from sedna.edge.backoff import Backoff
from sedna.edge.spool import Spool, SpoolState
from sedna.edge.uploader import Uploader, UploaderSettings


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path / "spool") as spool:
        yield spool


def fill(spool: Spool, count: int, picked: Picked = Picked.HARD) -> list[str]:
    names = []
    for seed in range(count):
        data = png(seed)
        spool.add(record_of(data, picked), data)
        names.append(record_of(data).sample_id)
    return names


def make(spool, link, clock=None, **settings) -> tuple[Uploader, SettableClock]:
    clock = clock or SettableClock()
    return Uploader(spool, link, UploaderSettings(**settings), clock=clock, random_source=random.Random(0)), clock


def drain(uploader: Uploader, clock: SettableClock, steps: int = 1000) -> float:
    """Step until the spool is empty; returns the seconds waited."""
    start = clock.monotonic()
    for _ in range(steps):
        wait = uploader.step()
        if wait == UploaderSettings().idle_seconds:
            return clock.monotonic() - start
        clock.advance(wait)
    raise AssertionError("not drained")


def test_every_sample_arrives_once_and_in_order(spool):
    names = fill(spool, 5)
    link = MemoryLink()
    uploader, clock = make(spool, link)
    drain(uploader, clock)
    assert list(link.samples) == names
    assert [link.samples[name] for name in names] == [png(seed) for seed in range(5)]
    assert uploader.stats.uploaded == 5
    assert uploader.stats.bytes_sent == sum(len(png(seed)) for seed in range(5))
    assert spool.stats().bytes == 0


def test_hours_offline_then_everything_arrives(spool):
    names = fill(spool, 20)
    link = MemoryLink()
    uploader, clock = make(spool, link)
    link.failure = lambda record: LinkUnavailableError("no route", retry_after=1.0)
    waits = []
    while clock.monotonic() < 8 * 3600:
        wait = uploader.step()
        waits.append(wait)
        clock.advance(wait)
    assert max(waits) <= UploaderSettings().max_seconds
    assert len(waits) < 8 * 3600 / 60 + 20  # it does not hammer
    assert spool.stats().pending == 20
    link.failure = None
    assert drain(uploader, clock) < 5
    assert set(link.samples) == set(names)
    assert uploader.stats.last_error == ""


def test_the_wait_that_the_cloud_asks_for_is_honoured(spool):
    fill(spool, 1)
    link = MemoryLink()
    link.failure = lambda record: LinkUnavailableError("overloaded", retry_after=600.0)
    uploader, clock = make(spool, link)
    assert uploader.step() == 600.0
    clock.advance(599)
    uploader.wake()
    assert uploader.step() == 1.0
    assert link.tries == 1


def test_a_refused_sample_is_set_aside_and_the_others_go_on(spool):
    names = fill(spool, 3)
    link = MemoryLink()
    link.failure = lambda record: DataError("422 not an image") if record.sample_id == names[1] else None
    uploader, clock = make(spool, link)
    assert drain(uploader, clock) == 0.0
    assert list(link.samples) == [names[0], names[2]]
    (refused,) = spool.refused()
    assert (refused.record.sample_id, refused.state) == (names[1], SpoolState.REJECTED)
    assert refused.reason == "422 not an image"
    assert uploader.stats.rejected == 1


def test_a_wrong_token_refuses_no_sample(spool):
    names = fill(spool, 3)
    link = MemoryLink()
    link.failure = lambda record: AuthError("401 expired")
    uploader, clock = make(spool, link)
    for _ in range(5):
        wait = uploader.step()
        assert wait >= UploaderSettings().auth_seconds
        clock.advance(wait)
    assert list(spool.refused()) == []
    link.failure = None
    drain(uploader, clock)
    assert list(link.samples) == names


@pytest.mark.parametrize("error", [LinkUnavailableError("500", retry_after=0.0), PermanentError("500")])
def test_a_sample_that_breaks_the_server_does_not_block_the_others(spool, error):
    names = fill(spool, 4)
    link = MemoryLink()
    link.failure = lambda record: error if record.sample_id == names[0] else None
    uploader, clock = make(spool, link)
    for _ in range(20):
        clock.advance(uploader.step())
    assert list(link.samples) == names[1:]
    assert [entry.record.sample_id for entry in spool.pending()] == [names[0]]


def test_a_lost_acknowledgement_is_harmless(spool):
    names = fill(spool, 2)
    link = MemoryLink()
    link.lose_acknowledgements = 1
    uploader, clock = make(spool, link)
    drain(uploader, clock)
    assert list(link.samples) == names
    assert link.tries == 3
    assert uploader.stats.uploaded == 2


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_file_is_never_sent(spool, damage):
    names = fill(spool, 2)
    path = next(spool.pending()).path
    path.write_bytes(b"x" * path.stat().st_size) if damage == "changed" else path.unlink()
    link = MemoryLink()
    uploader, clock = make(spool, link)
    drain(uploader, clock)
    assert list(link.samples) == names[1:]
    (refused,) = spool.refused()
    assert refused.state is SpoolState.DAMAGED
    assert uploader.stats.damaged == 1


def test_a_thin_line_is_shared(spool):
    fill(spool, 4)
    uploader, clock = make(spool, MemoryLink(), max_bytes_per_second=100.0)
    total = sum(len(png(seed)) for seed in range(4))
    assert drain(uploader, clock) == pytest.approx(total / 100.0)


def test_the_thread_uploads_and_stops(spool):
    names = fill(spool, 5)
    link = MemoryLink()
    uploader = Uploader(spool, link)
    uploader.start()
    assert link.wait_for(5)
    data = png(7)
    spool.add(record_of(data), data)
    uploader.wake()
    assert link.wait_for(6)
    assert uploader.stop()
    assert set(names) < set(link.samples)
    assert not [thread for thread in threading.enumerate() if thread.name == "sedna-uploader"]


def test_a_defect_does_not_end_the_thread(spool, caplog):
    fill(spool, 1)
    link = MemoryLink()
    errors = [ZeroDivisionError("bug")]
    link.failure = lambda record: errors.pop() if errors else None
    uploader = Uploader(spool, link, UploaderSettings(initial_seconds=0.01))
    uploader.start()
    assert link.wait_for(1)
    assert uploader.stop()
    assert "ZeroDivisionError" in caplog.text


def test_a_sample_in_flight_survives_a_crash(tmp_path: Path):
    with Spool(tmp_path / "spool") as spool:
        names = fill(spool, 1)
        assert spool.claim() is not None
    with Spool(tmp_path / "spool") as spool:
        link = MemoryLink()
        uploader, clock = make(spool, link)
        drain(uploader, clock)
        assert list(link.samples) == names


def test_backoff_doubles_within_bounds_and_starts_over():
    backoff = Backoff(1.0, 8.0, random.Random(0))
    waits = [backoff.next() for _ in range(6)]
    assert all(top / 2 <= wait <= top for wait, top in zip(waits, [1, 2, 4, 8, 8, 8], strict=True))
    assert backoff.next(at_least=100.0) == 100.0
    backoff.reset()
    assert backoff.next() <= 1.0
    with pytest.raises(ValueError, match="initial"):
        Backoff(0, 1)
