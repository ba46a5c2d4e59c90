"""A worker's report, and its delivery: to the local controller, to a file, or to both."""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from sedna.common.atomic import write_atomic
from sedna.common.errors import SednaError, TemporaryError, UserError
from sedna.common.log import LOGGER
from sedna.service.client import LCClient
from sedna.service.encode import to_jsonable

__all__ = [
    "MAX_REPORT_BYTES",
    "ReportTarget",
    "WorkerReport",
    "deliver",
    "error_kind",
    "failure_info",
    "parse_report",
    "summary_of",
]

MAX_REPORT_BYTES = 64 * 2**20
"""An evaluation report has one row a sample: 100,000 samples of two models make about 40 MB."""

ErrorKind = Literal["user", "permanent", "temporary"]


class WorkerReport(BaseModel):
    """What a worker says about itself. Absent fields are empty and unknown ones ignored, as upstream."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, alias_generator=to_camel)

    name: str = Field(description="WORKER_NAME; equal to the name in the path")
    namespace: str = ""
    owner_name: str = Field(default="", description="the job")
    owner_kind: str = Field(default="", description="incrementallearningjob")
    owner_info: dict[str, JsonValue] | None = None
    kind: str = Field(default="", description="train, eval or deploy")
    status: str = Field(default="", description="completed, failed, ...")
    results: list[dict[str, JsonValue]] | None = None

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

    def body(self) -> dict[str, Any]:
        """The wire form, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def digest(self, discriminator: str = "") -> str:
        """Identity of the report: the sha256 of its content, independent of white space and the order of keys.

        ``discriminator`` tells apart reports whose bodies say the same about different things: a worker reports
        each hot update with the same words.
        """
        # Of the parsed report: the same one, sent again by another client, has other white space.
        text = json.dumps(self.body(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(f"{discriminator}\n{text}".encode()).hexdigest()


@dataclass(frozen=True)
class ReportTarget:
    """Where reports go. With neither, the program runs on its own and reports are only logged."""

    lc_server: str | None = None
    """Address of the local controller."""
    report_path: str | None = None
    """File that always holds the last report."""


def deliver(message: dict[str, Any], target: ReportTarget) -> None:
    """Write and send one report.

    The file is written first. Once it is there, a local controller that does not answer is logged and not raised: the
    report is not lost.

    Raises:
        DataError: the report has no JSON form.
        LinkUnavailableError, PermanentError: the report reached nobody.
        StorageFullError: the file cannot be written.
    """
    body = to_jsonable(message, "report")
    assert isinstance(body, dict)
    if target.report_path:
        path = Path(target.report_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Before it is sent: a worker that dies while it waits for an answer has reported all the same.
        write_atomic(path, json.dumps(body, ensure_ascii=False).encode())
    if target.lc_server:
        try:
            LCClient.send(target.lc_server, str(message["name"]), body)
        except SednaError as error:
            if not target.report_path:
                raise
            LOGGER.error("the local controller did not take the report, it is only in %s: %s", path, error)
    if not target.report_path and not target.lc_server:
        LOGGER.info("neither LC_SERVER nor REPORT_PATH is set, so that nobody gets the report: %s", body)


def parse_report(body: bytes) -> dict[str, Any]:
    """The JSON object that a worker has sent as its report.

    Raises:
        ValueError: it is no JSON, no object, nested too deeply, or holds NaN or infinity, which are no JSON either.
    """
    try:
        report = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(report, dict):
        raise ValueError(f"expected an object, got {type(report).__name__}")
    return report


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def error_kind(error: BaseException) -> ErrorKind:
    """What the platform does about an error: wait for the user, give up the round, or try again."""
    if isinstance(error, UserError):
        return "user"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, TemporaryError) or full:
        return "temporary"
    return "permanent"


def failure_info(error: BaseException) -> dict[str, Any]:
    """``ownerInfo`` of a failed report."""
    return {"error": {"kind": error_kind(error), "type": type(error).__name__, "message": str(error)}}


def summary_of(report: dict[str, Any]) -> dict[str, Any]:
    """A report without its rows per sample, which are in the store and would be megabytes in a database."""
    results = report.get("results")
    if not isinstance(results, list):
        return report
    return {**report, "results": [_without_rows(result) for result in results]}


def _without_rows(result: Any) -> Any:
    metrics = result.get("metrics") if isinstance(result, dict) else None
    if not isinstance(metrics, dict):
        return result
    return {**result, "metrics": {name: value for name, value in metrics.items() if name != "per_sample"}}
