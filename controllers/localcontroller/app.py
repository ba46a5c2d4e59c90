"""Upstream's one route, exactly: ``POST /sedna/workers/{worker}/info``."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from sedna.common.errors import TemporaryError
from sedna.common.validation import first_fault
from sedna.core.report import MAX_REPORT_BYTES, WorkerReport, parse_report

__all__ = ["create_app"]


def create_app(receive: Callable[[WorkerReport], None], pending: Callable[[], int]) -> FastAPI:
    """The application.

    Args:
        receive: keeps a report; returns only when it is safe. May raise `TemporaryError`.
        pending: how many reports wait for the cloud; shown by ``/healthz``.
    """
    app = FastAPI(title="Sedna local controller", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/sedna/workers/{worker}/info")
    async def worker_info(worker: str, request: Request) -> JSONResponse:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            # Counted while it arrives: a chunked body declares no length.
            if len(body) > MAX_REPORT_BYTES:
                return _answer(413, f"the report is larger than {MAX_REPORT_BYTES} bytes", close=True)
        try:
            # An absent name is empty to upstream, and then differs from the one in the path.
            report = WorkerReport.model_validate({"name": "", **parse_report(bytes(body))})
        except (ValidationError, ValueError) as error:
            return _answer(400, f"the message body is not a worker report: {_first_line(error)}")
        if report.name != worker:
            return _answer(
                400,
                f"worker name(name={worker}) in the api is different from that(name={report.name}) in the message body",
            )
        try:
            await run_in_threadpool(receive, report)
        except TemporaryError as error:
            return _answer(503, str(error))
        return _answer(200, "OK")

    @app.get("/healthz")
    def healthz() -> dict[str, int | str]:
        return {"status": "ok", "pending_reports": pending()}

    return app


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(first_fault(error))
    return str(error).splitlines()[0]


def _answer(status: int, message: str, *, close: bool = False) -> JSONResponse:
    """Upstream's answer: capital keys."""
    headers = {"Connection": "close"} if close else None
    return JSONResponse({"Status": status, "Message": message}, status, headers=headers)
