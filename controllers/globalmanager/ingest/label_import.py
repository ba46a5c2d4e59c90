"""Labels from the files of other tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath

from pydantic import JsonValue

from globalmanager.db import Database, events, jobs, samples
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from sedna.common.errors import DataError, UserError
from sedna.common.label_format import LabelFormat
from sedna.common.orientation import known_orientation
from sedna.common.types import ORIENTATION_META, Annotation, JobKey, Value
from sedna.labels.files import opened
from sedna.labels.items import LabelItem
from sedna.labels.reading import label_suffixes, read_labels
from sedna.labels.validate import Mode

_SAMPLE_ID = re.compile(r"^[0-9a-f]{64}$")
_SHOWN = 20


class ImportReport(Value):
    """What an import did. ``problems`` and ``unknown`` are always empty after a strict one."""

    labelled: int
    unchanged: int
    unknown: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    turned: int = 0
    """Entries whose sizes say that they mean the image before its EXIF orientation: their boxes were turned with it."""


def import_labels(
    db: Database, key: JobKey, data: bytes, label_format: LabelFormat, mode: Mode, author: str, now: datetime
) -> ImportReport:
    """Label samples from label files. An image is found by its sample id, or by the name it was imported under.

    Args:
        data: one file, or a zip or tar archive of files; VOC and YOLO have a file per image.
        mode: ``strict`` takes everything or nothing; ``clip`` cuts boxes at the image's edge, leaves out what it
            cannot use, and reports both.

    Raises:
        NotFoundError: there is no such job.
        DataError: the file cannot be read; in strict mode also any unknown image and any impossible box.
    """
    with db.read() as session:
        job = jobs.get(session, key)
    where = f"{label_format} labels"
    with opened(data, f"labels{label_suffixes(label_format)[0]}", where) as files:
        items = read_labels(files, label_format, job.spec.class_names)
    with db.write() as session:
        report = _store(session, jobs.get(session, key), items, mode, author, now)
        text = f"{author} labelled {report.labelled} samples from {where}"
        if report.turned:
            text += f"; the boxes of {report.turned} were turned with their pictures (EXIF orientation)"
        counts: dict[str, JsonValue] = {"labelled": report.labelled, "turned": report.turned}
        events.add(session, job.id, "LabelsImported", text, now, data=counts)
    return report


def _store(
    session: Session, job: JobRow, items: Sequence[LabelItem], mode: Mode, author: str, now: datetime
) -> ImportReport:
    ids = _match(session, job, items)
    unknown: set[str] = set()
    problems: list[str] = []
    possible: dict[str, Annotation] = {}
    turned = 0
    for item in items:
        sample = ids.get(item.digest)
        try:
            labels = item.read()
            if sample is None:
                unknown.add(item.name)
                continue
            record = samples.get(session, job.id, sample).record
            size = (record.width, record.height)
            orientation = known_orientation(record.meta.get(ORIENTATION_META))
            annotation, cut = labels.annotation(
                size, job.spec.class_names, where=item.where, mode=mode, orientation=orientation
            )
            turned += labels.is_unturned(size, orientation)
        except UserError as error:
            problems.append(str(error))
            continue
        if cut:
            problems.append(f"{item.where}: {cut} box(es) were cut at the edge of the image or left out")
        if possible.setdefault(sample, annotation) != annotation:
            problems.append(f"{item.where}: another entry says something else about this image")
    if mode == "strict" and (unknown or problems):
        _refuse(sorted(unknown), problems)
    labelled = sum(_label(session, job, sample, annotation, author, now) for sample, annotation in possible.items())
    return ImportReport(
        labelled=labelled,
        unchanged=len(possible) - labelled,
        unknown=tuple(sorted(unknown)),
        problems=tuple(problems),
        turned=turned,
    )


def _label(session: Session, job: JobRow, sample: str, annotation: Annotation, author: str, now: datetime) -> bool:
    """Whether that was news."""
    before = samples.get(session, job.id, sample).label
    if before is not None and before.annotation == annotation:
        return False
    samples.add_label(session, job.id, sample, annotation, author, now)
    return True


def _match(session: Session, job: JobRow, items: Sequence[LabelItem]) -> dict[str, str]:
    """Sample ids by the digests of the items: by a name under which a Dataset brought the image, or by its id."""
    names = {name for item in items for name in (item.name, *item.others)}
    by_source = samples.by_source(session, job.id, sorted(names))
    found: dict[str, str] = {}
    for item in items:
        known = next((by_source[name] for name in (item.name, *item.others) if name in by_source), None)
        stem = PurePosixPath(item.name).stem
        if known is None and _SAMPLE_ID.match(stem) and samples.exists(session, job.id, stem):
            known = stem
        if known is not None:
            found[item.digest] = known
    return found


def _refuse(unknown: Sequence[str], problems: Sequence[str]) -> None:
    if problems:
        found = [*problems, *(f"the job has no image {name}" for name in unknown)]
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise DataError(
            "; ".join(found[:_SHOWN]) + more, hint="nothing was stored; mode 'clip' (--clip) takes what is usable"
        )
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    raise DataError(
        f"the job has no image {', '.join(unknown[:_SHOWN])}{more}",
        hint="nothing was stored; name images by sample id or imported file name; mode 'clip' (--clip) leaves them out",
    )
