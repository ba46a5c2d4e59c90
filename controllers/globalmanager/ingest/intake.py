"""Take samples from edges: bytes first, row second, so that a row always has its image."""

from __future__ import annotations

from datetime import datetime

from globalmanager.auth.principal import Principal
from globalmanager.db import Database, jobs, samples
from globalmanager.ingest.images import inspect_image
from sedna.common.errors import DataError
from sedna.common.types import SampleRecord, sample_id
from sedna.store.base import ObjectStore
from sedna.store.layout import sample_key, sample_record_key


def receive_sample(
    db: Database, store: ObjectStore, caller: Principal, record: SampleRecord, image: bytes, now: datetime
) -> bool:
    """Check who sends a sample and what the pixels say, then store it; it is safe when this returns.

    Returns:
        True if it is new, False if the job has it already.

    Raises:
        AuthError: the caller speaks for another edge.
        NotFoundError: there is no such job.
        DataError: record and bytes do not belong together, or the bytes are not a whole image.
        TooLargeError: too many pixels.
        TemporaryError: store or database are away, or full.
    """
    caller.require_edge(record.edge)
    known = _known(db, record)
    _check_bytes(record, image)
    if known is not None:
        # Edges repeat what they got no answer for. The same bytes were decoded when they came first: their hash is
        # proof enough, and costs a small part of a decode.
        _check_size(record, known.width, known.height)
        return False
    facts = inspect_image(image, f"sample {record.sample_id}")
    _check_size(record, facts.width, facts.height)
    return _store_and_insert(db, store, record, image, now)


def accept_sample(db: Database, store: ObjectStore, record: SampleRecord, image: bytes, now: datetime) -> bool:
    """Store a sample whose sender and pixels are known to be right. When this returns, it survives a power cut.

    Returns:
        True if it is new, False if the job has it already.

    Raises:
        NotFoundError: there is no such job.
        DataError: the bytes are not those that the record speaks of.
        TemporaryError: store or database are away, or full.
    """
    if _known(db, record) is not None:
        return False
    _check_bytes(record, image)
    return _store_and_insert(db, store, record, image, now)


def store_sample(store: ObjectStore, record: SampleRecord, image: bytes) -> None:
    """Put a sample's bytes and its record into the store; harmless when they are there.

    Raises:
        StoreUnavailableError, StorageFullError: nothing was acknowledged; send it again.
    """
    store.put_if_absent(sample_key(record.job, record.sample_id, record.extension), image)
    store.put_if_absent(sample_record_key(record.job, record.sample_id), record.model_dump_json().encode())


def _known(db: Database, record: SampleRecord) -> SampleRecord | None:
    """The record under which the job has the sample already. Raises `NotFoundError` if there is no such job."""
    with db.read() as session:
        job = jobs.get(session, record.job)
        if not samples.exists(session, job.id, record.sample_id):
            return None
        return samples.get(session, job.id, record.sample_id).record


def _store_and_insert(db: Database, store: ObjectStore, record: SampleRecord, image: bytes, now: datetime) -> bool:
    store_sample(store, record, image)
    with db.write() as session:
        job = jobs.get(session, record.job)  # again: it may have been deleted while the bytes were written
        return samples.insert(session, job.id, record, now)


def _check_bytes(record: SampleRecord, image: bytes) -> None:
    found = sample_id(image)
    if found != record.sample_id or len(image) != record.size:
        raise DataError(
            f"the image has {len(image)} bytes and sha256 {found}, its record says {record.size} bytes",
            where=f"sample {record.sample_id}",
            hint="the sample id is the sha256 of the image file, byte for byte",
        )


def _check_size(record: SampleRecord, width: int, height: int) -> None:
    if (width, height) != (record.width, record.height):
        raise DataError(
            f"the record says {record.width} x {record.height} pixels, the image has {width} x {height}",
            where="record.width, record.height",
        )
