"""The seam between an edge and the cloud; `HttpEdgeLink` is the real one, one-process set-ups and tests use a twin."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from sedna.common.types import JobKey, SampleRecord
from sedna.edge.protocol import EdgeDesired, EdgeHeartbeat
from sedna.store.models import ModelManifest

__all__ = ["EdgeLink"]


class EdgeLink(Protocol):
    """How an edge reaches the cloud. Every method may be called from several threads.

    Every method raises:
        LinkUnavailableError: the other end does not answer or is overloaded; ``retry_after`` says when to come back.
        AuthError: the token is wrong, expired, or belongs to another edge.
        UserError: the request was understood and refused; repeating it is useless.
    """

    def heartbeat(self, heartbeat: EdgeHeartbeat) -> EdgeDesired:
        """Report, and learn what is wanted."""
        ...

    def model_manifest(self, job: JobKey, version: int) -> ModelManifest:
        """The manifest of a published model."""
        ...

    def open_model_file(self, job: JobKey, version: int, name: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of one file of a published model, as a stream that is not seekable."""
        ...

    def open_model_module(self, job: JobKey, version: int) -> AbstractContextManager[BinaryIO]:
        """The Python file that opens a published model, as `ModelManifest.module` describes it, as a stream."""
        ...

    def put_sample(self, record: SampleRecord, image: Path) -> bool:
        """Hand over one sample; the file holds the bytes that ``record.sample_id`` is the sha256 of.

        Returns:
            True if the cloud did not have it; False if it was there already. Either way it is stored for good.
        """
        ...
