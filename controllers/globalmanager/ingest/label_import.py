"""Labels from the files of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import Field, JsonValue

from globalmanager.db import Database, events, jobs, sample_labels, samples
from globalmanager.db.database import Session
from globalmanager.db.label_values import LabelSource
from globalmanager.db.values import JobRow
from globalmanager.ingest.label_match import SampleNames
from globalmanager.labelling.kinds import LabelKind, check_kind, kind_of
from sedna.common.errors import ConflictError, DataError, UserError
from sedna.common.label_format import LabelFormat
from sedna.common.orientation import known_orientation
from sedna.common.types import ORIENTATION_META, Annotation, JobKey, Value
from sedna.labels.classes import ClassNames
from sedna.labels.files import opened
from sedna.labels.items import CheckedLabels, LabelItem
from sedna.labels.reading import label_suffixes, read_labels
from sedna.labels.validate import Mode

_SHOWN = 20
_TRIES = 5
"""Another file that names classes at the same moment is met once; five in a row are no coincidence."""


class Tally(Value):
    """How much of a label file went in."""

    taken: int = 0
    skipped: int = Field(default=0, description="left out on purpose, as crowd regions are")
    refused: int = Field(default=0, description="wrong, or not of this job")


class ImportReport(Value):
    """What an import did. ``problems`` and ``unknown`` are always empty after a strict one."""

    labelled: int = Field(description="samples with a label that they did not have")
    unchanged: int = Field(description="samples that had this label already")
    unknown: tuple[str, ...] = Field(default=(), description="images that the job has not")
    problems: tuple[str, ...] = Field(default=(), description="what was refused or cut, and what would be right")
    skipped: tuple[str, ...] = Field(default=(), description="what was left out on purpose, and why")
    pictures: Tally = Field(default=Tally(), description="a picture of which nothing is usable stays as it was")
    annotations: Tally = Field(default=Tally(), description="boxes, and labels of whole images")
    holdout_changed: int = Field(default=0, description="labels of the frozen hold-out that were replaced")
    turned: int = Field(
        default=0,
        description="pictures whose stated sizes mean them before their EXIF orientation: the boxes were turned too",
    )
    class_names: tuple[str, ...] = Field(default=(), description="what the job's class numbers stand for")


@dataclass(frozen=True, kw_only=True)
class ImportWish:
    """How labels are to be taken.

    Attributes:
        mode: ``strict`` takes everything or nothing; ``clip`` cuts boxes at the image's edge, leaves out what it
            cannot use, and reports both.
        author: who says so.
        holdout: whether labels of the frozen hold-out may change.
        name: what messages call the file; "" = by its format.
    """

    label_format: LabelFormat
    mode: Mode
    author: str
    holdout: bool = False
    name: str = ""


def import_labels(db: Database, key: JobKey, data: bytes, wish: ImportWish, now: datetime) -> ImportReport:
    """Label samples from label files. An image is found by its sample id, or by the name it was imported under.

    Args:
        data: one file, or a zip or tar archive of files; VOC and YOLO have a file per image.

    Raises:
        NotFoundError: there is no such job.
        DataError: the file cannot be read; in strict mode also any unknown image and any impossible box.
        ConflictError: other files have named classes again and again.
    """
    for _ in range(_TRIES):
        report = _import(db, key, data, wish, now)
        if report is not None:
            return report
    raise ConflictError("other label files name classes again and again", where=str(key), hint="try again")


def _import(db: Database, key: JobKey, data: bytes, wish: ImportWish, now: datetime) -> ImportReport | None:
    """None where another file has named classes meanwhile."""
    with db.read() as session:
        job = jobs.get(session, key)
    where = wish.name or f"{wish.label_format} labels"
    classes = ClassNames.of(job.spec.class_names, job.found_classes)
    with opened(data, f"labels{label_suffixes(wish.label_format)[0]}", where) as files:
        items = read_labels(files, wish.label_format, classes)
    with db.write() as session:
        if classes.names and classes.is_open and not job.found_classes and _has_numbers(session, job):
            hint = f"set the job's classNames in the order of its numbers; the file has {', '.join(classes.names)}"
            raise DataError("the job's labels are numbers, and this file names classes", where=where, hint=hint)
        if classes.is_open and not jobs.keep_classes(session, job.id, job.found_classes, classes.names):
            return None
        job = jobs.get(session, key)
        taking = _Taking(session, job, wish, now, SampleNames(session, job, items))
        for item in items:
            taking.look_at(item)
        report = taking.store(classes)
        _add_events(session, job, report, wish, where, now)
    return report


def _has_numbers(session: Session, job: JobRow) -> bool:
    """Whether labels are there whose classes no file has named: names in another order would change what they say."""
    known = sample_labels.newest_labels(session, job.id, 1000)
    return any(annotation.label is not None or annotation.boxes for annotation in known)


def _add_events(
    session: Session, job: JobRow, report: ImportReport, wish: ImportWish, where: str, now: datetime
) -> None:
    text = f"{wish.author} labelled {report.labelled} samples from {where}"
    if report.pictures.refused or report.pictures.skipped:
        text += f"; {report.pictures.refused} pictures were refused, {report.pictures.skipped} skipped"
    if report.turned:
        text += f"; the boxes of {report.turned} were turned with their pictures (EXIF orientation)"
    counts: dict[str, JsonValue] = {
        "turned": report.turned,
        "labelled": report.labelled,
        "pictures": report.pictures.model_dump(),
        "annotations": report.annotations.model_dump(),
    }
    events.add(session, job.id, "LabelsImported", text, now, data=counts)
    if report.holdout_changed:
        events.holdout_changed(session, job.id, report.holdout_changed, wish.author, now)


@dataclass
class _Counts:
    """Of one level, pictures or annotations."""

    taken: int = 0
    skipped: int = 0
    refused: int = 0

    def tally(self) -> Tally:
        return Tally(taken=self.taken, skipped=self.skipped, refused=self.refused)


@dataclass
class _Taking:
    """One import, item by item; nothing is stored before `store`."""

    session: Session
    job: JobRow
    wish: ImportWish
    now: datetime
    names: SampleNames
    annotations: _Counts = field(default_factory=_Counts)
    pictures: _Counts = field(default_factory=_Counts)
    unknown: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    turned: int = 0
    possible: dict[str, tuple[Annotation, LabelItem]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._kind: LabelKind | None = kind_of(self.session, self.job)

    def look_at(self, item: LabelItem) -> None:
        """Sort one image of the file out."""
        try:
            labels = item.read()
            sample = self.names.sample_of(item)
            if sample is None:
                self.unknown.add(item.name)
                self.pictures.refused += 1
                self.annotations.refused += len(labels.boxes) + (labels.label is not None) + len(labels.faults)
                return
            record = samples.get(self.session, self.job.id, sample).record
            size = (record.width, record.height)
            orientation = known_orientation(record.meta.get(ORIENTATION_META))
            checked = labels.checked(
                size, self.job.spec.class_names, where=item.where, mode=self.wish.mode, orientation=orientation
            )
            self.turned += labels.is_unturned(size, orientation)
        except UserError as error:
            self.faults.append(str(error))
            self.pictures.refused += item.is_picture
            self.annotations.refused += not item.is_picture
            return
        self._count(checked)
        if checked.annotation is None:
            self.pictures.refused += bool(checked.refused)
            self.pictures.skipped += not checked.refused
            self._say_unlabelled(item, checked)
            return
        self._keep(item, sample, checked.annotation)

    def _count(self, checked: CheckedLabels) -> None:
        kept = checked.annotation
        self.annotations.taken += 0 if kept is None else len(kept.boxes) + (kept.label is not None)
        self.annotations.skipped += len(checked.skipped)
        self.annotations.refused += len(checked.refused)
        self.faults += [str(fault) for fault in checked.refused]
        self.cut += checked.cut
        self.skipped += checked.skipped

    def _say_unlabelled(self, item: LabelItem, checked: CheckedLabels) -> None:
        said = f"{item.where}: nothing of it is usable, so the picture stays as it was"
        (self.faults if checked.refused else self.skipped).append(said)

    def _keep(self, item: LabelItem, sample: str, annotation: Annotation) -> None:
        try:
            check_kind(self._kind, annotation, item.where)
            if not self.wish.holdout and sample_labels.keeps_label(self.session, self.job.id, sample, annotation):
                raise sample_labels.HoldoutError(sample, item.where)
            sample_labels.require_included(self.session, self.job.id, sample, item.where)
        except UserError as error:
            self.faults.append(str(error))
            self.pictures.refused += 1
            self.annotations.taken -= len(annotation.boxes) + (annotation.label is not None)
            self.annotations.refused += len(annotation.boxes) + (annotation.label is not None)
            return
        before = self.possible.setdefault(sample, (annotation, item))[0]
        if before != annotation:
            self.faults.append(f"{item.where}: another entry says something else about this image")
            self.pictures.refused += 1

    def store(self, classes: ClassNames) -> ImportReport:
        """Store what was found, or nothing where a strict import met anything that is wrong."""
        unknown = sorted(self.unknown)
        if self.wish.mode == "strict" and (unknown or self.faults):
            _refuse(unknown, self.faults)
        changed = held = 0
        for sample, (annotation, _) in self.possible.items():
            row = samples.get(self.session, self.job.id, sample)
            if row.label is not None and row.label.annotation == annotation:
                continue
            held += row.part == "holdout" and row.label is not None
            sample_labels.add_label(
                self.session,
                self.job.id,
                sample,
                annotation,
                self.wish.author,
                self.now,
                source=LabelSource.IMPORT,
                holdout=self.wish.holdout,
            )
            changed += 1
        self.pictures.taken = len(self.possible)
        return ImportReport(
            labelled=changed,
            unchanged=len(self.possible) - changed,
            unknown=tuple(unknown),
            problems=(*self.faults, *self.cut),
            skipped=tuple(self.skipped),
            pictures=self.pictures.tally(),
            annotations=self.annotations.tally(),
            holdout_changed=held,
            turned=self.turned,
            class_names=tuple(classes.names),
        )


def _refuse(unknown: Sequence[str], problems: Sequence[str]) -> None:
    kept = "nothing was stored"
    if problems:
        found = [*problems, *(f"the job has no image {name}" for name in unknown)]
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise DataError("; ".join(found[:_SHOWN]) + more, hint=f"{kept}; --clip (REST: mode=clip) takes what is usable")
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    hint = f"{kept}; name images by sample id or imported file name; --clip (REST: mode=clip) leaves them out"
    raise DataError(f"the job has no image {', '.join(unknown[:_SHOWN])}{more}", hint=hint)
