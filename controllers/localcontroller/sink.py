"""Where reports go: the global manager, over HTTP or in the same process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote

import httpx

from sedna.common.errors import AuthError, DataError, LinkUnavailableError
from sedna.core.report import WorkerReport

__all__ = ["HttpReportSink", "ReportSink"]

_TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=5.0)
_REFUSED = frozenset({400, 403, 404, 409, 413, 415, 422})
"""Answers with which the global manager refuses a report for good. 403: the token is valid, but its bearer may not hand
over this report; if the report waited for another token, every report behind it would wait too."""


class ReportSink(Protocol):
    """Takes reports over. Taking the same one twice must be harmless."""

    def deliver(self, report: WorkerReport) -> None:
        """Hand one report over.

        Raises:
            LinkUnavailableError: not now; try again.
            AuthError: the token is not accepted; somebody must act, so the report stays.
            DataError: the report was understood and refused for good, also because this node may not hand it over.
        """
        ...


class HttpReportSink:
    """``POST /api/v1/worker-reports/{worker}`` of the global manager.

    Args:
        url: ``http(s)://host:port``, with an optional path prefix.
        token: gives the bearer token; asked for every request, so that it may change.
        refused: told of a token that the service does not know; True if ``token`` may give another one now.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        *,
        timeout: httpx.Timeout = _TIMEOUT,
        refused: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._token = token
        self._refused = refused
        self._client = httpx.Client(base_url=url.rstrip("/") + "/api/v1/", timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def deliver(self, report: WorkerReport) -> None:
        path = f"worker-reports/{quote(report.name, safe='')}"
        token = self._token()
        response = self._post(path, report, token)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._refused(token):
            response = self._post(path, report, self._token())
        if response.is_success:
            return
        message = f"answer {response.status_code}: {response.text[:300]}"
        # A proxy's 404 says nothing about the report, which must wait then.
        ours = "problem+json" in response.headers.get("Content-Type", "")
        if ours and response.status_code in _REFUSED:
            raise DataError(message, where=path)
        if response.status_code in (401, 403):
            raise AuthError(message, where=path, forbidden=response.status_code == 403)
        raise LinkUnavailableError(message, where=path)

    def _post(self, path: str, report: WorkerReport, token: str) -> httpx.Response:
        try:
            return self._client.post(path, json=report.body(), headers={"Authorization": f"Bearer {token}"})
        except httpx.HTTPError as error:
            raise LinkUnavailableError(str(error) or type(error).__name__, where=path) from error
