"""An object store in a bucket of any S3 service, through the ``minio`` client."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, cast

import urllib3
from minio.commonconfig import CopySource
from minio.error import S3Error

from sedna.common.errors import AuthError, ConflictError, DataError, NotFoundError, SednaError, SpecError, TooLargeError
from sedna.store.base import RESERVED, ObjectInfo, SignedPut, Source, check_key, is_key, opened
from sedna.store.download import stream_to_file
from sedna.store.s3_client import make_client, make_pool
from sedna.store.s3_errors import answer_as_error, s3_errors
from sedna.store.s3_settings import S3Settings
from sedna.store.s3_stream import AnswerStream

__all__ = ["S3Store"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MAX_SINGLE_PUT = 5 << 30  # S3's limit for an object that is sent in one piece
_CONDITIONAL_TRIES = 3
_IN_MEMORY = 8 << 20


class S3Store:
    """Objects in ``bucket``, below ``prefix``. Safe for several threads; after a fork each process makes its own.

    Failed requests are repeated ``settings.retries`` times where that is safe: the condition of a `put_if_absent` only
    while no connection came about, for otherwise an answer could be about the try before.

    A service that speaks plain http checks what it receives against the signed sha256; over TLS the client sends
    the MD5. What is read is checked for its length here, and by sha256 where the object's id or manifest tells it.
    """

    def __init__(self, settings: S3Settings, bucket: str, prefix: str = "") -> None:
        """
        Raises:
            SpecError: bucket, prefix, region or CA bundle are not usable. The service itself is not asked.
        """
        if not _BUCKET.fullmatch(bucket):
            hint = "3 to 63 lower-case letters, digits, dots and hyphens"
            raise SpecError("this is no bucket name", where=repr(bucket), hint=hint)
        if prefix:
            check_key(prefix)
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self._settings = settings
        self._http = make_pool(settings)
        self._http_once = make_pool(settings, retry_sent=False)
        self._client = make_client(settings, self._http)
        self._lock = threading.Lock()
        self._conditional: bool | None = None

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def supports_conditional_put(self) -> bool:
        """Whether the service honours ``If-None-Match: *``, found out once by writing and deleting a probe object.

        Where it does not, `put_if_absent` looks first and puts then. That is not safe against a race: two writers may
        both get True, and the bytes of the last one stay. Content-addressed keys take no harm, since their bytes are
        the same; locks are ruled out.
        """
        with self._lock:
            if self._conditional is None:
                self._conditional = self._probe_conditional_put()
            return self._conditional

    def put(self, key: str, data: Source) -> ObjectInfo:
        name = self._name(key)
        with opened(data) as (stream, length), s3_errors(self._where(key)):
            counted = _CountingReader(stream)
            try:
                done = self._client.put_object(
                    self.bucket,
                    name,
                    cast(BinaryIO, counted),
                    -1 if length is None else length,
                    part_size=self._settings.part_size,
                    num_parallel_uploads=1,
                )
            except OSError as error:  # the network's failures have other types
                hint = "it must not change while it is stored"
                raise DataError(f"cannot read what is to be stored: {error}", where=key, hint=hint) from error
        stamp = done.http_headers.get("Date") if done.http_headers else None
        modified = parsedate_to_datetime(stamp) if stamp else datetime.now(UTC)
        return ObjectInfo(key=key, size=counted.count, etag=done.etag, modified=modified)

    def put_if_absent(self, key: str, data: Source) -> bool:
        self._name(key)
        if self.stat(key) is not None:
            return False
        if not self.supports_conditional_put:
            self.put(key, data)
            return True
        with _sized(data) as (stream, length):
            if length > _MAX_SINGLE_PUT:
                raise TooLargeError(f"{length} bytes", where=key, hint=f"put_if_absent takes up to {_MAX_SINGLE_PUT}")
            return self._put_conditional(key, stream, length)

    def get(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        name, where = self._name(key), self._where(key)
        with s3_errors(where):
            response = self._client.get_object(self.bucket, name)
        return cast(BinaryIO, io.BufferedReader(AnswerStream(response, where), buffer_size=1 << 16))

    def download(self, key: str, path: Path) -> None:
        stream_to_file(self.open(key), path)

    def stat(self, key: str) -> ObjectInfo | None:
        name, where = self._name(key), self._where(key)
        try:
            with s3_errors(where):
                found = self._client.stat_object(self.bucket, name)
        except NotFoundError:
            return None
        except (AuthError, SpecError):
            self._ask_for_the_reason(name, where)
            raise
        return ObjectInfo(key=key, size=found.size or 0, etag=found.etag, modified=found.last_modified)

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        after = f"{self.prefix}{start_after}" if start_after else None
        with s3_errors(f"{self.url}/{prefix}*"):
            for found in self._client.list_objects(
                self.bucket, prefix=f"{self.prefix}{prefix}", recursive=True, start_after=after
            ):
                key = (found.object_name or "").removeprefix(self.prefix)
                # Other tools leave folder markers ("folder/") and names that `check_key` refuses. Listing them would
                # offer keys that `get` cannot read.
                if is_key(key) and key != start_after:
                    yield ObjectInfo(key=key, size=found.size or 0, etag=found.etag, modified=found.last_modified)

    def copy(self, source: str, target: str) -> None:
        origin, name = self._name(source), self._name(target)
        if self.stat(target) is not None:
            return
        with s3_errors(self._where(source)):
            self._client.copy_object(self.bucket, name, CopySource(self.bucket, origin))

    def delete(self, key: str) -> None:
        name = self._name(key)
        with contextlib.suppress(NotFoundError), s3_errors(self._where(key)):
            self._client.remove_object(self.bucket, name)

    def presign_get(self, key: str, expires: timedelta) -> str | None:
        name = self._name(key)
        _check_expiry(key, expires)
        with s3_errors(self._where(key)):
            return str(self._client.presigned_get_object(self.bucket, name, expires=expires))

    def presign_put(self, key: str, expires: timedelta, *, absent: bool = False) -> SignedPut | None:
        name = self._name(key)
        _check_expiry(key, expires)
        # Not signed, as the client cannot: whoever has the address may leave the condition out. Keys that must not be
        # overwritten hold the sha256 of their content, which is checked by whoever reads them.
        headers = {"If-None-Match": "*"} if absent and self.supports_conditional_put else {}
        with s3_errors(self._where(key)):
            url = self._client.presigned_put_object(self.bucket, name, expires=expires)
        return SignedPut(url=str(url), headers=headers)

    def close(self) -> None:
        self._http.clear()
        self._http_once.clear()

    def _ask_for_the_reason(self, name: str, where: str) -> None:
        """Raise what is wrong: an answer to HEAD has no body, so it is a number alone. One to GET names the cause."""
        with contextlib.suppress(NotFoundError), s3_errors(where):
            answer = self._client.get_object(self.bucket, name, length=1)
            answer.close()
            answer.release_conn()

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}"

    def _probe_conditional_put(self) -> bool:
        key = f"{RESERVED}probe/{uuid.uuid4().hex}"
        try:
            if not self._send_conditional(key, io.BytesIO(b"1"), 1):
                return False
        except SpecError:  # a service that knows the condition and refuses it
            return False
        try:
            return self._send_conditional(key, io.BytesIO(b"2"), 1) is False
        finally:
            with s3_errors(self._where(key)):
                self._client.remove_object(self.bucket, self.prefix + key)

    def _put_conditional(self, key: str, stream: BinaryIO, length: int) -> bool:
        start = stream.tell()
        for _ in range(_CONDITIONAL_TRIES):
            stream.seek(start)
            created = self._send_conditional(key, stream, length)
            if created is not None:
                return created
        raise ConflictError("other writers and deleters of this object are at work", where=self._where(key))

    def _send_conditional(self, key: str, stream: BinaryIO, length: int) -> bool | None:
        """One conditional PUT: True = created, False = exists, None = the service says that a race has no winner yet.

        The client has no argument for the condition, but a pre-signed PUT takes any header that is not signed.
        """
        where = self._where(key)
        headers = {
            "If-None-Match": "*",
            "Content-Length": str(length),
            "Content-MD5": _md5(stream),
            "Content-Type": "application/octet-stream",
        }
        with s3_errors(where):
            url = self._client.get_presigned_url("PUT", self.bucket, self.prefix + key, expires=timedelta(hours=1))
            answer = self._http_once.request("PUT", url, body=stream if length else b"", headers=headers)
        if answer.status in (200, 201, 204):
            return True
        if answer.status == 412:
            return False
        error = _answer_error(answer, where)
        if answer.status == 409 and isinstance(error, ConflictError):
            return None
        raise error


def _check_expiry(key: str, expires: timedelta) -> None:
    if not timedelta(seconds=1) <= expires <= timedelta(days=7):
        raise SpecError(f"a URL cannot be valid for {expires}", where=key, hint="from 1 second to 7 days")


class _CountingReader:
    """Counts what the client reads: the size of a stream of unknown length."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        return data


@contextlib.contextmanager
def _sized(data: Source) -> Iterator[tuple[BinaryIO, int]]:
    """``data`` as a seekable stream of known length; what cannot be measured is copied to a temporary file."""
    with opened(data) as (stream, length):
        if length is not None:
            yield stream, length
            return
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
            while chunk := stream.read(1 << 20):
                copy.write(chunk)
            length = copy.tell()
            copy.seek(0)
            yield cast(BinaryIO, copy), length


def _md5(stream: BinaryIO) -> str:
    """Content-MD5 of the rest of ``stream``, which stays where it is."""
    start = stream.tell()
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    stream.seek(start)
    return base64.b64encode(digest.digest()).decode()


def _answer_error(answer: urllib3.BaseHTTPResponse, where: str) -> SednaError:
    code, message = "", ""
    if answer.data.lstrip().startswith(b"<"):
        with s3_errors(where):
            parsed = S3Error.fromxml(answer)
        code, message = parsed.code or "", parsed.message or ""
    return answer_as_error(answer.status, code, message, where, answer.headers)
