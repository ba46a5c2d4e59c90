"""Answers and failures of an S3 service, as errors of the exception tree."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, cast
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from sedna.common.errors import (
    AuthError,
    ConflictError,
    NotFoundError,
    SednaError,
    SpecError,
    StorageFullError,
    StoreUnavailableError,
)
from sedna.store.base import NoBucketError, ObjectLimitError

__all__ = ["answer_as_error", "s3_errors"]

_FULL = frozenset(
    {
        "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "QuotaExceeded",
        "InsufficientStorage",
        "EntityQuotaExceeded",
    }
)
_BUSY = frozenset(
    {"SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "InternalError", "Throttling"}
)
_CREDENTIALS = {
    "InvalidAccessKeyId": "the service does not know this access key",
    "SignatureDoesNotMatch": "check the secret key",
    "ExpiredToken": "get a new session token",
    "InvalidToken": "get a new session token",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "AccessDenied": "check the access key, and what it may do with this bucket",
}
_REGION = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "Redirect"})


def answer_as_error(
    status: int, code: str, message: str, where: str, headers: Mapping[str, str] | None = None
) -> SednaError:
    """What an HTTP answer other than 2xx means. ``code`` is S3's, or empty."""
    said = f"S3 answered {status} {code}".rstrip() + (f": {message}" if message else "")
    if code in _FULL or status == 507:
        return StorageFullError(said, where=where, hint="free space or raise the quota", retry_after=30.0)
    if code in _CREDENTIALS or status in (401, 403):
        hint = _CREDENTIALS.get(code, _CREDENTIALS["AccessDenied"])
        return AuthError(said, where=where, hint=hint, forbidden=status != 401)
    if code == "NoSuchBucket":
        return NoBucketError("there is no such bucket", where=where, hint="create it, or correct the URL")
    if status == 501:
        return SpecError(said, where=where, hint="this service cannot do what was asked")
    if code in _BUSY or status >= 500 or status in (408, 429):
        return StoreUnavailableError(said, where=where, retry_after=_retry_after(headers))
    if status == 404:
        return NotFoundError("there is no such object", where=where)
    if code == "EntityTooLarge" or status == 413:
        return ObjectLimitError(said, where=where, hint="raise the limit of the service, or of a proxy before it")
    if code in _REGION or status in (301, 307):
        return SpecError(said, where=where, hint="set the region of the bucket (AWS_DEFAULT_REGION)")
    if status in (409, 412):
        return ConflictError(said, where=where)
    return SpecError(said, where=where, hint="is this URL an S3 service?")


def _retry_after(headers: Mapping[str, str] | None) -> float:
    value = (headers or {}).get("Retry-After", "")
    return min(float(value), 3600.0) if value.isdecimal() else 1.0


def _connection_error(error: HTTPError, where: str) -> SednaError:
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, SSLError):
        inner = cause.args[0] if cause.args else None
        if isinstance(inner, ssl.SSLCertVerificationError):
            hint = "name the authority's PEM file in AWS_CA_BUNDLE"
            return SpecError(f"the TLS certificate is not trusted: {inner.verify_message}", where=where, hint=hint)
        return StoreUnavailableError(f"no TLS connection: {cause}", where=where, hint="http or https in the endpoint?")
    return StoreUnavailableError(f"no connection, or it broke: {type(cause).__name__}: {cause}", where=where)


def _client_error(error: MinioException, where: str) -> SednaError:
    if isinstance(error, S3Error):
        headers = error.response.headers
        return answer_as_error(error.response.status, error.code or "", error.message or "", where, headers)
    if isinstance(error, ServerError):
        return answer_as_error(error.status_code, "", "", where)
    if isinstance(error, InvalidResponseError):
        # The client keeps the status to itself; what it pickles is public.
        status = int(cast(Any, error).__reduce__()[1][0])
        if 200 <= status < 400:
            return StoreUnavailableError(f"no S3 answer (status {status})", where=where, hint="is this an S3 service?")
        return answer_as_error(status, "", "", where)
    return StoreUnavailableError(str(error), where=where)


@contextlib.contextmanager
def s3_errors(where: str) -> Iterator[None]:
    """Raise what a failure of the client in the block means for the object or bucket named ``where``."""
    try:
        yield
    except HTTPError as error:
        raise _connection_error(error, where) from error
    except MinioException as error:
        raise _client_error(error, where) from error
    except (ParseError, UnicodeDecodeError) as error:
        hint = "a broken connection, or not an S3 service"
        raise StoreUnavailableError(f"the answer is not S3's: {error}", where=where, hint=hint) from error
