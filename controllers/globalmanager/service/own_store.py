"""The service's own object store as its callers see it: a refusal means "not now".

The operator must act when the store refuses the service's key, has lost its bucket, or takes no object of this size.
Callers must not: an edge that reads "wrong token" or "wrong sample" sets the sample aside, and a round throws its
candidate away. The service checks the size of a sample against its own limit before it asks the store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from sedna.common.errors import AuthError, SpecError, StoreUnavailableError
from sedna.store.base import NoBucketError, ObjectInfo, ObjectLimitError, ObjectStore, SignedPut, Source, check_key

__all__ = ["OwnStore"]

RETRY_SECONDS = 30.0
"""Sooner is noise, since a person has to act; later keeps edges waiting after the store was put right."""


class OwnStore:
    """An `ObjectStore` whose refusals are `StoreUnavailableError`; everything else is the inner store's."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner

    @property
    def url(self) -> str:
        return self._inner.url

    def put(self, key: str, data: Source) -> ObjectInfo:
        with _refusals(key):
            return self._inner.put(key, data)

    def put_if_absent(self, key: str, data: Source) -> bool:
        with _refusals(key):
            return self._inner.put_if_absent(key, data)

    def get(self, key: str) -> bytes:
        with _refusals(key):
            return self._inner.get(key)

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        with _refusals(key):
            return self._inner.open(key)

    def download(self, key: str, path: Path) -> None:
        with _refusals(key):
            self._inner.download(key, path)

    def stat(self, key: str) -> ObjectInfo | None:
        with _refusals(key):
            return self._inner.stat(key)

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        with _refusals(None):
            yield from self._inner.list(prefix, start_after)

    def copy(self, source: str, target: str) -> None:
        check_key(target)
        with _refusals(source):
            self._inner.copy(source, target)

    def delete(self, key: str) -> None:
        with _refusals(key):
            self._inner.delete(key)

    def presign_get(self, key: str, expires: timedelta) -> str | None:
        with _refusals(key):
            return self._inner.presign_get(key, expires)

    def presign_put(self, key: str, expires: timedelta, *, absent: bool = False) -> SignedPut | None:
        with _refusals(key):
            return self._inner.presign_put(key, expires, absent=absent)

    def close(self) -> None:
        self._inner.close()


@contextlib.contextmanager
def _refusals(key: str | None) -> Iterator[None]:
    if key is not None:
        check_key(key)  # the caller's own mistake stays one
    try:
        yield
    except (AuthError, NoBucketError, ObjectLimitError, SpecError) as error:
        raise StoreUnavailableError(
            f"the service's object store refuses it: {error.message}",
            where=error.where,
            hint=error.hint,
            retry_after=RETRY_SECONDS,
        ) from error
