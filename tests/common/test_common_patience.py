import threading

import pytest

from sedna.common.errors import DataError, TemporaryError
from sedna.common.patience import Patience, UnresponsiveError


@pytest.fixture
def held():
    """Something that answers only when the test lets it."""
    gate = threading.Event()
    yield gate
    gate.set()


def call(patience, work, about="share"):
    return patience.call(work, about=about, where=f"/{about}/a.png")


def test_results_and_errors_come_through():
    patience = Patience()

    def fail():
        raise DataError("no")

    assert [call(patience, lambda number=number: number) for number in range(50)] == list(range(50))
    with pytest.raises(DataError, match="no"):
        call(patience, fail)
    assert call(patience, threading.current_thread).daemon


def test_what_does_not_answer_is_given_up_and_not_asked_again_until_it_has(held):
    patience = Patience(0.05)
    asked = []

    def hang():
        asked.append(1)
        held.wait()

    with pytest.raises(UnresponsiveError, match=r"/share/a\.png: it does not answer .*network share"):
        call(patience, hang)
    for _ in range(3):
        with pytest.raises(UnresponsiveError, match="does not answer"):
            call(patience, hang)
    assert asked == [1]
    assert issubclass(UnresponsiveError, TemporaryError)
    assert call(patience, lambda: "elsewhere", about="disk") == "elsewhere"
    held.set()
    # The thread that hung may need a moment to say that it is through.
    while True:
        try:
            assert call(patience, lambda: "back") == "back"
            break
        except UnresponsiveError:
            continue


def test_threads_that_hang_are_bounded(held):
    patience = Patience(0.01)
    before = set(threading.enumerate())
    for number in range(40):
        with pytest.raises(UnresponsiveError):
            call(patience, held.wait, about=str(number))
    assert len(set(threading.enumerate()) - before) <= 16


def test_idle_threads_go_with_their_owner():
    patience = Patience()
    thread = call(patience, threading.current_thread)
    assert thread.is_alive()
    del patience
    thread.join(30)
    assert not thread.is_alive()


def test_the_end_of_the_program_waits_for_nothing(held):
    patience = Patience(3600)
    told = []

    def ask():
        with pytest.raises(UnresponsiveError, match="the program ends"):
            call(patience, held.wait)
        told.append(1)

    asking = threading.Thread(target=ask)
    asking.start()
    patience.end()
    asking.join(30)
    assert told == [1]
    with pytest.raises(UnresponsiveError, match="the program ends"):
        call(patience, lambda: 1, about="disk")
