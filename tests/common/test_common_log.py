import io
import json
import logging

import pytest

from sedna.common.errors import SpecError
from sedna.common.log import LOGGER, setup_logging


@pytest.fixture(autouse=True)
def restore():
    handlers, level, propagate = list(LOGGER.handlers), LOGGER.level, LOGGER.propagate
    yield
    LOGGER.handlers[:] = handlers
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


@pytest.mark.parametrize(("level", "log_format"), [("LOUD", "text"), ("INFO", "xml")])
def test_wrong_settings(level, log_format):
    with pytest.raises(SpecError, match="unknown log"):
        setup_logging(level, log_format)
