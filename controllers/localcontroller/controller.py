"""The local controller as a whole: route, outbox, hand-over and model pull."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from localcontroller.app import create_app
from localcontroller.handover import Handover
from localcontroller.hard_examples import HardExampleWatch
from localcontroller.http_server import ThreadedServer
from localcontroller.last_look import hand_in_the_rest
from localcontroller.model_pull import ModelPull
from localcontroller.outbox import Outbox
from localcontroller.settings import Ending, HardExamples, HotUpdate
from localcontroller.sink import ReportSink
from sedna.common.clock import Clock, SystemClock
from sedna.common.types import JobKey
from sedna.core.report import WorkerReport
from sedna.edge.link import EdgeLink

__all__ = ["LocalController"]

LOGGER = logging.getLogger("sedna.localcontroller")


class LocalController:
    """Serves the workers of one node.

    Args:
        data_dir: holds the outbox.
        sink: takes the reports over.
        edge: the name of this node towards the cloud.
        link: brings models and takes samples; needed only with ``hot_updates`` or ``hard_examples``.
        ending: how much time `stop` has for the last hard examples; none = they stay for the next start.
        host, port: where workers report; port 0 = any free one.

    Raises:
        ConflictError: the address is taken.
        TemporaryError: the outbox cannot be opened.
    """

    def __init__(
        self,
        data_dir: Path,
        sink: ReportSink,
        *,
        edge: str = "local",
        link: EdgeLink | None = None,
        hot_updates: tuple[HotUpdate, ...] = (),
        hard_examples: tuple[HardExamples, ...] = (),
        ending: Ending | None = None,
        host: str = "127.0.0.1",
        port: int = 9100,
        clock: Clock | None = None,
    ) -> None:
        clock = clock if clock is not None else SystemClock()
        self._clock = clock
        self._ending = ending if ending is not None else Ending()
        self._outbox = Outbox(data_dir / "reports.db", clock)
        self._handover = Handover(self._outbox, sink)
        self._pull = ModelPull(link, edge, hot_updates, clock) if link is not None and hot_updates else None
        self._examples: HardExampleWatch | None = None
        if link is not None and hard_examples:
            self._examples = HardExampleWatch(link, edge, hard_examples, data_dir, clock, self._serving_version)
        self._server = ThreadedServer(
            create_app(self.receive, self._outbox.pending), host, port, name="localcontroller"
        )

    @property
    def url(self) -> str:
        """Where workers report: their LC_SERVER."""
        return self._server.url

    @property
    def port(self) -> int:
        """The port of `url`."""
        return self._server.port

    def receive(self, report: WorkerReport) -> None:
        """Show a report to the model pull, then keep it for the cloud.

        Raises:
            TemporaryError: it could not be kept; the worker must try again.
        """
        job = _job_of(report)
        # The offered version is part of what makes a report new: the worker says "completed" in the same words for
        # every model.
        version = self._pull.offered_version(job) if self._pull is not None and job is not None else None
        if self._pull is not None and job is not None:
            self._pull.receive(report, job)  # first: it is idempotent, and a repeated report would stop at the outbox
        if self._outbox.add(report, discriminator="" if version is None else f"model {version}"):
            LOGGER.info("worker %s reports %s %s", report.name, report.kind, report.status)
            self._handover.notify()

    def _serving_version(self, job: JobKey) -> int | None:
        return None if self._pull is None else self._pull.serving_version(job)

    def start(self) -> None:
        """Listen, hand over, pull. Returns when workers can report."""
        self._server.start()
        self._handover.start()
        if self._pull is not None:
            self._pull.start()
        if self._examples is not None:
            self._examples.start()

    def stop(self) -> None:
        """Stop listening before the parts end, so that nothing is acknowledged and then forgotten.

        What the program beside us still keeps and reports until its own end comes before that, where nothing outlives
        it. Undelivered reports stay.
        """
        if self._examples is not None and self._examples.stop() and self._ending.seconds > 0:
            hand_in_the_rest(self._examples, self._ending, self._clock)
        self._server.stop()
        if self._pull is not None:
            self._pull.stop()
        self._handover.stop()
        self._outbox.close()


def _job_of(report: WorkerReport) -> JobKey | None:
    """The job that a report names, if it names one."""
    try:
        return JobKey(namespace=report.namespace or "default", name=report.owner_name)
    except ValidationError:
        return None
