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


def store_sample(store: ObjectStore, record: SampleRecord, image: bytes) -> None:
    """Put a sample's bytes and its record into the store; harmless when they are there.

    Raises:
        DataError: the bytes are not those that the record speaks of.
        StoreUnavailableError, StorageFullError: nothing was acknowledged; send it again.
    """
    found = sample_id(image)
    if found != record.sample_id or len(image) != record.size:
        raise DataError(
            f"the image has {len(image)} bytes and sha256 {found}, its record says {record.size} bytes",
            where=f"sample {record.sample_id}",
            hint="the sample id is the sha256 of the image file, byte for byte",
        )
    store.put_if_absent(sample_key(record.job, record.sample_id, record.extension), image)
    store.put_if_absent(sample_record_key(record.job, record.sample_id), record.model_dump_json().encode())


def receive_sample(
    db: Database, store: ObjectStore, caller: Principal, record: SampleRecord, image: bytes, now: datetime
) -> bool:
    """Check who sends it and what the pixels say, then store one sample; it is safe when this returns.

    Returns:
        True if it is new, False if the job had it already.

    Raises:
        AuthError: the caller speaks for another edge.
        NotFoundError: there is no such job.
        DataError: record and bytes do not belong together, or the bytes are not a whole image.
        TooLargeError: too many pixels.
        TemporaryError: store or database are away, or full.
    """
    caller.require_edge(record.edge)
    with db.read() as session:
        jobs.get(session, record.job)
    facts = inspect_image(image, f"sample {record.sample_id}")
    if (facts.width, facts.height) != (record.width, record.height):
        raise DataError(
            f"the record says {record.width} x {record.height} pixels, the image has {facts.width} x {facts.height}",
            where="record.width, record.height",
        )
    return accept_sample(db, store, record, image, now)


def accept_sample(db: Database, store: ObjectStore, record: SampleRecord, image: bytes, now: datetime) -> bool:
    """Take a sample from an edge. When this returns, it survives a power cut.

    Returns:
        True if it is new, False if the job has it already.

    Raises:
        NotFoundError: there is no such job.
        DataError: the bytes are not those that the record speaks of.
    """
    with db.read() as session:
        job = jobs.get(session, record.job)
        if samples.exists(session, job.id, record.sample_id):
            return False
    store_sample(store, record, image)
    with db.write() as session:
        return samples.insert(session, job.id, record, now)
