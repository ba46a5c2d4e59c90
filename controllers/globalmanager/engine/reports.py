"""Reports of workers, in upstream's form."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from globalmanager.db import Database, events, workers
from sedna.common.errors import WorkerError
from sedna.loop.observation import WorkerPhase

MAX_REPORT_BYTES = 64 * 2**20
"""Per-sample rows of two models on 100,000 samples fit."""


class WorkerReport(BaseModel):
    """What a worker posts when it is done. Further keys are kept unread, as upstream's clients may send some."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    namespace: str = ""
    owner_name: str = Field(default="", alias="ownerName")
    owner_kind: str = Field(default="", alias="ownerKind")
    owner_info: dict[str, Any] | None = Field(default=None, alias="ownerInfo")
    kind: str
    status: str
    results: tuple[dict[str, Any], ...] | None = None

    @property
    def completed(self) -> bool:
        """Whether the worker says that it succeeded; upstream ignores case."""
        return self.status.lower() == "completed"

    @property
    def error(self) -> str:
        """The message of a failure, if the worker gave one."""
        told = (self.owner_info or {}).get("error")
        if isinstance(told, dict):
            return str(told.get("message", told))
        return str(told) if told else ""


def receive_report(db: Database, worker: str, report: WorkerReport, now: datetime) -> bool:
    """Keep the report of a worker that is expected to report; what it means is decided when the worker has ended.

    Returns:
        True if it was kept. A report of an unknown or finished worker, a repeated one with another result, and one that
        does not say how it went are noted as a stray event and change nothing.
    """
    body = report.model_dump(mode="json", by_alias=True)
    with db.write() as session:
        row = workers.by_name(session, worker)
        why = None
        if row is None:
            why = "no such worker was started here"
        elif report.status.lower() not in ("completed", "failed"):
            why = f"status {report.status!r} does not end a stage"
        elif row.report is not None:
            if row.report in (body, workers.without_rows(body)):
                return True
            why = "it has reported another result before"
        elif row.phase not in (WorkerPhase.PENDING, WorkerPhase.RUNNING):
            why = "it has ended"
        if row is None or why is not None:
            job_id = None if row is None else row.job_id
            text = f"report of {worker} ({report.kind} {report.status}) changes nothing: {why}"
            events.add(session, job_id, "StrayReport", text, now, level="warning", data={"worker": worker})
            return False
        workers.reported(session, row.id, body)
        return True


def read_report(path: Path) -> WorkerReport | None:
    """The report that a worker left in a file, or None if it left none.

    Raises:
        WorkerError: the file is not a report.
    """
    try:
        if path.stat().st_size > MAX_REPORT_BYTES:
            raise WorkerError(f"the report is larger than {MAX_REPORT_BYTES} bytes", where=str(path))
        return WorkerReport.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        raise WorkerError(f"the report cannot be read: {place}: {first['msg']}", where=str(path)) from error
