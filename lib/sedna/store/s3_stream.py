"""An S3 answer as an ordinary binary stream."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from urllib3.response import BaseHTTPResponse

from sedna.store.s3_errors import s3_errors

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["AnswerStream"]


class AnswerStream(io.RawIOBase):
    """The body of ``response``, whose failures are `StoreUnavailableError`, also a body that ends too early.

    Closing gives the connection back to its pool.
    """

    def __init__(self, response: BaseHTTPResponse, where: str) -> None:
        self._response = response
        self._where = where
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        with s3_errors(self._where):
            data = self._response.read(len(view))
        view[: len(data)] = data
        self._ended = not data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            # A body that was not read to its end would be taken for the next answer on this connection.
            if not (self._ended or self._response.length_remaining == 0):
                self._response.close()
            self._response.release_conn()
        super().close()
