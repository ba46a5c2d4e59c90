"""Watch the Dataset of a job: every new line becomes a labelled sample, whatever happened to the file in between.

Lines are known by content, so appending, rewriting, rotating and shrinking a file all do the right thing. Of several
lines about one image the last one counts. A line whose
image is missing or damaged is told once and tried again at every check; the others go in.

In another folder the same line names another image, so every line is new there. Where the images have only moved, what
the dataset said about them before is no news: labels that people have given since stay.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from globalmanager.db import events, lines, resources, samples
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from globalmanager.ingest.dataset_items import Item, read_items
from globalmanager.ingest.images import inspect_image
from globalmanager.ingest.intake import store_sample
from globalmanager.ingest.seams import Seams
from globalmanager.ingest.sources import SourceFolder, open_source
from sedna.common.errors import UserError
from sedna.common.types import Annotation, JobKey, Picked, Prediction, SampleRecord, Verdict, sample_id
from sedna.loop.spec import DatasetSpec

BATCH = 64
"""Images taken in a go: between two batches the job's other business gets its turn."""

_AUTHORS = "dataset/"
"""What the author of a label is called that came from a dataset; then comes the dataset's name."""

MAX_INDEX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class _Ready:
    """An item whose image is in the store, or the reason why it is not."""

    item: Item
    record: SampleRecord | None = None
    annotation: Annotation | None = None
    error: str | None = None


@dataclass
class _Watched:
    """One file of one job: what is left of its last reading."""

    url: str
    holdout: bool
    reading: str = ""
    folder: SourceFolder | None = None
    name: str = ""
    pending: deque[Item] = field(default_factory=deque)


class DatasetWatch:
    """The dataset files of one job. What it remembers only saves time: the database knows which lines were seen."""

    def __init__(self) -> None:
        self._files: dict[bool, _Watched] = {}
        self._checked_at: datetime | None = None

    def wants_a_look(self, job: JobRow, now: datetime) -> bool:
        """Whether the check period is over, or a part of a file is still to be taken."""
        return self._is_due(job, now) or any(file.pending for file in self._files.values())

    def look(self, seams: Seams, job: JobRow) -> bool:
        """Take in at most one batch per file. Returns whether more is waiting.

        Raises:
            UserError: the dataset, or a file of it, cannot be read as it is.
            TemporaryError: not now.
        """
        key = JobKey(namespace=job.key.namespace, name=job.spec.dataset.name)
        with seams.db.read() as session:
            spec = DatasetSpec.model_validate(resources.get(session, "Dataset", key).spec)
        files = self._named(spec)
        now = seams.now()
        due = self._is_due(job, now)
        # The hold-out first, and all of it: what is on both lists must never be trained on.
        for file in files:
            if due and not file.pending:
                _read(seams, job, spec, file)
            if due and file is files[-1]:
                self._checked_at = now
            if file.pending:
                _take_batch(seams, job, file)
            if file.pending:
                return True
        return False

    def _is_due(self, job: JobRow, now: datetime) -> bool:
        return self._checked_at is None or now - self._checked_at >= _period(job)

    def _named(self, spec: DatasetSpec) -> list[_Watched]:
        """The files that the Dataset names now, the hold-out first; others are watched no longer."""
        urls = {holdout: url for holdout, url in ((True, spec.holdout_url), (False, spec.url)) if url}
        for holdout, file in list(self._files.items()):
            if urls.get(holdout) != file.url:
                del self._files[holdout]
                if file.folder is not None:
                    file.folder.close()
        for holdout, url in urls.items():
            if holdout not in self._files:
                self._files[holdout] = _Watched(url, holdout)
                self._checked_at = None
        return [self._files[holdout] for holdout in urls]


def _period(job: JobRow) -> timedelta:
    return timedelta(seconds=job.spec.train_spec.trigger.check_period_seconds)


def _read(seams: Seams, job: JobRow, spec: DatasetSpec, file: _Watched) -> None:
    where = f"Dataset {job.key.namespace}/{job.spec.dataset.name}: {'holdoutUrl' if file.holdout else 'url'}"
    if file.folder is None:  # once: a store has connections
        file.folder, file.name = open_source(file.url, where, seams.settings.s3)
    data = file.folder.read(file.name, MAX_INDEX_BYTES)
    reading = f"{hashlib.sha256(data).hexdigest()} {spec.format} {job.spec.class_names}"
    with seams.db.read() as session:
        if reading == file.reading and lines.bad(session, job.id) == 0:
            return
        moved = lines.folder(session, job.id, file.holdout) != file.folder.url
    items = read_items(data, spec.format, job.spec.class_names, file.url)
    if moved:
        with seams.write() as session:
            lines.move(session, job.id, file.holdout, file.folder.url)
    with seams.db.read() as session:
        known = lines.known(session, job.id, file.holdout, [item.digest for item in items])
        taken = lines.taken(session, job.id, file.holdout, {item.name for item in items})
    file.reading = reading
    file.pending.extend(_to_take(items, known, taken))


