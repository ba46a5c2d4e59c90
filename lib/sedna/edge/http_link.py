"""`EdgeLink` over HTTP: the routes of the global manager under ``/api/v1``, with a bearer token."""

from __future__ import annotations

import contextlib
import io
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from sedna.common.errors import (
    AuthError,
    ConflictError,
    DataError,
    LinkUnavailableError,
    NotFoundError,
    SednaError,
    SpecError,
    TooLargeError,
    UserError,
)
from sedna.common.types import JobKey, SampleRecord
from sedna.common.validation import first_fault
from sedna.edge.protocol import EdgeDesired, EdgeHeartbeat
from sedna.store.models import ModelManifest

__all__ = ["HttpEdgeLink"]

T = TypeVar("T", bound=BaseModel)
_Files = dict[str, tuple[str | None, str | BinaryIO, str]]

_REFUSALS: dict[int, type[UserError]] = {
    400: DataError,
    404: NotFoundError,
    405: UserError,
    409: ConflictError,
    413: TooLargeError,
    415: DataError,
    422: DataError,
}
_DEFAULT_TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=60.0, pool=5.0)


class HttpEdgeLink:
    """`EdgeLink` over the REST interface of the global manager.

    An answer that does not look like the global manager's own (a proxy's error page, a captive portal's 200) counts as
    "does not answer": samples are kept rather than believed to be stored or refused.

    Args:
        url: ``http(s)://host:port``, with an optional path prefix.
        token: the edge's bearer token, or a function that gives it (called for every request, so that it may change).
        timeout: seconds for connect, read, write and waiting for a free connection.
        ca_bundle: certificates to trust instead of the system's.
        refused: told of a token that the service does not know; True if ``token`` may give another one now.

    Raises:
        SpecError: ``url`` is not a service address.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
        *,
        timeout: httpx.Timeout = _DEFAULT_TIMEOUT,
        ca_bundle: Path | None = None,
        refused: Callable[[str], bool] = lambda _: False,
    ) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise SpecError(f"not a service address: {url!r}", hint="http://host:port or https://host:port")
        self._token = token if callable(token) else (lambda: token)
        self._refused = refused
        trust = ssl.create_default_context(cafile=ca_bundle) if ca_bundle is not None else True
        self._client = httpx.Client(base_url=url.rstrip("/") + "/api/v1/", timeout=timeout, verify=trust)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def heartbeat(self, heartbeat: EdgeHeartbeat) -> EdgeDesired:
        path = f"edges/{_part(heartbeat.edge)}/heartbeat"
        response = self._call(
            "POST", path, content=heartbeat.model_dump_json(), headers={"Content-Type": "application/json"}
        )
        return _parse(EdgeDesired, response)

    def model_manifest(self, job: JobKey, version: int) -> ModelManifest:
        return _parse(ModelManifest, self._call("GET", f"{_model(job, version)}/manifest"))

    def open_model_file(self, job: JobKey, version: int, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        return self._stream(f"{_model(job, version)}/files/{_part(name)}")

    def open_model_module(self, job: JobKey, version: int) -> contextlib.AbstractContextManager[BinaryIO]:
        return self._stream(f"{_model(job, version)}/module")

    @contextlib.contextmanager
    def _stream(self, path: str) -> Iterator[BinaryIO]:
        # Asked for as they are: weights hardly compress, and a proxy on the way would only spend time on them.
        token = self._token()
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
        # The service may send the reader to a presigned address; httpx drops the token when the host changes.
        request = self._client.build_request("GET", path, headers=headers)
        with _network_errors(path):
            response = self._client.send(request, stream=True, follow_redirects=True)
        try:
            if response.status_code != httpx.codes.OK:
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    self._refused(token)  # the reader asks again
                with _network_errors(path):
                    response.read()
                raise _error(response)
            yield cast(BinaryIO, io.BufferedReader(_ResponseBody(response, path), 1024 * 1024))
        finally:
            response.close()

    def put_sample(self, record: SampleRecord, image: Path) -> bool:
        path = f"{_job(record.job)}/samples/{record.sample_id}"
        with image.open("rb") as file:
            files: _Files = {
                "record": (None, record.model_dump_json(), "application/json"),
                "image": (f"{record.sample_id}.{record.extension}", file, "application/octet-stream"),
            }
            response = self._call("PUT", path, files=files)
        return response.status_code == httpx.codes.CREATED

    def _call(
        self,
        method: str,
        path: str,
        *,
        content: str | None = None,
        files: _Files | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One exchange; the answer is one of ours and says it worked."""
        token = self._token()
        response = self._send(method, path, token, content=content, files=files, headers=headers or {})
        if response.status_code == httpx.codes.UNAUTHORIZED and self._refused(token):
            response = self._send(method, path, self._token(), content=content, files=files, headers=headers or {})
        if response.status_code not in (httpx.codes.OK, httpx.codes.CREATED):
            raise _error(response)
        # A captive portal answers 200 to everything. A sample counted as stored on its word would be deleted here.
        if not _is_json(response):
            raise LinkUnavailableError(
                f"{response.status_code} without JSON: the answer of some other server",
                where=_address(response),
                hint="check the address, and proxies on the way",
                retry_after=30.0,
            )
        return response

    def _send(
        self,
        method: str,
        path: str,
        token: str,
        *,
        content: str | None,
        files: _Files | None,
        headers: dict[str, str],
    ) -> httpx.Response:
        headers = {**headers, "Authorization": f"Bearer {token}"}
        with _network_errors(path):  # files are read from their beginning, also the second time
            return self._client.request(method, path, content=content, files=files, headers=headers)


