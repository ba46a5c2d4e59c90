"""One reading of a Dataset's label files: which entries are to take, and what becomes of each."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from globalmanager.db import events, lines, sample_labels, samples
from globalmanager.db.database import Session
from globalmanager.db.label_values import LabelSource
from globalmanager.db.values import JobRow
from globalmanager.ingest.dataset_problems import Problems
from globalmanager.ingest.intake import store_sample
from globalmanager.ingest.seams import Seams
from globalmanager.ingest.sources import SourceFolder
from globalmanager.labelling.kinds import check_kind, kind_of_algorithm
from sedna.common.errors import DataError, SednaError, UserError
from sedna.common.log import LOGGER
from sedna.common.orientation import UPRIGHT
from sedna.common.patience import UnresponsiveError
from sedna.common.pictures import decode
from sedna.common.types import ORIENTATION_META, Annotation, Picked, Prediction, SampleRecord, Verdict, sample_id
from sedna.labels.items import LabelItem

BATCH = 64
"""Images taken in a go: between two batches the job's other business gets its turn."""

AUTHORS = "dataset/"
"""What the author of a label is called that came from a dataset; then comes the dataset's name."""


@dataclass(frozen=True)
class _Result:
    """What became of an entry.

    Attributes:
        taken: it labelled a sample.
        problem, problem_in_full: what is wrong, without and with place and hint; empty when nothing is.
        fresh: the problem was not known.
        turned: its boxes were drawn on the unturned picture, as its size says, and were turned with it.
        unusable: it is worth another try; a sample that was trained on is not, it never becomes hold-out.
    """

    item: LabelItem
    taken: bool = False
    problem: str = ""
    problem_in_full: str = ""
    fresh: bool = False
    turned: bool = False
    unusable: bool = False


@dataclass
class Reading:
    """The entries of one version of the label files.

    Attributes:
        url, holdout: which files.
        total: entries in the files.
        pending: entries still to take.
        unusable: entries that were tried and cannot be used; they are tried again.
    """

    url: str
    holdout: bool
    total: int
    pending: deque[LabelItem]
    unusable: list[LabelItem] = field(default_factory=list)
    taken: int = 0
    turned: int = 0
    problems: Problems = field(default_factory=Problems)
    _unusable_names: set[str] = field(default_factory=set)

    def again(self) -> Reading:
        """A reading of unchanged files: what could not be used may be usable now, since images come late."""
        return Reading(self.url, self.holdout, self.total, deque(self.unusable))

    def add(self, results: Sequence[_Result]) -> None:
        """Count what became of a batch."""
        for one in results:
            self.taken += one.taken
            self.turned += one.turned
            if one.unusable:
                self.unusable.append(one.item)
                self._unusable_names.add(one.item.name)
            elif one.taken and one.item.name in self._unusable_names:
                # Earlier entries about this image need no other try: the last one counts, and it was taken.
                self.unusable = [item for item in self.unusable if item.name != one.item.name]
                self._unusable_names.discard(one.item.name)
            if one.problem:
                self.problems.add(one.problem, _with_place(one.problem_in_full, one.item), fresh=one.fresh)

    def with_results(self, results: Sequence[_Result]) -> Reading:
        """What this will be once a batch is counted."""
        copied = replace(
            self,
            unusable=list(self.unusable),
            problems=copy.deepcopy(self.problems),
            _unusable_names=set(self._unusable_names),
        )
        copied.add(results)
        return copied

    @property
    def usable(self) -> int:
        """Entries known to be usable so far."""
        return self.total - len(self.pending) - len(self.unusable)

    def error(self, where: str) -> DataError | None:
        """That no entry is usable, once that is certain."""
        if self.pending or self.usable or not self.total:
            return None
        return self.problems.error(self.total, where)


