"""The service as a worker sees it: a store of objects, and somebody to report to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx
import tenacity

from sedna.common.errors import LinkUnavailableError
from sedna.common.log import LOGGER
from sedna.common.types import Value
from sedna.core.staging.direct import MAX_DIRECT_BYTES, MIN_DIRECT_BYTES, UploadAddress, put_direct
from sedna.core.staging.identity import FixedToken, TokenSource
from sedna.core.staging.service_answers import TIMEOUT, UNREACHABLE, AlreadyThereError, link_errors, refusal
from sedna.store.base import ObjectInfo, Source, opened

__all__ = ["ProgramState", "ServiceLink"]

_CHUNK = 1 << 20


class ProgramState(Value):
    """What the service has seen of a worker's program in another container."""

    ended: bool = False
    exit_code: int | None = None


class ServiceLink:
    """The routes ``/api/v1/worker/...`` of the service: a `FileStore` of one attempt, and its reports.

    Everything is tried again while the service does not answer: a training of hours must not be lost to a restart of
    the service. The time limit of the worker ends it.

    Large objects go to the object store itself and come from there, where the service says how; a store that cannot be
    reached from here is left to the service.

    Args:
        url: gives ``http(s)://host:port``; asked for every call, since the service may come back at another port.
        token: of this attempt; once the attempt is over, every call raises `AuthError`.
        longest_wait: seconds between two tries.
    """

    def __init__(self, url: Callable[[], str], token: str | TokenSource, *, longest_wait: float = 15.0) -> None:
        self._url = url
        self._token = FixedToken(token) if isinstance(token, str) else token
        self._client = httpx.Client(timeout=TIMEOUT)
        # Where the service sends us to the object store itself, our token is none of its business.
        self._anonymous = httpx.Client(timeout=TIMEOUT)
        self._direct = True
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
        self._token.close()

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

    def program(self, wait_seconds: float) -> ProgramState:
        """How the program of this attempt is, asked once; the answer comes when it has ended, or after some seconds.

        Raises:
            LinkUnavailableError: the service does not answer.
            AuthError: the attempt is over: nobody waits for its results.
            NotFoundError: the service does not see this program.
        """
        answer = self._once("GET", "program", params={"wait": wait_seconds})
        return ProgramState.model_validate_json(answer.content)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """As `FileStore.open`."""
        return self._stream(key)

    def get(self, key: str) -> bytes:
        """As `FileStore.get`."""
        with self._stream(key) as stream:
            return stream.read()

    def put(self, key: str, data: Source) -> ObjectInfo:
        """As `FileStore.put`."""
        return self._send(key, data, absent=False)

    def put_if_absent(self, key: str, data: Source) -> bool:
        """As `FileStore.put_if_absent`."""
        try:
            self._send(key, data, absent=True)
        except AlreadyThereError:
            return False
        return True

    def delete(self, key: str) -> None:
        """As `FileStore.delete`."""
        self._retrying(self._once, "DELETE", _path(key))

    def _send(self, key: str, data: Source, *, absent: bool) -> ObjectInfo:
        headers = {"If-None-Match": "*"} if absent else {}

        def attempt() -> ObjectInfo:
            with opened(data) as (stream, length):
                if length is not None and self._direct and MIN_DIRECT_BYTES <= length <= MAX_DIRECT_BYTES:
                    stored = self._send_direct(key, stream, length, absent=absent)
                    if stored is not None:
                        return stored
                sized = {} if length is None else {"Content-Length": str(length)}
                content = iter(lambda: stream.read(_CHUNK), b"")
                answer = self._once("PUT", _path(key), content=content, headers=headers | sized)
                return ObjectInfo.model_validate_json(answer.content)

        return self._retrying(attempt)

    def _send_direct(self, key: str, stream: BinaryIO, length: int, *, absent: bool) -> ObjectInfo | None:
        """Past the service; None if there is no such way, with the stream where it was."""
        answer = self._once("GET", f"uploads/{quote(key)}", params={"absent": absent})
        if answer.status_code == 204:
            self._direct = False  # a store of another kind: what it is does not change while a worker lives
            return None
        start = stream.tell()
        address = UploadAddress.model_validate_json(answer.content)
        try:
            return put_direct(self._anonymous, address, key, stream, length)
        except UNREACHABLE as error:
            self._go_through_the_service(error)
            stream.seek(start)
            return None

    def _go_through_the_service(self, error: httpx.HTTPError) -> None:
        LOGGER.warning("the object store cannot be reached from here, so the service passes objects on: %s", error)
        self._direct = False

    @contextlib.contextmanager
    def _stream(self, key: str) -> Iterator[BinaryIO]:
        """The bytes of an object; a connection that breaks in their middle is the reader's to notice by their hash."""
        with contextlib.ExitStack() as stack:
            response = self._retrying(self._begin, stack, key)
            with link_errors(key):
                yield _Reader(response)  # type: ignore[misc]

    def _begin(self, stack: contextlib.ExitStack, key: str) -> httpx.Response:
        with link_errors(key):
            response = self._begin_at_service(stack, key)
            if response.is_redirect:
                address = response.headers["Location"]
                try:
                    response = stack.enter_context(self._anonymous.stream("GET", address))
                except UNREACHABLE as error:
                    self._go_through_the_service(error)
                    response = self._begin_at_service(stack, key)
            if not response.is_success:
                response.read()
                raise refusal(response, key)
            return response

    def _begin_at_service(self, stack: contextlib.ExitStack, key: str) -> httpx.Response:
        params = {} if self._direct else {"through": "service"}
        used = self._token.token()
        response = stack.enter_context(
            self._client.stream("GET", self._at(_path(key)), params=params, headers=_bearer(used))
        )
        if response.status_code == 401:
            self._renew(used, key)
        return response

    def _renew(self, used: str, where: str) -> None:
        if self._token.refused(used):
            raise LinkUnavailableError("the service asks for another token", where=where)

    def _at(self, path: str) -> str:
        return f"{self._url().rstrip('/')}/api/v1/worker/{path}"

    def _once(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        with link_errors(path):
            used = self._token.token()
            response = self._client.request(
                method, self._at(path), headers={**(headers or {}), **_bearer(used)}, **more
            )
        if response.status_code == 401:
            self._renew(used, path)
        if not response.is_success:
            raise refusal(response, path)
        return response


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


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
