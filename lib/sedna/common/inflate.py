"""Compressed request bodies, inflated while they arrive and never beyond a bound."""

from __future__ import annotations

import zlib
from typing import Final

from sedna.common.errors import DataError, MediaTypeError, TooLargeError

__all__ = ["Inflater"]

_GZIP: Final = 16 + zlib.MAX_WBITS
_ENCODINGS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class Inflater:
    """The bytes of one body behind ``Content-Encoding: gzip`` or ``deflate``, as RFC 9110 has them.

    A few bytes may stand for gigabytes: whatever is fed, at most ``limit`` bytes in all come out.

    Args:
        encoding: the header's value.
        limit: bytes.

    Raises:
        MediaTypeError: another encoding, or several.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in _ENCODINGS:
            hint = "gzip or deflate, or the body as it is"
            raise MediaTypeError(f"Content-Encoding {encoding!r} is not read here", hint=hint)
        self._left = limit
        self._limit = limit
        self._stream = zlib.decompressobj(_ENCODINGS[self._encoding])
        self._begun = False

    def feed(self, piece: bytes) -> bytes:
        """What this piece adds.

        Raises:
            TooLargeError: more than ``limit`` bytes come out.
            DataError: this is not what the header says.
        """
        made: list[bytes] = []
        while piece:
            if self._stream.eof:  # one member of a gzip file may follow another
                self._stream = zlib.decompressobj(_ENCODINGS[self._encoding])
            # One byte more than may come: whether there is more cannot be seen otherwise.
            more = self._inflated(piece)
            self._left -= len(more)
            if self._left < 0:
                raise TooLargeError("the body is too large once it is inflated", hint=f"at most {self._limit} bytes")
            made.append(more)
            piece = self._stream.unused_data or self._stream.unconsumed_tail
        return b"".join(made)

    def finish(self) -> None:
        """To be called at the end of the body.

        Raises:
            DataError: the compressed stream has not ended.
        """
        if self._begun and not self._stream.eof:
            raise DataError(f"the {self._encoding} body ends in its middle", hint="send all of it")

    def _inflated(self, piece: bytes) -> bytes:
        begun, self._begun = self._begun, True
        try:
            return self._stream.decompress(piece, self._left + 1)
        except zlib.error as error:
            if self._encoding == "deflate" and not begun:
                # Some clients leave the two bytes of the zlib format out, and all servers have learnt to bear it.
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
                try:
                    return self._stream.decompress(piece, self._left + 1)
                except zlib.error:
                    pass
            raise DataError(
                f"the body is not {self._encoding}: {error}", hint="Content-Encoding must be true"
            ) from error
