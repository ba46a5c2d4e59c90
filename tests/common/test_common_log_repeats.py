import io
import logging

import pytest

from sedna.common.log import LOGGER, setup_logging
from sedna.common.log_repeats import RepeatFilter


@pytest.fixture
def heard():
    """A logger with the filter, its lines, and the clock of the filter."""
    lines, clock = [], [0.0]
    logger = logging.getLogger("sedna.tests.repeats")
    logger.propagate = False
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    handler.addFilter(RepeatFilter(60.0, lambda: clock[0]))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger, lines, clock
    logger.removeHandler(handler)


def test_a_warning_of_every_tick_is_told_once_a_minute_with_their_number(heard):
    logger, lines, clock = heard
    for tick in range(241):
        clock[0] = tick / 2
        logger.warning("job %s: %s", "a", "no")
    assert lines == ["job a: no", "job a: no (and 119 times since)", "job a: no (and 119 times since)"]


def test_other_lines_levels_and_errors_are_told(heard):
    logger, lines, _ = heard
    for _ in range(2):
        logger.warning("one")
        logger.error("one")
        logger.warning("two")
        for fault in (ValueError("x"), ValueError("y")):
            try:
                raise fault
            except ValueError:
                logger.exception("three")
        logger.info("said at will")
    assert lines == ["one", "one", "two", "three", "three", "said at will", "said at will"]


def test_what_is_remembered_is_bounded(heard):
    logger, lines, _ = heard
    for number in range(3000):
        logger.handle(record_at(number, f"line {number}"))
    logger.handle(record_at(2999, "line 2999"))
    logger.handle(record_at(0, "line 0"))
    assert len(lines) == 3001


def record_at(place, text, level=logging.WARNING):
    return logging.LogRecord("sedna.tests.repeats", level, "a.py", place, text, (), None)


@pytest.mark.parametrize(("level", "most"), [(logging.WARNING, 60), (logging.INFO, 600)])
def test_a_flood_of_different_lines_from_one_place_is_bounded(heard, level, most):
    logger, lines, _ = heard
    for number in range(1000):
        logger.log(level, "connection %d", number)
    assert len(lines) == most
    logger.log(level, "another place")
    assert lines[-1] == "another place"


def test_the_next_line_says_how_many_others_were_left_out(heard):
    logger, lines, clock = heard
    for number in range(100):
        clock[0] = 0.0 if number < 99 else 60.0
        logger.warning("connection %d", number)
    assert lines[60:] == ["connection 99 (and 39 other lines like it since)"]


def test_traces_are_bounded_more_for_they_are_long(heard):
    logger, lines, _ = heard
    for number in range(100):
        try:
            raise ValueError(number)
        except ValueError:
            logger.exception("no answer")
    assert len(lines) == 10


def test_the_log_of_programs_has_it():
    stream = io.StringIO()
    root = logging.getLogger()
    before = (LOGGER.handlers[:], LOGGER.level, LOGGER.propagate, root.handlers[:])
    try:
        setup_logging(stream=io.StringIO())
        setup_logging(stream=stream)
        for _ in range(50):
            LOGGER.warning("the disk is full")
            logging.getLogger("asyncio").error("socket.accept() out of system resource")
        assert stream.getvalue().count("the disk is full") == 1
        assert stream.getvalue().count("out of system resource") == 1
    finally:
        LOGGER.handlers[:], LOGGER.level, LOGGER.propagate, root.handlers[:] = before
