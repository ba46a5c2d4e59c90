"""The labels of a job as a file for other tools, or as a zip of files, with or without the pictures."""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from globalmanager.db import Database, jobs, samples
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow, Part, SampleFilter, SampleRow
from globalmanager.labelling.queue import Order, labelling_queue
from globalmanager.labelling.zip_stream import ZipStream
from sedna.algorithms.active_learning import SCORES, recorded_score
from sedna.common.errors import NotFoundError
from sedna.common.label_format import ExportFormat, PictureState
from sedna.common.types import JobKey, Picked
from sedna.labels.export import LabelExport, Pictured, export_files, is_single_file, picture_path, require_writable
from sedna.store.base import ObjectStore
from sedna.store.layout import sample_key

__all__ = ["ExportWish", "PreparedExport", "prepare_export"]

_PAGE = 500
_ORDERED = 5000
"""Samples whose place in the queue is told: what comes after nobody labels before the next model."""

_CHUNK = 1 << 20
_IN_MEMORY = 8 << 20
_MISSING = "MISSING.txt"

_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "json": "application/json",
    "xml": "application/xml",
    "zip": "application/zip",
}
_SUFFIXES = {
    ExportFormat.COCO: "json",
    ExportFormat.LABELSTUDIO: "json",
    ExportFormat.CVAT: "xml",
    ExportFormat.CSV: "csv",
    ExportFormat.JSONL: "jsonl",
}


@dataclass(frozen=True, kw_only=True)
class ExportWish:
    """What is wanted.

    Attributes:
        pictures: with the pictures; the answer is a zip then.
        states: which pictures are named at all.
        part, edge, picked: of these alone; None = any.
        label_class: with this class in the label; "" = any.
        image_url: put before the names of pictures in Label Studio's tasks.
    """

    export_format: ExportFormat
    pictures: bool = False
    states: frozenset[PictureState] = frozenset(PictureState)
    part: Part | None = None
    edge: str | None = None
    picked: Picked | None = None
    label_class: str = ""
    image_url: str = ""


@dataclass
class PreparedExport:
    """An export whose facts were read, from one moment; the files are made while they are sent.

    Attributes:
        counts: pictures by their state.
    """

    wish: ExportWish
    key: JobKey
    labels: LabelExport
    store: ObjectStore
    deleted: frozenset[str]
    counts: dict[str, int]
    facts: IO[bytes] = field(repr=False)

    @property
    def suffix(self) -> str:
        """Of the file, without dot."""
        return "zip" if self.is_zip else _SUFFIXES[self.wish.export_format]

    @property
    def is_zip(self) -> bool:
        """Whether there is more than one file."""
        return self.wish.pictures or not is_single_file(self.wish.export_format)

    @property
    def media_type(self) -> str:
        """Of the answer."""
        return _MEDIA_TYPES[self.suffix]

    def chunks(self) -> Iterator[bytes]:
        """The content, piece by piece; closes the export when it ends.

        Raises:
            TemporaryError: the store does not answer. What was sent is no whole file then.
        """
        with self.facts:
            if not self.is_zip:
                yield from next(export_files(self.wish.export_format, self.labels)).chunks
                return
            with ZipStream() as archive:
                for name, content in export_files(self.wish.export_format, self.labels):
                    yield from archive.add(name, content)
                if self.wish.pictures:
                    yield from self._pictures(archive)
                yield from archive.end()

    def _pictures(self, archive: ZipStream) -> Iterator[bytes]:
        missing: list[str] = []
        for one in self.labels.pictures():
            if one.sample_id in self.deleted:
                continue
            extension = one.name.rpartition(".")[2]
            name = picture_path(self.wish.export_format, one)
            try:
                with self.store.open(sample_key(self.key, one.sample_id, extension)) as stream:
                    yield from archive.add(name, iter(functools.partial(stream.read, _CHUNK), b""), packed=True)
            except NotFoundError:
                missing.append(name)
        # One that the store has lost must not cost the others; the archive says itself what it lacks.
        if missing:
            yield from archive.add(_MISSING, (f"{name}\n".encode() for name in missing))


