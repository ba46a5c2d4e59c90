"""How a worker reaches store and service: settings of its machine, which no order holds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote, unquote, urlsplit

import httpx
import tenacity
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sedna.common.errors import (
    AuthError,
    LinkUnavailableError,
    NotFoundError,
    PermanentError,
    SednaError,
    SpecError,
)
from sedna.common.log import LOGGER
from sedna.common.validation import first_fault
from sedna.store import FolderStore
from sedna.store.base import ObjectInfo, Source, opened
from sedna.store.file_sets import FileStore
from sedna.store.node_cache import DEFAULT_BYTES

__all__ = ["ServiceLink", "WorkerAccess"]

_CHUNK = 1 << 20
_TIMEOUT = httpx.Timeout(connect=5.0, read=120.0, write=120.0, pool=5.0)
_PREFIX = "SEDNA_"


class WorkerAccess(BaseModel):
    """Where a worker works and how it reaches the others; each field is the variable ``SEDNA_<NAME>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str = Field(default="", description="key of the order in the store; empty: the one of the token")
    store_url: str | None = Field(default=None, description="folder store of this machine; none: through the service")
    service_url: str | None = Field(default=None, description="http(s)://host:port of the service; none: no reports")
    service_url_file: Path | None = Field(
        default=None, description="file with that address, read for every call: a service may come back elsewhere"
    )
    worker_token: str | None = Field(default=None, repr=False, description="bearer token of this attempt")
    work_dir: Path = Field(description="folder of this worker alone")
    cache_dir: Path = Field(description="files of the store that this machine's workers share")
    cache_bytes: int = Field(default=DEFAULT_BYTES, ge=0, description="of the cache; the oldest files go")
    signals_reach_group: bool = Field(
        default=False, description="whether who sends SIGTERM sends it to the worker's program as well"
    )

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SpecError: a variable is missing or cannot be read; the message names it.
        """
        given = {name: environment.get(f"{_PREFIX}{name.upper()}") for name in cls.model_fields}
        try:
            access = cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            fault = first_fault(error)
            field = cls.model_fields.get(fault.path)
            hint = (field.description if field else None) or ""
            raise SpecError(fault.message, where=f"{_PREFIX}{fault.path.upper()}", hint=hint) from error
        access.check()
        return access

    def check(self) -> None:
        """Raise `SpecError` unless there is a way to the inputs."""
        if self.store_url is None and (not self._has_service() or self.worker_token is None):
            hint = "SEDNA_STORE_URL, a folder; or SEDNA_SERVICE_URL with SEDNA_WORKER_TOKEN"
            raise SpecError("there is no way to the inputs", where="SEDNA_STORE_URL", hint=hint)
        parts = urlsplit(self.service_url or "http://unknown")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SpecError(f"{self.service_url!r} is no address", where="SEDNA_SERVICE_URL", hint="http://HOST:PORT")
        if self.store_url is not None and self.store_url.startswith("s3:"):
            hint = "a worker gets objects of S3 through the service: SEDNA_SERVICE_URL with SEDNA_WORKER_TOKEN"
            raise SpecError("a worker holds no keys of an object store", where="SEDNA_STORE_URL", hint=hint)

    def to_env(self) -> dict[str, str]:
        """The variables that `from_env` reads."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {f"{_PREFIX}{name.upper()}": str(value) for name, value in given.items() if value not in (None, "")}

    @staticmethod
    def without(environment: Mapping[str, str]) -> dict[str, str]:
        """An environment for a program that is not ours: without the token, and the rest of this."""
        ours = {f"{_PREFIX}{name.upper()}" for name in WorkerAccess.model_fields}
        return {name: value for name, value in environment.items() if name not in ours}

    def _has_service(self) -> bool:
        return self.service_url is not None or self.service_url_file is not None

    def service(self) -> ServiceLink | None:
        """The service as this worker sees it, or None."""
        if not self._has_service() or self.worker_token is None:
            return None
        return ServiceLink(self._address, self.worker_token)

    def _address(self) -> str:
        if self.service_url_file is None:
            assert self.service_url is not None, "checked by service()"
            return self.service_url
        try:
            return self.service_url_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"the address of the service cannot be read: {error.strerror}"
            raise LinkUnavailableError(message, where=str(self.service_url_file)) from error

    def files(self, service: ServiceLink | None) -> FileStore:
        """Where inputs are and results go."""
        if self.store_url is not None:
            folder = Path(unquote(self.store_url.removeprefix("file://")))
            if not folder.is_dir():  # an object store would make it, and find nothing in it
                raise NotFoundError(
                    "there is no such store", where=str(folder), hint="the folder of the service's store"
                )
            return FolderStore(folder)
        assert service is not None, "checked by check()"
        return service


