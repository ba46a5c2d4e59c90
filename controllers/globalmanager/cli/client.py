"""The service as the command line reaches it: where it is, and calls with errors of the tree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import typer

from globalmanager.cli.contexts import find_target, note_target, other_here
from globalmanager.cli.errors import ManyMistakesError
from sedna.common.atomic import temporary_beside
from sedna.common.errors import (
    AuthError,
    ConflictError,
    DataError,
    LinkUnavailableError,
    NotFoundError,
    PermanentError,
    SednaError,
    SpecError,
    TooLargeError,
)
from sedna.common.types import JobKey

__all__ = ["Client", "connect", "job_key", "job_path"]

_TIMEOUT = httpx.Timeout(connect=5.0, read=60.0, write=60.0, pool=5.0)
_PAGE = 500

_ERRORS: dict[int, type[SednaError]] = {
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    415: DataError,
    422: DataError,
    400: DataError,
    503: LinkUnavailableError,
}


def job_key(text: str) -> JobKey:
    """``name`` or ``namespace/name``.

    Raises:
        SpecError: it is neither.
    """
    namespace, slash, name = text.partition("/")
    if not slash:
        namespace, name = "default", text
    try:
        return JobKey(namespace=namespace, name=name)
    # pydantic's error is a ValueError; what it says of patterns helps nobody who typed a name.
    except ValueError as error:
        raise SpecError(f"{text!r} is not the name of a job", where="JOB", hint="NAME or NAMESPACE/NAME") from error


def job_path(text: str) -> str:
    """The address of a job, from its name on the command line."""
    key = job_key(text)
    return f"jobs/{quote(key.namespace, safe='')}/{quote(key.name, safe='')}"


def connect(url: str | None, token: str | None) -> Client:
    """A client for the given service, or else for the one that `find_target` finds.

    Says on standard error when commands without an address have begun to go elsewhere.

    Raises:
        SpecError: no service is known, or its file is damaged.
    """
    target = find_target(url, token)
    client = Client(target.url, target.token, str(target))
    last = note_target(target)
    if url is None:
        if last is not None:
            typer.echo(f"warning: commands go to {target} now; the last one went to {last}", err=True)
        here = other_here(target)
        if here is not None:
            hint = "'sedna context use --auto' takes that of the folder"
            typer.echo(f"warning: the service of this folder is {here.url}, and not {target.url}: {hint}", err=True)
    return client


class Client:
    """Calls of ``/api/v1``. Use as a context manager.

    Args:
        told_as: how the service is named on standard error once, before the first call that changes something there.
    """

    def __init__(self, url: str, token: str, told_as: str = "") -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise SpecError(f"{url!r} is not an address", where="--url", hint="http://HOST:PORT")
        self._url = url
        self._untold = told_as
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        """Address of the service."""
        return self._url

    def get(self, path: str, **params: object) -> Any:
        """The answer's JSON."""
        return self._call("GET", path, params=_given(params)).json()

    def content(self, path: str) -> bytes:
        """The bytes of the answer."""
        return self._call("GET", path).content

    def download(self, path: str, file: Path, **params: object) -> Mapping[str, str]:
        """Write a streamed answer into a new file, which is there whole or not at all; the answer's headers.

        Raises:
            ConflictError: the file is there already.
            NotFoundError: its folder is not.
            LinkUnavailableError: the stream broke off.
        """
        file = file.absolute()
        if file.exists():
            raise ConflictError("this exists", where=str(file), hint="a new name; a download replaces nothing")
        if not file.parent.is_dir():
            raise NotFoundError("there is no such folder", where=str(file.parent))
        aside = temporary_beside(file)
        try:
            with self._http.stream("GET", path, params=_given(params)) as response, aside.open("xb") as out:
                if response.is_error:
                    response.read()
                    raise _error(response)
                for chunk in response.iter_bytes():
                    out.write(chunk)
            aside.rename(file)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        finally:
            aside.unlink(missing_ok=True)
        return response.headers

    def post(self, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Any:
        """Send JSON; the answer's JSON."""
        return self._call("POST", path, json=dict(body), headers=dict(headers or {})).json()

    def put(self, path: str, body: Mapping[str, object]) -> Any:
        """Send JSON; the answer's JSON."""
        return self._call("PUT", path, json=dict(body)).json()

    def send(self, path: str, content: bytes, media_type: str, **params: object) -> Any:
        """Post bytes; the answer's JSON."""
        headers = {"Content-Type": media_type}
        return self._call("POST", path, content=content, headers=headers, params=_given(params)).json()

    def upload(self, path: str, record: str, image: bytes) -> Any:
        """Put a sample, with its record as JSON; the answer's JSON."""
        return self._call("PUT", path, data={"record": record}, files={"image": image}).json()

    def delete(self, path: str) -> None:
        """Delete."""
        self._call("DELETE", path)

    def pages(self, path: str, *, limit: int | None, **params: object) -> list[Any]:
        """Items of a paged list, up to ``limit`` (None = all)."""
        found: list[Any] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            # Never more than is still wanted: the last page would be read for nothing.
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self.get(path, limit=size, cursor=cursor, **params)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        return found

    def events(self, path: str, *, after: int | None, follow: bool) -> Iterator[dict[str, Any]]:
        """Events of a stream until it ends.

        Raises:
            LinkUnavailableError: the stream broke off.
        """
        params = _given({"after": after, "follow": follow})
        timeout = httpx.Timeout(_TIMEOUT.connect, read=60.0)  # the service writes at least every 15 s
        try:
            with self._http.stream("GET", path, params=params, timeout=timeout) as response:
                if response.is_error:
                    # A streamed answer has no body yet, and the error is in it.
                    response.read()
                    raise _error(response)
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        if method != "GET" and self._untold:
            # Before the call: where it went is worth most when no answer comes.
            typer.echo(f"service: {self._untold}", err=True)
            self._untold = ""
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if response.is_error:
            raise _error(response)
        return response

    def _away(self, error: httpx.HTTPError) -> LinkUnavailableError:
        reason = str(error) or type(error).__name__
        return LinkUnavailableError(
            f"the service does not answer: {reason}", where=self._url, hint="is it running? 'sedna up' starts one"
        )


def _given(params: Mapping[str, object]) -> dict[str, str | list[str]]:
    """Query parameters without absent ones, in the spelling of JSON; a list is one that stands several times."""
    return {
        name: [_spelt(one) for one in value] if isinstance(value, list) else _spelt(value)
        for name, value in params.items()
        if value is not None
    }


def _spelt(value: object) -> str:
    # Python writes True, which the service reads as a text.
    return str(value).lower() if isinstance(value, bool) else str(value)


def _error(response: httpx.Response) -> SednaError:
    """The error that a problem stands for."""
    status = response.status_code
    # A proxy, or another service on that port: its words would be taken for ours.
    if "problem+json" not in response.headers.get("Content-Type", ""):
        return PermanentError(f"answer {status} of some other server", where=str(response.url), hint="check --url")
    problem = response.json()
    parts = problem.get("errors") or []
    # One mistake has hint and place of its own in the problem; only several need lines.
    if len(parts) > 1:
        return ManyMistakesError(tuple(_line(part) for part in parts))
    message, where, hint = problem["detail"], problem.get("where", ""), problem.get("hint", "")
    if status in (401, 403):
        return AuthError(message, where=where, hint=hint, forbidden=status == 403)
    return _ERRORS.get(status, PermanentError)(message, where=where, hint=hint)


def _line(part: Mapping[str, str]) -> str:
    return f"{part['where']}: {part['detail']}" + (f" ({part['hint']})" if part.get("hint") else "")