def to_take(
    items: Sequence[LabelItem], known: Mapping[str, str | None], taken: Mapping[str, str]
) -> Iterator[LabelItem]:
    """What is new in the files, or could not be used before; not what a later entry in use has made void.

    Args:
        known: entries seen before by their digests, each with its error.
        taken: by image, the digest of the entry that was taken last.
    """
    last = {
        item.name: (place, item.digest)
        for place, item in enumerate(items)
        if known.get(item.digest, "never seen") is None
    }
    renewed = set()
    for place, item in enumerate(items):
        if item.digest not in known:
            # Later entries about this image are taken again after it, known or not: of several, the last one counts.
            renewed.add(item.name)
        # The file has gone back to an entry that was taken before another one: known, and news all the same.
        last_place, last_digest = last.get(item.name, (-1, ""))
        gone_back = last_digest == item.digest and taken.get(item.name, item.digest) != item.digest
        # Taken now, an earlier entry would replace what a later one has said.
        unusable = known.get(item.digest) is not None and last_place < place
        if item.digest not in known or unusable or gone_back or item.name in renewed:
            yield item


@dataclass(frozen=True)
class _Prepared:
    """An entry whose image is in the store, or the reason why it is not."""

    item: LabelItem
    record: SampleRecord | None = None
    annotation: Annotation | None = None
    error: UserError | None = None
    turned: bool = False


def take_batch(seams: Seams, job: JobRow, reading: Reading, folder: SourceFolder) -> None:
    """Take up to `BATCH` of the pending entries. The last batch tells what the whole reading brought."""
    batch = [reading.pending.popleft() for _ in range(min(BATCH, len(reading.pending)))]
    try:
        # The images go into the store first, outside the transaction: a row always has its image, and the lock on the
        # database is not held while files are read.
        prepared = [_prepare(seams, job, folder, item) for item in batch]
        now = seams.now()
        results = _insert_all(seams, job, reading, prepared, now)
    except BaseException:
        reading.pending.extendleft(reversed(batch))  # nothing was acknowledged: they are still to do
        raise
    reading.add(results)  # after the commit: a batch that failed is counted when it is tried again


def _prepare(seams: Seams, job: JobRow, folder: SourceFolder, item: LabelItem) -> _Prepared:
    """Read and check one image and put it into the store; what is wrong with it alone does not stop the others."""
    try:
        labels = item.read()  # first: what cannot be understood needs no image
        image = folder.read(item.name, seams.settings.max_image_bytes)
        picture = decode(image, bits=job.spec.pictures.bits_per_sample, where=item.name)
        size, orientation = picture.size, picture.orientation
        annotation = labels.annotation(size, job.spec.class_names, where=item.where, orientation=orientation)
    except UserError as error:
        return _Prepared(item, error=error)
    except UnresponsiveError as error:  # the share of this picture; others may lie elsewhere
        return _Prepared(item, error=DataError(error.message, where=error.where, hint=error.hint))
    except SednaError:
        raise  # the store is away
    except Exception as error:  # noqa: BLE001  the boundary: whatever goes wrong with one entry stops no other
        LOGGER.exception("%s cannot be taken", item.where)
        return _Prepared(item, error=DataError(f"cannot be taken: {type(error).__name__}: {error}", where=item.where))
    record = SampleRecord(
        sample_id=sample_id(image),
        job=job.key,
        extension=picture.extension,
        size=len(image),
        width=size[0],
        height=size[1],
        picked=Picked.IMPORT,
        verdict=Verdict(hard=False, miner="none", reason=f"imported from Dataset {job.spec.dataset.name}"),
        prediction=Prediction(),
        model_version=0,
        edge="",
        captured_at=seams.now(),
        meta={} if orientation == UPRIGHT else {ORIENTATION_META: orientation},
    )
    store_sample(seams.store, record, image)
    return _Prepared(item, record, annotation, turned=labels.is_unturned(size, orientation))


def _insert_all(
    seams: Seams, job: JobRow, reading: Reading, prepared: Sequence[_Prepared], now: datetime
) -> list[_Result]:
    try:
        with seams.write() as session:
            results = [_insert(session, job, reading, one, now) for one in prepared]
            if not reading.pending:
                _add_events(session, job, reading.with_results(results), now)
            return results
    except SednaError:
        raise
    except Exception:  # noqa: BLE001  an entry that the database cannot hold: found by taking one after another
        LOGGER.exception("%s: a batch of entries cannot be stored together", reading.url)
    results = [_insert_one(seams, job, reading, one, now) for one in prepared]
    if not reading.pending:
        with seams.write() as session:
            _add_events(session, job, reading.with_results(results), now)
    return results


