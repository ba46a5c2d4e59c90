"""Delivery of a worker's report: to the local controller, to a file, or to both."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sedna.common.atomic import write_atomic
from sedna.common.errors import SednaError, TemporaryError, UserError
from sedna.common.log import LOGGER
from sedna.service.client import LCClient
from sedna.service.encode import to_jsonable

__all__ = ["ReportTarget", "deliver", "error_kind", "failure_info"]

ErrorKind = Literal["user", "permanent", "temporary"]


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
        write_atomic(path, json.dumps(body, ensure_ascii=False).encode())
    if target.lc_server:
        try:
            LCClient.send(target.lc_server, str(message["name"]), body)
        except SednaError as error:
            if not target.report_path:
                raise
            LOGGER.error("the local controller did not take the report, it is only in %s: %s", path, error)
    if not target.report_path and not target.lc_server:
        LOGGER.info("neither LC_SERVER nor REPORT_PATH is set; the report goes nowhere: %s", body)


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
