"""Labels from the files of other tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

from globalmanager.db import Database, events, jobs, samples
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from globalmanager.labelling.checks import checked, raw_boxes
from sedna.common.errors import DataError
from sedna.common.types import Annotation, JobKey, Value
from sedna.labels import Mode, read_coco
from sedna.labels.source import as_text
from sedna.labels.txt import parse_line
from sedna.labels.validate import RawBox

LabelFormat = Literal["coco", "txt"]

_SAMPLE_ID = re.compile(r"^[0-9a-f]{64}$")
_SHOWN = 20


class ImportReport(Value):
    """What an import did. ``problems`` and ``unknown`` are always empty after a strict one."""

    labelled: int
    unchanged: int
    unknown: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """What the file says about one image, or what is wrong with that part of it."""

    name: str
    where: str
    boxes: tuple[RawBox, ...] = ()
    label: int | None = None
    size: tuple[int, int] | None = None
    fault: str | None = None


def import_labels(
    db: Database, key: JobKey, data: bytes, fmt: LabelFormat, mode: Mode, author: str, now: datetime
) -> ImportReport:
    """Label samples from a file. An image is found by its sample id, or by the name it was imported under.

    Args:
        mode: ``strict`` takes the whole file or nothing; ``clip`` cuts boxes at the image's edge, leaves out what it
            cannot use, and reports both.

    Raises:
        NotFoundError: there is no such job.
        DataError: the file cannot be read; in strict mode also any unknown image and any impossible box.
    """
    with db.read() as session:
        job = jobs.get(session, key)
    entries = list(_coco(data, job, mode) if fmt == "coco" else _txt(data))
    with db.write() as session:
        report = _store(session, jobs.get(session, key), entries, mode, author, now)
        text = f"{author} labelled {report.labelled} samples from a {fmt} file"
        events.add(session, job.id, "LabelsImported", text, now, data={"labelled": report.labelled})
    return report


def _coco(data: bytes, job: JobRow, mode: Mode) -> Iterator[_Entry]:
    read = read_coco(data, class_names=job.spec.class_names or None, mode=mode)
    for clip in read.report.clipped:
        yield _Entry(clip.image, clip.image, fault=f"box {clip.box} {clip.before} was cut to {clip.after}")
    for image in read.labels.items:
        size = (image.width, image.height)
        yield _Entry(image.file_name, image.file_name, raw_boxes(image.annotation), image.annotation.label, size)


def _txt(data: bytes) -> Iterator[_Entry]:
    for number, text in enumerate(as_text(data, "txt file").splitlines(), start=1):
        where = f"line {number}"
        if not text.strip():
            continue
        try:
            line = parse_line(text, where)
        except DataError as error:
            yield _Entry(text.split()[0], where, fault=str(error))
        else:
            yield _Entry(line.file_name, f"{where}: {line.file_name}", line.boxes, line.label)


def _store(
    session: Session, job: JobRow, entries: Sequence[_Entry], mode: Mode, author: str, now: datetime
) -> ImportReport:
    ids = _match(session, job, entries)
    unknown = sorted({entry.name for entry in entries if entry.fault is None and entry.name not in ids})
    problems = [entry.fault for entry in entries if entry.fault is not None]
    possible: dict[str, Annotation] = {}
    for entry in entries:
        if entry.fault is not None or entry.name not in ids:
            continue
        try:
            annotation, cut = _annotation(session, job, ids[entry.name], entry, mode)
        except DataError as error:
            problems.append(str(error))
            continue
        if cut:
            problems.append(f"{entry.where}: {cut} box(es) were cut at the edge of the image or left out")
        if possible.setdefault(ids[entry.name], annotation) != annotation:
            problems.append(f"{entry.where}: another line says something else about this image")
    if mode == "strict" and (unknown or problems):
        _refuse(unknown, problems)
    labelled = sum(_label(session, job, sample, annotation, author, now) for sample, annotation in possible.items())
    return ImportReport(
        labelled=labelled,
        unchanged=len(possible) - labelled,
        unknown=tuple(unknown),
        problems=tuple(problems),
    )


def _annotation(session: Session, job: JobRow, sample: str, entry: _Entry, mode: Mode) -> tuple[Annotation, int]:
    record = samples.get(session, job.id, sample).record
    if entry.size is not None and entry.size != (record.width, record.height):
        found = f"{entry.size[0]} x {entry.size[1]}"
        raise DataError(
            f"the file says the image is {found}, it is {record.width} x {record.height}",
            where=entry.where,
            hint="its boxes would be in the wrong places",
        )
    return checked(record, entry.boxes, entry.label, job.spec.class_names, where=entry.where, mode=mode)


def _label(session: Session, job: JobRow, sample: str, annotation: Annotation, author: str, now: datetime) -> bool:
    """Whether that was news."""
    before = samples.get(session, job.id, sample).label
    if before is not None and before.annotation == annotation:
        return False
    samples.add_label(session, job.id, sample, annotation, author, now)
    return True


def _match(session: Session, job: JobRow, entries: Sequence[_Entry]) -> dict[str, str]:
    """Sample ids by name in the file."""
    names = {entry.name for entry in entries}
    found = samples.by_source(session, job.id, sorted(names))
    for name in names - found.keys():
        stem = PurePosixPath(name).stem
        if _SAMPLE_ID.match(stem) and samples.exists(session, job.id, stem):
            found[name] = stem
    return found


def _refuse(unknown: Sequence[str], problems: Sequence[str]) -> None:
    if problems:
        found = [*problems, *(f"the job has no image {name}" for name in unknown)]
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise DataError("; ".join(found[:_SHOWN]) + more, hint="nothing was stored; mode 'clip' takes what is usable")
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    raise DataError(
        f"the job has no image {', '.join(unknown[:_SHOWN])}{more}",
        hint="nothing was stored; name images by sample id, or as they were imported; mode 'clip' leaves them out",
    )