def _insert_one(seams: Seams, job: JobRow, reading: Reading, one: _Prepared, now: datetime) -> _Result:
    try:
        with seams.write() as session:
            return _insert(session, job, reading, one, now)
    except SednaError:
        raise
    except Exception as error:  # noqa: BLE001  the boundary: the fault of this entry
        fault = DataError(f"cannot be stored: {type(error).__name__}", where=one.item.where)
    with seams.write() as session:
        return _insert(session, job, reading, _Prepared(one.item, error=fault), now)


def _insert(session: Session, job: JobRow, reading: Reading, one: _Prepared, now: datetime) -> _Result:
    one = _with_fault(session, job, reading, one)
    item, holdout = one.item, reading.holdout
    in_full = None if one.error is None else str(one.error)
    fresh = lines.put(session, job.id, holdout, item.digest, in_full)
    if one.error is not None:
        return _Result(item, False, one.error.message, str(one.error), fresh, unusable=True)
    assert one.record is not None, "without an error there is a record"
    assert one.annotation is not None, "without an error there is an annotation"
    sample = one.record.sample_id
    samples.insert(session, job.id, one.record, now, source=item.name, holdout=holdout)
    if holdout and not samples.hold_out(session, job.id, sample):
        problem = "the image is a training or evaluation sample already and cannot become hold-out"
        return _Result(item, False, problem, problem, fresh)
    # A label that a person has given since is newer than what the dataset said before, and is not said again because
    # the images have moved or the program has changed the way in which it tells entries apart.
    if not fresh or sample_labels.last_label(session, job.id, sample, AUTHORS) != one.annotation:
        author = f"{AUTHORS}{job.spec.dataset.name}"
        changes = sample_labels.keeps_label(session, job.id, sample, one.annotation)
        sample_labels.add_label(
            session, job.id, sample, one.annotation, author, now, source=LabelSource.IMPORT, holdout=holdout
        )
        if changes:
            events.holdout_changed(session, job.id, 1, author, now)
    lines.take(session, job.id, holdout, item.name, item.digest)
    return _Result(item, taken=True, turned=one.turned)


def _with_fault(session: Session, job: JobRow, reading: Reading, one: _Prepared) -> _Prepared:
    """The same, with the reason why its sample keeps its label, if there is one: the sample was taken out, it is
    hold-out and this list is not, or the label is of another kind than the job's."""
    if one.record is None or one.annotation is None:
        return one
    sample, where = one.record.sample_id, one.item.where
    try:
        sample_labels.require_included(session, job.id, sample, where)
        # Not what was said before: a whole file may have been rewritten.
        check_kind(kind_of_algorithm(job), one.annotation, where)
        if not reading.holdout and sample_labels.keeps_label(session, job.id, sample, one.annotation):
            raise sample_labels.HoldoutError(sample, where)
    except UserError as error:
        return replace(one, error=error)
    return one


def _add_events(session: Session, job: JobRow, reading: Reading, now: datetime) -> None:
    """One event each for what was taken and for what was wrong: a file of a million lines must not fill the log.

    Where no entry is usable the job is Degraded, and that event says why.
    """
    purpose = " for the hold-out" if reading.holdout else ""
    if reading.taken:
        text = f"{reading.taken} samples from {reading.url}{purpose}"
        if reading.turned:
            text += f"; the boxes of {reading.turned} were turned with their pictures (EXIF orientation)"
        counts: dict[str, JsonValue] = {"samples": reading.taken, "turned": reading.turned}
        events.add(session, job.id, "DatasetImported", text, now, data=counts)
    problems = reading.problems
    if problems.fresh and reading.usable:
        share = f"{problems.count} of {reading.total} entries"
        text = f"{share} of {reading.url}{purpose} cannot be used: {problems.summary()}"
        data: dict[str, JsonValue] = {
            "entries": reading.total,
            "unusable": problems.count,
            "holdout": reading.holdout,
            "problems": problems.data(),
        }
        events.add(session, job.id, "DatasetProblem", text, now, level="warning", data=data)


def _with_place(text: str, item: LabelItem) -> str:
    return text if text.startswith(item.where) else f"{item.where}: {text}"
