import os
import signal

import pytest

from sedna.common.clock import SettableClock
from sedna.core.incremental_learning.stopping import Stopped, StopRequest


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def stop(clock):
    before = signal.getsignal(signal.SIGTERM)
    request = StopRequest(grace_seconds=20, clock=clock)
    request.install()
    yield request
    signal.signal(signal.SIGTERM, before)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_outside_a_training_it_ends_at_once(stop):
    stop.check()
    with pytest.raises(Stopped) as caught:
        terminate()
    assert caught.value.code == 143
    assert not isinstance(caught.value, Exception)


def write_checkpoint(folder, text):
    (folder / "new").write_text(text)
    (folder / "new").replace(folder / "checkpoint")


def train(stop, folder, steps):
    """Runs the steps under `at_checkpoints`, each followed by a check; answers how many were done when it stopped."""
    done = 0
    with pytest.raises(Stopped), stop.at_checkpoints(folder):  # noqa: PT012 - counts the steps up to the error
        for step in steps:
            step()
            done += 1
            stop.check()
    return done


def nothing():
    pass


def test_inside_it_ends_at_the_next_checkpoint(stop, tmp_path):
    write_checkpoint(tmp_path, "1")
    steps = [nothing, terminate, nothing, nothing, lambda: write_checkpoint(tmp_path, "2"), nothing]
    assert train(stop, tmp_path, steps) == 5


def test_inside_it_ends_after_the_grace_period(stop, clock, tmp_path):
    steps = [terminate, lambda: clock.advance(19), lambda: clock.advance(1), nothing]
    assert train(stop, tmp_path, steps) == 3


def test_the_second_signal_ends_it_at_once(stop, tmp_path):
    assert train(stop, tmp_path, [terminate, nothing, terminate, nothing]) == 2


def test_a_training_that_ends_by_itself_still_stops_the_process(stop, tmp_path):
    assert train(stop, tmp_path, [terminate, nothing]) == 2


def test_errors_of_the_training_pass(stop, tmp_path):
    with pytest.raises(ValueError, match="broken"), stop.at_checkpoints(tmp_path):
        raise ValueError("broken")
