import io
import json
import logging

import pytest

from sedna.common.errors import SpecError
from sedna.common.log import LOGGER, Logger, setup_logging


@pytest.fixture(autouse=True)
def restore():
    root = logging.getLogger()
    handlers, level, propagate, others = list(LOGGER.handlers), LOGGER.level, LOGGER.propagate, list(root.handlers)
    yield
    LOGGER.handlers[:], root.handlers[:] = handlers, others
    LOGGER.setLevel(level)
    LOGGER.propagate = propagate


def test_json_lines_carry_extra_fields_and_exceptions():
    stream = io.StringIO()
    setup_logging("debug", "json", stream)
    LOGGER.debug("trained %d", 3, extra={"job": "default/pcb"})
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("sedna.core").exception("failed")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {"level": "debug", "logger": "sedna", "message": "trained 3", "job": "default/pcb"}
    assert second["logger"] == "sedna.core"
    assert "ValueError: broken" in second["exception"]


def test_second_set_up_replaces_the_first():
    old, new = io.StringIO(), io.StringIO()
    setup_logging("INFO", "text", old)
    setup_logging("WARNING", "text", new)
    LOGGER.info("hidden")
    LOGGER.warning("shown")
    assert old.getvalue() == ""
    assert new.getvalue().rstrip().endswith("sedna: shown")


def test_warnings_of_libraries_come_in_the_same_format():
    stream = io.StringIO()
    library = logging.getLogger("somebody")
    setup_logging("DEBUG", "json", stream, libraries=("somebody",))
    logging.getLogger("somebody.part").warning("careful")
    logging.getLogger("somebody.part").info("chatter")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "careful"
    library.handlers.clear()
    library.propagate = True


@pytest.mark.parametrize(("level", "log_format"), [("LOUD", "text"), ("INFO", "xml")])
def test_wrong_settings(level, log_format):
    with pytest.raises(SpecError, match="unknown log"):
        setup_logging(level, log_format)


@pytest.fixture
def mine():
    logger = logging.getLogger("a-program-of-its-own")
    yield logger.name
    logger.handlers.clear()


def test_upstreams_logger_writes_to_standard_error_from_info_on(mine, capsys):
    log = Logger(mine).logger
    log.debug("hidden")
    log.info("epoch %d", 3)
    for _ in range(3):
        Logger(mine).logger.warning("once")
    shown = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in shown] == ["epoch 3", "once"]


def test_upstreams_logger_leaves_a_log_that_was_set_up_as_it_is(capsys):
    stream = io.StringIO()
    setup_logging("WARNING", "json", stream)
    assert Logger().logger is LOGGER
    LOGGER.info("hidden")
    LOGGER.warning("shown")
    assert json.loads(stream.getvalue())["message"] == "shown"
    assert capsys.readouterr().err == ""


def test_upstreams_logger_without_a_name_is_the_sdks_own(capsys):
    LOGGER.handlers[:] = [logging.NullHandler()]
    Logger().logger.info("seen")
    assert capsys.readouterr().err.rstrip().endswith("sedna: seen")
