import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from sedna.common.clock import Clock, SettableClock, SystemClock


@pytest.mark.parametrize("clock", [SystemClock(), SettableClock()], ids=["system", "settable"])
def test_now_is_aware_and_in_utc(clock: Clock):
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() <= clock.monotonic()
    clock.sleep(0)
    clock.sleep(-1)


def test_settable_clock_moves_only_when_told():
    clock = SettableClock(datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert clock.now() == clock.now()
    assert clock.advance(timedelta(minutes=5)) == datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    clock.advance(1.5)
    assert clock.monotonic() == 301.5
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="aware"):
        SettableClock(datetime(2026, 1, 1))  # noqa: DTZ001


def test_sleepers_wake_in_the_order_of_their_times():
    clock = SettableClock()
    woken: list[int] = []
    done = threading.Semaphore(0)

    def sleeper(seconds: int) -> None:
        clock.sleep(seconds)
        woken.append(seconds)
        done.release()

    threads = [threading.Thread(target=sleeper, args=(seconds,), daemon=True) for seconds in (30, 10, 20)]
    for thread in threads:
        thread.start()
    assert clock.wait_for_sleepers(3)
    for _ in range(3):
        clock.advance(10)
        assert done.acquire(timeout=10)
    assert woken == [10, 20, 30]
    assert not clock.wait_for_sleepers(1, timeout=0.01)


def test_auto_advance_sleeps_without_waiting():
    clock = SettableClock(auto_advance=True)
    clock.sleep(3600)
    assert clock.monotonic() == 3600