def _to_take(items: Sequence[Item], known: Mapping[str, str | None], taken: Mapping[str, str]) -> Iterator[Item]:
    """What is new in the file, or could not be used before.

    A line that was used before is new again where the file has gone back to it: another line about the same image was
    taken since, and is not the last one any more.

    Args:
        known: lines seen before, each with its error.
        taken: by image, the line that was taken last.
    """
    last = {item.name: item.digest for item in items if known.get(item.digest, "never seen") is None}
    renewed = set()
    for item in items:
        if item.digest not in known:
            renewed.add(item.name)
        gone_back = last.get(item.name) == item.digest and taken.get(item.name, item.digest) != item.digest
        unusable = known.get(item.digest) is not None
        if item.digest not in known or unusable or gone_back or item.name in renewed:
            yield item


def _take_batch(seams: Seams, job: JobRow, file: _Watched) -> None:
    batch = [file.pending.popleft() for _ in range(min(BATCH, len(file.pending)))]
    try:
        _take(seams, job, file, batch)
    except BaseException:
        file.pending.extendleft(reversed(batch))  # nothing was acknowledged: they are still to do
        raise


def _take(seams: Seams, job: JobRow, file: _Watched, batch: list[Item]) -> None:
    assert file.folder is not None, "a file with pending items was read"
    ready = [_prepare(seams, job, file.folder, item) for item in batch]
    now = seams.now()
    with seams.write() as session:
        taken = sum(_insert(session, job, file, one, now) for one in ready)
        if taken:
            text = f"{taken} samples from {file.url}{' for the hold-out' if file.holdout else ''}"
            events.add(session, job.id, "DatasetImported", text, now, data={"samples": taken})


def _prepare(seams: Seams, job: JobRow, folder: SourceFolder, item: Item) -> _Ready:
    """Read and check one image and put it into the store; what is wrong with it alone does not stop the others."""
    try:
        if item.fault is not None:
            raise item.fault
        image = folder.read(item.name, seams.settings.max_image_bytes)
        facts = inspect_image(image, item.name)
        annotation = item.annotate(facts.width, facts.height)
    except UserError as error:
        return _Ready(item, error=str(error))
    record = SampleRecord(
        sample_id=sample_id(image),
        job=job.key,
        extension=facts.extension,
        size=len(image),
        width=facts.width,
        height=facts.height,
        picked=Picked.IMPORT,
        verdict=Verdict(hard=False, miner="none", reason=f"imported from Dataset {job.spec.dataset.name}"),
        prediction=Prediction(),
        model_version=0,
        edge="",
        captured_at=seams.now(),
    )
    store_sample(seams.store, record, image)
    return _Ready(item, record=record, annotation=annotation)


def _insert(session: Session, job: JobRow, file: _Watched, one: _Ready, now: datetime) -> bool:
    """Whether the line labelled a sample. Only a line with an error is tried again."""
    problem = one.error
    news = lines.put(session, job.id, file.holdout, one.item.digest, one.error)
    if one.record is not None and one.annotation is not None:
        sample = one.record.sample_id
        samples.insert(session, job.id, one.record, now, source=one.item.name, holdout=file.holdout)
        if file.holdout and not samples.hold_out(session, job.id, sample):
            problem = "the image is a training or evaluation sample already and cannot become hold-out"
        else:
            if not news or samples.last_label(session, job.id, sample, _AUTHORS) != one.annotation:
                author = f"{_AUTHORS}{job.spec.dataset.name}"
                samples.add_label(session, job.id, sample, one.annotation, author, now)
            lines.take(session, job.id, file.holdout, one.item.name, one.item.digest)
    if problem is not None and news:
        text = problem if problem.startswith(one.item.where) else f"{one.item.where}: {problem}"
        data: dict[str, JsonValue] = {"name": one.item.name, "holdout": file.holdout}
        events.add(session, job.id, "SampleProblem", text, now, level="warning", data=data)
    return problem is None