def prepare_export(db: Database, store: ObjectStore, key: JobKey, wish: ExportWish) -> PreparedExport:
    """Read what is to be exported, and check that the format can hold it.

    Raises:
        NotFoundError: there is no such job, or no such class.
        DataError: the format cannot hold the labels.
    """
    order = _order(db, key) if wish.export_format is ExportFormat.LABELSTUDIO else {}
    facts = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by the one who sends it
    try:
        with db.read() as session:
            job = jobs.get(session, key)
            counts, deleted = _write_facts(session, job, wish, order, facts)
        labels = LabelExport(job.class_names, lambda: _read_facts(facts), wish.image_url)
        require_writable(wish.export_format, labels)
    except BaseException:
        facts.close()
        raise
    return PreparedExport(wish, key, labels, store, deleted, counts, facts)


def _order(db: Database, key: JobKey) -> dict[str, int]:
    queue = labelling_queue(db, key, Order.ENTROPY, _ORDERED)
    return {sample.sample_id: place for place, sample in enumerate(queue, start=1)}


def _write_facts(
    session: Session, job: JobRow, wish: ExportWish, order: dict[str, int], facts: IO[bytes]
) -> tuple[dict[str, int], frozenset[str]]:
    """Write a line a picture. Returns how many there are by state, and those whose pictures were deleted."""
    label = _label(job, wish.label_class)
    counts: Counter[str] = Counter(dict.fromkeys(PictureState, 0))
    deleted: set[str] = set()
    for row in _rows(session, job, wish):
        one = _pictured(row, order.get(row.record.sample_id))
        if one.state not in wish.states or not _has_class(one, label):
            continue
        counts[one.state] += 1
        if row.excluded:
            story = samples.story(session, job.id, one.sample_id)
            if any(told.deleted and not told.ended for told in story.exclusions):
                deleted.add(one.sample_id)
        facts.write(one.model_dump_json().encode() + b"\n")
    return dict(counts), frozenset(deleted)


def _rows(session: Session, job: JobRow, wish: ExportWish) -> Iterator[SampleRow]:
    excluded = None if PictureState.EXCLUDED in wish.states else False
    wanted = SampleFilter(picked=wish.picked, part=wish.part, edge=wish.edge, excluded=excluded)
    cursor: str | None = None
    while True:
        page = samples.list_page(session, job.id, wanted, limit=_PAGE, cursor=cursor, newest_first=False)
        yield from page.items
        if page.next is None:
            return
        cursor = page.next


def _pictured(row: SampleRow, order: int | None) -> Pictured:
    record = row.record
    doubt = recorded_score(record.prediction, SCORES["least_confidence"])
    return Pictured(
        name=f"{record.sample_id}.{record.extension}",
        sample_id=record.sample_id,
        width=record.width,
        height=record.height,
        annotation=None if row.label is None else row.label.annotation,
        excluded=row.excluded,
        part=row.part,
        prediction=record.prediction,
        model_version=record.model_version,
        confidence=None if doubt is None else min(max(1 - doubt, 0.0), 1.0),
        order=order,
    )


def _label(job: JobRow, name: str) -> int | None:
    if not name:
        return None
    if name in job.class_names:
        return job.class_names.index(name)
    if not job.class_names and name.isdecimal():
        return int(name)
    known = ", ".join(job.class_names) or "numbers: the job names no classes"
    raise NotFoundError(f"the job has no class {name!r}", where="class", hint=f"the classes are {known}")


def _has_class(one: Pictured, label: int | None) -> bool:
    if label is None:
        return True
    said = one.annotation
    return said is not None and (said.label == label or any(box.label == label for box in said.boxes))


def _read_facts(facts: IO[bytes]) -> Iterator[Pictured]:
    """The pictures from the file. Several may go through it at once: each keeps its own place."""
    place = 0
    while True:
        facts.seek(place)
        line = facts.readline()
        if not line:
            return
        place = facts.tell()
        yield Pictured.model_validate_json(line)
