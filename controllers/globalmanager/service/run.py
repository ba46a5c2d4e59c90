"""Run the service in this process until a signal asks for its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from pydantic import ValidationError

from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings
from globalmanager.service.settings_file import settings_error
from sedna.common.errors import PermanentError
from sedna.common.log import setup_logging

__all__ = ["load_settings", "run"]

_LOOK_SECONDS = 1.0


def load_settings(options: Mapping[str, Any]) -> ServiceSettings:
    """Settings from arguments, environment, file and defaults.

    Raises:
        SpecError: one of them is wrong.
    """
    try:
        return ServiceSettings(**dict(options))
    except ValidationError as error:
        raise settings_error(error) from error


def run(options: Mapping[str, Any], started: Callable[[Service], None]) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends the process at once. Workers keep running either way.

    Args:
        options: settings that win over environment and file.
        started: called when the service answers.

    Raises:
        SednaError: it cannot start, or cannot go on.
    """
    settings = load_settings(options)
    setup_logging(settings.log_level, settings.log_format, libraries=("kopf",))
    ended = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        ended.set()

    service = Service(settings)
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        service.start()
        started(service)
        while not ended.wait(_LOOK_SECONDS):
            if (fault := service.fault()) is not None:
                raise PermanentError(fault, where=str(settings.data_dir))
    finally:
        service.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
