"""Objects of the store as answers: whole and undamaged, or a problem."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from starlette.responses import StreamingResponse

from globalmanager.api.services import ApiServices
from sedna.common.errors import IntegrityError

__all__ = ["stored_bytes", "stored_whole"]

_CHUNK: Final = 1 << 20


def stored_bytes(
    services: ApiServices, key: str, media_type: str, headers: dict[str, str], *, size: int, sha256: str | None = None
) -> StreamingResponse:
    """An object as a streamed answer, opened before the first header is sent, so that errors are answered.

    Args:
        sha256: what its bytes must be. They are read once before the answer begins, and sent from a second reading:
            after the head there is no way left to say that they are damaged.

    Raises:
        NotFoundError, TemporaryError: from the store.
        IntegrityError: it has another size or other bytes.
    """
    if sha256 is not None:
        _check(services, key, size, sha256)
    stack = ExitStack()
    stream = stack.enter_context(services.store.open(key))

    def chunks() -> Iterator[bytes]:
        with stack:
            while chunk := stream.read(_CHUNK):
                yield chunk

    return StreamingResponse(chunks(), media_type=media_type, headers={**headers, "Content-Length": str(size)})


def stored_whole(services: ApiServices, key: str, *, size: int, sha256: str) -> bytes:
    """The bytes of an object, for who looks at them here.

    Raises:
        NotFoundError, TemporaryError: from the store.
        IntegrityError: it has another size or other bytes.
    """
    content = services.store.get(key)
    _require(key, (len(content), hashlib.sha256(content).hexdigest()), (size, sha256))
    return content


def _check(services: ApiServices, key: str, size: int, sha256: str) -> None:
    digest, count = hashlib.sha256(), 0
    with services.store.open(key) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            count += len(chunk)
    _require(key, (count, digest.hexdigest()), (size, sha256))


def _require(key: str, found: tuple[int, str], wanted: tuple[int, str]) -> None:
    if found != wanted:
        raise IntegrityError(
            f"the stored object is damaged: {found[0]} bytes that are not those of its sha256",
            where=key,
            hint=f"{wanted[0]} bytes with sha256 {wanted[1]}; uploading a sample again repairs it",
        )
