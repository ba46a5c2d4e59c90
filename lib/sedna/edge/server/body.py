"""Request bodies, read with a limit that holds while they arrive."""

from __future__ import annotations

from fastapi import Request
from starlette.requests import ClientDisconnect

from sedna.common.errors import TooLargeError
from sedna.common.inflate import Inflater
from sedna.edge.server.errors import RequestError

__all__ = ["read_body"]


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, inflated if it came compressed.

    One over ``limit`` bytes is refused at the first byte too many, or before the first one.

    Raises:
        TooLargeError: over the limit, compressed or inflated.
        MediaTypeError: compressed otherwise than by gzip or deflate.
        DataError: compressed, and damaged.
        RequestError: the length header is no number, or the client went away.
    """
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    inflater = None if encoding == "identity" else Inflater(encoding, limit)
    declared = request.headers.get("Content-Length")
    if declared is not None:
        if not declared.isdecimal():
            raise RequestError(f"Content-Length {declared!r} is no number")
        if int(declared) > limit:
            raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece if inflater is None else inflater.feed(piece))
    except ClientDisconnect:
        raise RequestError("the client went away before the end of the body") from None
    request.state.body_read = True
    if inflater is not None:
        inflater.finish()
    return b"".join(pieces)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError("the body is too large", hint=f"at most {limit} bytes are accepted")
