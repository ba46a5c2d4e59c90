"""The log of the SDK: ``LOGGER``, plain text by default, one JSON object a line with ``LOG_FORMAT=json``.

As a library Sedna adds no handler of its own when it is imported. Programs call `setup_logging` once.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, Literal, TextIO, get_args

from sedna.common.errors import SpecError
from sedna.common.log_repeats import RepeatFilter

__all__ = ["LOGGER", "JsonFormatter", "Logger", "setup_logging"]

LOGGER = logging.getLogger("sedna")
LOGGER.addHandler(logging.NullHandler())

LogFormat = Literal["text", "json"]

_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC, ISO 8601), level, logger, message, ``extra`` fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class Logger:
    """Upstream's way to a log of one's own: ``Logger("mine").logger`` writes from INFO on to standard error.

    A logger that has a handler already keeps it, so that a log that was set up stays as it is, and a second `Logger` of
    the same name writes no line twice.
    """

    def __init__(self, name: str = LOGGER.name) -> None:
        self.logger = logging.getLogger(name)
        if any(not isinstance(handler, logging.NullHandler) for handler in self.logger.handlers):
            return
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(_TEXT))
        handler.addFilter(RepeatFilter())
        self.logger.addHandler(handler)
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False


class _RootHandler(logging.Handler):
    """Warnings of loggers that nobody set up."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__(logging.WARNING)
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        self._target.handle(record)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to the standard error of the moment: whoever puts another one there and closes it does so for a while."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """As of now."""
        return sys.stderr


def setup_logging(
    level: str = "INFO",
    log_format: LogFormat = "text",
    stream: IO[str] | None = None,
    *,
    libraries: Sequence[str] = (),
) -> None:
    """Send the log of ``sedna`` to ``stream`` (default: standard error), and the warnings of everybody else. Called
    again, it replaces the first set-up. A warning that comes again and again is written once a minute; see
    `RepeatFilter`.

    Args:
        libraries: loggers that bring handlers of their own, which go.

    Raises:
        SpecError: unknown level or format.
    """
    names = logging.getLevelNamesMapping()
    if level.upper() not in names:
        raise SpecError(f"unknown log level {level!r}", where="LOG_LEVEL", hint=", ".join(sorted(names)))
    if log_format not in get_args(LogFormat):
        raise SpecError(f"unknown log format {log_format!r}", where="LOG_FORMAT", hint="text or json")
    handler = _StandardError() if stream is None else logging.StreamHandler(stream)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(_TEXT))
    handler.addFilter(RepeatFilter())
    for logger in (LOGGER, *map(logging.getLogger, libraries)):
        for old in list(logger.handlers):
            logger.removeHandler(old)
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    LOGGER.setLevel(names[level.upper()])
    # Whatever is left, such as asyncio and the web server: Python would write it to standard error without a bound.
    root = logging.getLogger()
    for old in [known for known in root.handlers if isinstance(known, _RootHandler)]:
        root.removeHandler(old)
    root.addHandler(_RootHandler(handler))
