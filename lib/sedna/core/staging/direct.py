"""A large object, sent to the object store itself at an address that the service had signed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import BinaryIO

import httpx
from pydantic import Field

from sedna.common.errors import LinkUnavailableError
from sedna.common.types import Value
from sedna.core.staging.service_answers import UNREACHABLE, AlreadyThereError
from sedna.store.base import ObjectInfo

__all__ = ["MAX_DIRECT_BYTES", "MIN_DIRECT_BYTES", "UploadAddress", "put_direct"]

MIN_DIRECT_BYTES = 8 << 20
"""Smaller ones cost the service less than the address would."""

MAX_DIRECT_BYTES = 5 << 30
"""S3's limit for what is sent in one piece."""

_CHUNK = 1 << 20


class UploadAddress(Value):
    """Where to PUT an object, and with which headers."""

    url: str = Field(repr=False, description="whoever has it may write the object, for some minutes")
    headers: dict[str, str] = Field(default_factory=dict)


def put_direct(client: httpx.Client, address: UploadAddress, key: str, stream: BinaryIO, length: int) -> ObjectInfo:
    """Send ``length`` bytes of ``stream``.

    Raises:
        AlreadyThereError: the headers say to keep what is there.
        httpx.ConnectError, httpx.ConnectTimeout: there is no way to that store from here; nothing was read.
        LinkUnavailableError: it does not take the object now, or the address is valid no more.
    """
    headers = {**address.headers, "Content-Length": str(length)}
    content = iter(lambda: stream.read(_CHUNK), b"")
    try:
        answer = client.put(address.url, content=content, headers=headers)
    except UNREACHABLE:
        raise
    except httpx.HTTPError as error:
        raise LinkUnavailableError(f"the object store: {error or type(error).__name__}", where=key) from error
    if answer.status_code == 412:
        raise AlreadyThereError("the object is there already", where=key)
    if not answer.is_success:
        raise LinkUnavailableError(f"the object store: status {answer.status_code}: {answer.text[:500]}", where=key)
    return ObjectInfo(key=key, size=length, etag=answer.headers.get("ETag"), modified=datetime.now(UTC))