class ServiceLink:
    """The routes ``/api/v1/worker/...`` of the service: a `FileStore` of one attempt, and its reports.

    Everything is tried again while the service does not answer: a training of hours must not be lost to a restart of
    the service. The time limit of the worker ends it.

    Args:
        url: gives ``http(s)://host:port``; asked for every call, since the service may come back at another port.
        token: of this attempt; once the attempt is over, every call raises `AuthError`.
        longest_wait: seconds between two tries.
    """

    def __init__(self, url: Callable[[], str], token: str, *, longest_wait: float = 15.0) -> None:
        self._url = url
        self._client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT)
        # Where the service sends us to the object store itself, our token is none of its business.
        self._anonymous = httpx.Client(timeout=_TIMEOUT)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(LinkUnavailableError),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=longest_wait),
            before_sleep=lambda state: LOGGER.warning("%s; trying again", state.outcome and state.outcome.exception()),
            reraise=True,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._anonymous.close()

    def order(self) -> bytes:
        """The order of this attempt, as JSON."""
        return self._retrying(self._once, "GET", "order").content

    def report(self, body: Mapping[str, Any]) -> None:
        """Hand over a report, once: it is in the store, so that nothing is lost if this fails.

        Raises:
            LinkUnavailableError: the service does not answer.
            AuthError, PermanentError: it does not want the report.
        """
        self._once("POST", "report", json=dict(body))

    def progress(self, line: Mapping[str, Any]) -> None:
        """Say how far the work is, once: the next one says it better. Raises as `report`."""
        self._once("PUT", "progress", json=dict(line))

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """As `FileStore.open`."""
        return self._stream(key)

    def get(self, key: str) -> bytes:
        """As `FileStore.get`."""
        with self._stream(key) as stream:
            return stream.read()

    def put(self, key: str, data: Source) -> ObjectInfo:
        """As `FileStore.put`."""
        return ObjectInfo.model_validate_json(self._send(key, data, {}).content)

    def put_if_absent(self, key: str, data: Source) -> bool:
        """As `FileStore.put_if_absent`."""
        try:
            self._send(key, data, {"If-None-Match": "*"})
        except _AlreadyThereError:
            return False
        return True

    def delete(self, key: str) -> None:
        """As `FileStore.delete`."""
        self._retrying(self._once, "DELETE", _path(key))

    def _send(self, key: str, data: Source, headers: dict[str, str]) -> httpx.Response:
        def attempt() -> httpx.Response:
            with opened(data) as (stream, length):
                sized = {} if length is None else {"Content-Length": str(length)}
                content = iter(lambda: stream.read(_CHUNK), b"")
                return self._once("PUT", _path(key), content=content, headers=headers | sized)

        return self._retrying(attempt)

    @contextlib.contextmanager
    def _stream(self, key: str) -> Iterator[BinaryIO]:
        """The bytes of an object; a connection that breaks in their middle is the reader's to notice by their hash."""
        with contextlib.ExitStack() as stack:
            response = self._retrying(self._begin, stack, key)
            with _errors(key):
                yield _Reader(response)  # type: ignore[misc]

    def _begin(self, stack: contextlib.ExitStack, key: str) -> httpx.Response:
        with _errors(key):
            response = stack.enter_context(self._client.stream("GET", self._at(_path(key))))
            if response.is_redirect:
                address = response.headers["Location"]
                response = stack.enter_context(self._anonymous.stream("GET", address))
            if not response.is_success:
                response.read()
                raise _refusal(response, key)
            return response

    def _at(self, path: str) -> str:
        return f"{self._url().rstrip('/')}/api/v1/worker/{path}"

    def _once(self, method: str, path: str, **options: Any) -> httpx.Response:
        with _errors(path):
            response = self._client.request(method, self._at(path), **options)
        if not response.is_success:
            raise _refusal(response, path)
        return response


class _AlreadyThereError(PermanentError):
    """A conditional PUT met an object."""


class _Reader:
    """An answer's body as a stream to read once."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.iter_bytes(_CHUNK)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._rest += chunk
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken


def _path(key: str) -> str:
    return f"objects/{quote(key)}"


def _is_ours(response: httpx.Response) -> bool:
    """Whether the service itself refuses, or the object store that it has sent us to."""
    return (
        "json" in response.headers.get("Content-Type", "")
        or bool(response.history)
        or "/api/v1/" not in str(response.url)
    )


@contextlib.contextmanager
def _errors(where: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise LinkUnavailableError(f"no answer: {error or type(error).__name__}", where=where) from error


def _refusal(response: httpx.Response, where: str) -> SednaError:
    status = response.status_code
    text = f"status {status}: {response.text[:500]}"
    if status == 412:
        return _AlreadyThereError(text, where=where)
    if status >= 400 and not _is_ours(response):
        # Another program has the port of a service that will come back elsewhere, or a proxy answers for it.
        return LinkUnavailableError(f"an answer of something else: {text}", where=where)
    if status > 500 or status in (408, 429):
        return LinkUnavailableError(text, where=where)
    if status in (404, 410):
        return NotFoundError(text, where=where)
    if status in (401, 403):
        return AuthError(text, where=where, forbidden=status == 403)
    return PermanentError(text, where=where)