class _ResponseBody(io.RawIOBase):
    """A response's body as a readable file; network errors become `LinkUnavailableError`."""

    def __init__(self, response: httpx.Response, where: str) -> None:
        self._chunks = response.iter_bytes(256 * 1024)
        self._left = b""
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            with _network_errors(self._where):
                chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


@contextlib.contextmanager
def _network_errors(where: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise LinkUnavailableError(reason, where=where, retry_after=5.0) from error


def _error(response: httpx.Response) -> SednaError:
    """The exception for an answer that is not a success."""
    status = response.status_code
    ours = "problem+json" in response.headers.get("Content-Type", "")
    title, where, hint = _problem(response) if ours else (response.reason_phrase, "", "")
    message, where = f"{status} {title}", where or _address(response)
    if status in (401, 403):
        return AuthError(message, where=where, hint=hint, forbidden=status == 403)
    # A refusal sets a sample aside for good, so that only the service itself may say it.
    if status in _REFUSALS and ours:
        return _REFUSALS[status](message, where=where, hint=hint)
    if status == 413:
        hint = "a proxy on the way takes less than the service does: raise its limit"
    return LinkUnavailableError(message, where=where, hint=hint, retry_after=_retry_after(response))


def _problem(response: httpx.Response) -> tuple[str, str, str]:
    """Text, place and hint of a problem+json body."""
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase, "", ""
    if not isinstance(body, dict):
        return response.reason_phrase, "", ""
    text = str(body.get("detail") or body.get("title") or response.reason_phrase)
    return text, str(body.get("where") or ""), str(body.get("hint") or "")


def _retry_after(response: httpx.Response) -> float:
    try:
        seconds = float(response.headers.get("Retry-After", "5"))
    except ValueError:  # an HTTP date: legal, and not worth more than a guess
        return 30.0
    # A wrong header must not silence an edge for a day.
    return min(max(seconds, 0.0), 3600.0)


def _parse(kind: type[T], response: httpx.Response) -> T:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise LinkUnavailableError(
            f"the answer is not a {kind.__name__}: {first_fault(error)}",
            where=_address(response),
            hint="edge and cloud may be of incompatible versions",
            retry_after=60.0,
        ) from error


def _address(response: httpx.Response) -> str:
    """Who answered. Without the query: that of a presigned address is a key to the file."""
    return str(response.url.copy_with(query=None))


def _is_json(response: httpx.Response) -> bool:
    kind: str = response.headers.get("Content-Type", "")
    return kind.partition(";")[0].strip().endswith("json")


def _part(text: str) -> str:
    return quote(text, safe="")


def _job(job: JobKey) -> str:
    return f"jobs/{_part(job.namespace)}/{_part(job.name)}"


def _model(job: JobKey, version: int) -> str:
    return f"{_job(job)}/models/{version}"
