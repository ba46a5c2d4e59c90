"""``python -m localcontroller``: run until SIGTERM or SIGINT. With ``stage-in``: bring the models, and end."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from pydantic import ValidationError

from localcontroller.controller import LocalController
from localcontroller.settings import LocalControllerSettings
from localcontroller.sink import HttpReportSink
from localcontroller.stage_in import stage_in
from sedna.common.clock import SystemClock
from sedna.common.errors import SednaError, SpecError, UserError
from sedna.common.log import LOGGER, setup_logging
from sedna.common.token_file import read_token_file
from sedna.common.validation import first_fault
from sedna.edge.http_link import HttpEdgeLink
from sedna.edge.pod_token import PodToken


def main(arguments: list[str]) -> int:
    """Run; returns the exit code: 0 stopped, 2 wrong settings, 1 anything else."""
    setup_logging()
    try:
        if arguments not in ([], ["stage-in"]):
            raise SpecError(f"{' '.join(arguments)!r} is no command", hint="stage-in, or none")
        settings = _settings()
        with _cloud(settings) as cloud:
            if arguments:
                stage_in(cloud.link, settings.name, settings.hot_updates, SystemClock())
            else:
                run(settings, cloud)
    except UserError as error:
        LOGGER.error("%s", error)
        return 2
    except SednaError as error:
        LOGGER.error("%s", error)
        return 1
    return 0


@dataclass(frozen=True)
class _Cloud:
    """The two ways to the global manager."""

    sink: HttpReportSink
    link: HttpEdgeLink


@contextlib.contextmanager
def _cloud(settings: LocalControllerSettings) -> Iterator[_Cloud]:
    with contextlib.ExitStack() as stack:
        token, refused = _token(settings, stack)
        sink = HttpReportSink(settings.cloud_url, token, refused=refused)
        stack.callback(sink.close)
        link = HttpEdgeLink(settings.cloud_url, token, refused=refused)
        stack.callback(link.close)
        yield _Cloud(sink, link)


def _token(
    settings: LocalControllerSettings, stack: contextlib.ExitStack
) -> tuple[Callable[[], str], Callable[[str], bool]]:
    """What gives the token, and what is told when it is refused."""
    if settings.pod_token_file is not None:
        pod = PodToken(settings.cloud_url, settings.pod_token_file)
        stack.callback(pod.close)
        return pod, pod.refused
    file = settings.token_file
    assert file is not None, "the settings have one of them"
    return lambda: read_token_file(file), lambda _: False


def run(settings: LocalControllerSettings, cloud: _Cloud) -> None:
    """Serve until a signal asks for the end."""
    controller = LocalController(
        settings.data_dir, cloud.sink, edge=settings.name, link=cloud.link, hot_updates=settings.hot_updates,
        hard_examples=settings.hard_examples, ending=settings.ending, host=settings.host, port=settings.port,
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


def _settings() -> LocalControllerSettings:
    try:
        return LocalControllerSettings()
    except ValidationError as error:
        fault = first_fault(error)
        variable = "SEDNA_LC__" + fault.path.replace(".", "__").upper()
        raise SpecError(fault.message, where=variable, hint="set this environment variable") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
