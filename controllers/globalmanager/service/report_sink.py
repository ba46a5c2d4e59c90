"""Worker reports from the local controller of the same process."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from globalmanager.db import Database
from globalmanager.engine.reports import WorkerReport as EngineReport
from globalmanager.engine.reports import receive_report
from localcontroller import WorkerReport
from sedna.common.clock import Clock
from sedna.common.errors import DataError
from sedna.common.validation import as_error

__all__ = ["InProcessReportSink"]


class InProcessReportSink:
    """`ReportSink` without HTTP."""

    def __init__(self, db: Database, clock: Clock, wake: Callable[[], None]) -> None:
        self._db = db
        self._clock = clock
        self._wake = wake

    def deliver(self, report: WorkerReport) -> None:
        """Hand one report to the engine.

        Raises:
            DataError: it lacks what a report must have.
            TemporaryError: the database does not answer.
        """
        try:
            parsed = EngineReport.model_validate(report.body())
        except ValidationError as error:
            raise as_error(DataError, error, f"report of {report.name}") from error
        receive_report(self._db, report.name, parsed, self._clock.now())
        self._wake()
