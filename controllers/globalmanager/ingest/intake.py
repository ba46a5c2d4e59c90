"""Take samples from edges: bytes first, row second, so that a row always has its image."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from globalmanager.auth.principal import Principal
from globalmanager.db import Database, events, exclusions, jobs, sample_problems, samples
from sedna.common.errors import DataError, NotFoundError
from sedna.common.orientation import UPRIGHT, turned_box, turned_size
from sedna.common.pictures import decode
from sedna.common.types import ORIENTATION_META, Box, SampleRecord, sample_id
from sedna.store.base import ObjectStore
from sedna.store.download import sha256_stream
from sedna.store.layout import sample_key, sample_record_key

_CORNERS = ("x1", "y1", "x2", "y2")


class Stored(StrEnum):
    """What became of a sample that was sent."""

    CREATED = "created"
    KNOWN = "known"
    """The job had it, whole."""
    REPAIRED = "repaired"
    """The job had it, and its bytes in the store were missing or damaged: now they are those that were sent."""


def receive_sample(
    db: Database, store: ObjectStore, caller: Principal, record: SampleRecord, image: bytes, now: datetime
) -> Stored:
    """Check who sends a sample and what the pixels say, then store it; it is safe when this returns.

    Raises:
        AuthError: the caller speaks for another edge.
        NotFoundError: there is no such job.
        DataError: record and bytes do not belong together, or the bytes are not a whole image.
        TooLargeError: too many pixels.
        ConflictError: somebody has deleted this sample on purpose.
        TemporaryError: store or database are away, or full.
    """
    caller.require_edge(record.edge)
    bits, known = _known(db, record)
    _check_bytes(record, image)
    if known is not None:
        # Edges repeat what they got no answer for. The same bytes were decoded when they came first: their hash is
        # proof enough, and costs a small part of a decode.
        if {record.width, record.height} != {known.width, known.height}:  # one of the two may not have turned it
            _check_size(record, known.width, known.height)
        return _look_after(db, store, known, image, now)
    picture = decode(image, bits=bits, where=f"sample {record.sample_id}")
    record = turned_record(record, picture.orientation)
    _check_size(record, *picture.size)
    return Stored.CREATED if _store_and_insert(db, store, record, image, now) else Stored.KNOWN


def accept_sample(db: Database, store: ObjectStore, record: SampleRecord, image: bytes, now: datetime) -> bool:
    """Store a sample whose sender and pixels are known to be right. When this returns, it survives a power cut.

    Returns:
        True if it is new, False if the job has it already.

    Raises:
        NotFoundError: there is no such job.
        DataError: the bytes are not those that the record speaks of.
        ConflictError: somebody has deleted this sample on purpose.
        TemporaryError: store or database are away, or full.
    """
    if _known(db, record)[1] is not None:
        return False
    _check_bytes(record, image)
    return _store_and_insert(db, store, record, image, now)


def store_sample(store: ObjectStore, record: SampleRecord, image: bytes) -> bool:
    """Put a sample's bytes and its record into the store, unless they are there, whole.

    Returns:
        Whether something else was there, which is replaced: what lies under a sample's key is it or damage.

    Raises:
        StoreUnavailableError, StorageFullError: nothing was acknowledged; send it again.
    """
    key = sample_key(record.job, record.sample_id, record.extension)
    damaged = not store.put_if_absent(key, image) and not _is_whole(store, key, record.sample_id)
    if damaged:
        store.put(key, image)
    written = store.put_if_absent(sample_record_key(record.job, record.sample_id), record.model_dump_json().encode())
    if damaged and not written:  # what has spoilt the one may have spoilt the other
        store.put(sample_record_key(record.job, record.sample_id), record.model_dump_json().encode())
    return damaged


def turned_record(record: SampleRecord, orientation: int) -> SampleRecord:
    """A record whose size and prediction are those of the picture as it is seen.

    Senders that do not say so have not turned the picture: edges of before, and programs that write records themselves.
    """
    meta = {key: value for key, value in record.meta.items() if key != ORIENTATION_META}
    if orientation == UPRIGHT:
        return record.model_copy(update={"meta": meta})
    if record.meta.get(ORIENTATION_META) == orientation:
        return record
    size = (record.width, record.height)
    boxes = tuple(
        box.model_copy(update=dict(zip(_CORNERS, turned_box(_corners(box), size, orientation), strict=True)))
        for box in record.prediction.boxes
    )
    width, height = turned_size(size, orientation)
    return record.model_copy(
        update={
            "width": width,
            "height": height,
            "prediction": record.prediction.model_copy(update={"boxes": boxes}),
            "meta": {**meta, ORIENTATION_META: orientation},
        }
    )


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2


def _is_whole(store: ObjectStore, key: str, sha256: str) -> bool:
    try:
        with store.open(key) as stream:
            return sha256_stream(stream) == sha256
    except NotFoundError:
        return False


def _known(db: Database, record: SampleRecord) -> tuple[int | None, SampleRecord | None]:
    """How many bits of its samples the job declares, and the record under which it has the picture already.

    Raises:
        NotFoundError: there is no such job.
        ConflictError: the sample was deleted.
    """
    with db.read() as session:
        job = jobs.get(session, record.job)
        bits = job.spec.pictures.bits_per_sample
        exclusions.require_kept(session, job.id, record.sample_id)
        if not samples.exists(session, job.id, record.sample_id):
            return bits, None
        return bits, samples.get(session, job.id, record.sample_id).record


def _look_after(db: Database, store: ObjectStore, known: SampleRecord, image: bytes, now: datetime) -> Stored:
    """Repair what the store has of a sample that the job knows."""
    absent = store.stat(sample_key(known.job, known.sample_id, known.extension)) is None
    damaged = store_sample(store, known, image)
    with db.read() as session:
        noted = known.sample_id in sample_problems.known(session, jobs.get(session, known.job).id)
    if not (absent or damaged or noted):
        return Stored.KNOWN
    with db.write() as session:
        job = jobs.get(session, known.job)
        sample_problems.clear(session, job.id, (known.sample_id,))
        text = f"sample {known.sample_id} was uploaded again and is whole"
        events.add(session, job.id, "SampleRepaired", text, now, data={"sample": known.sample_id})
    return Stored.REPAIRED


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
