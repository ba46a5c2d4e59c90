"""``python -m localcontroller``: run until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

from pydantic import ValidationError

from localcontroller.controller import LocalController
from localcontroller.settings import LocalControllerSettings
from localcontroller.sink import HttpReportSink
from sedna.common.errors import SednaError, SpecError, UserError
from sedna.common.log import LOGGER, setup_logging
from sedna.common.token_file import read_token_file
from sedna.common.validation import first_fault
from sedna.edge.http_link import HttpEdgeLink


def main() -> int:
    """Run; returns the exit code: 0 stopped, 2 wrong settings, 1 anything else."""
    setup_logging()
    try:
        run(_settings())
    except UserError as error:
        LOGGER.error("%s", error)
        return 2
    except SednaError as error:
        LOGGER.error("%s", error)
        return 1
    return 0


def run(settings: LocalControllerSettings) -> None:
    """Serve until a signal asks for the end."""

    def token() -> str:
        return read_token_file(settings.token_file)

    sink = HttpReportSink(settings.cloud_url, token)
    link = HttpEdgeLink(settings.cloud_url, token)
    controller = LocalController(
        settings.data_dir, sink, edge=settings.name, link=link, hot_updates=settings.hot_updates,
        host=settings.host, port=settings.port,
    )  # fmt: skip
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    controller.start()
    LOGGER.info("workers report to %s", controller.url)
    ended.wait()
    # Before its sink and link are closed: a delivery that is under way ends first.
    controller.stop()
    sink.close()
    link.close()


def _settings() -> LocalControllerSettings:
    try:
        return LocalControllerSettings()
    except ValidationError as error:
        fault = first_fault(error)
        variable = "SEDNA_LC__" + fault.path.replace(".", "__").upper()
        raise SpecError(fault.message, where=variable, hint="set this environment variable") from error


if __name__ == "__main__":
    sys.exit(main())
