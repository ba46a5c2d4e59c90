"""Watch the Dataset of a job: every new entry becomes a labelled sample, whatever happened to the files in between.

An entry is what the label files say about one image: a line, an image of a COCO file, a VOC or YOLO file. Entries are
known by content, so appending, rewriting, rotating and shrinking a file all do the right thing. Of several entries
about one image the last one counts. An entry whose image is missing or damaged is tried again at every check; the
others go in. A dataset of which no entry can be used makes the job Degraded.

In another folder the same entry names another image, so every entry is new there. Where the images have only moved,
what the dataset said about them before is no news: labels that people have given since stay.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from globalmanager.db import jobs, lines, resources
from globalmanager.db.values import JobRow
from globalmanager.ingest.dataset_reading import Reading, take_batch, to_take
from globalmanager.ingest.label_source import LabelSource
from globalmanager.ingest.seams import Seams
from sedna.common.clock import span
from sedna.common.errors import AuthError, DataError, StoreUnavailableError
from sedna.common.types import JobKey
from sedna.labels.classes import ClassNames
from sedna.labels.reading import read_labels
from sedna.loop.spec import DatasetSpec

_PENDING = timedelta(seconds=30)
"""Between two looks at files of which entries are still to be taken."""


class _Watched:
    """The label files of one address: ``url`` or ``holdoutUrl`` of a Dataset."""

    def __init__(self, url: str, spec: DatasetSpec, *, holdout: bool) -> None:
        self.url = url
        self.label_format = spec.label_format
        self.credential = spec.credential_name
        self.holdout = holdout
        self.reading: Reading | None = None
        self._source: LabelSource | None = None
        self._version = ""
        self._read_at: datetime | None = None
        self.error: DataError | None = None
        """That no entry is usable; it stands until one is."""

    @property
    def is_pending(self) -> bool:
        """Whether a part of the last reading is still to be taken."""
        return self.reading is not None and bool(self.reading.pending)

    def read(self, seams: Seams, job: JobRow) -> None:
        """Look which entries there are. Raises what `LabelSource` and `read_labels` raise."""
        if self._source is None:  # kept: a store has connections
            s3 = seams.s3(self.url, job.key.namespace, self.credential, job.spec.credential_name)
            self._source = LabelSource(self.url, self.label_format, self._where(job), s3, seams.patience)
        try:
            files, mark = self._source.look()
        except AuthError:  # its keys may have been changed since: the next look reads them again
            self.close()
            self._source = None
            raise
        version = f"{mark} {job.spec.class_names}"
        if self.reading is not None and version == self._version:
            if not self.is_pending:
                self.reading = self.reading.again()
            self._read_at = seams.now()
            return
        split = "val" if self.holdout else "train"
        start = self._source.start
        # As they are now: the list that was read before this one may have named classes.
        with seams.db.read() as session:
            found = jobs.by_id(session, job.id).found_classes
        classes = ClassNames.of(job.spec.class_names, found)
        items = read_labels(files, self.label_format, classes, start=start, split=split)
        if classes.is_open and tuple(classes.names) != found:
            with seams.write() as session:
                kept = jobs.keep_classes(session, job.id, found, classes.names)
            if not kept:
                raise StoreUnavailableError("another label file has just named classes", where=self._where(job))
        # Only now, when the files are known to be readable, the entries of another folder are forgotten.
        folder = self._source.folder.url
        with seams.db.read() as session:
            moved = lines.folder(session, job.id, self.holdout) != folder
        if moved:
            with seams.write() as session:
                lines.move(session, job.id, self.holdout, folder)
        with seams.db.read() as session:
            known = lines.known(session, job.id, self.holdout, [item.digest for item in items])
            taken = lines.taken(session, job.id, self.holdout, {item.name for item in items})
        self.reading = Reading(self.url, self.holdout, len(items), deque(to_take(items, known, taken)))
        self._version, self._read_at = version, seams.now()

    def may_have_changed(self, now: datetime, period: timedelta) -> bool:
        """Whether files of which entries are still to be taken are to be looked at: what was mended in them must not
        wait for what was broken. Not before each batch."""
        return self._read_at is None or now - self._read_at >= max(period, _PENDING)

    def take(self, seams: Seams, job: JobRow) -> None:
        """Take one batch of what is pending.

        Raises:
            StoreUnavailableError, StorageFullError: the batch stays pending.
        """
        if self.reading is None:
            return
        if self.reading.pending:
            assert self._source is not None, "what is pending was read"
            take_batch(seams, job, self.reading, self._source.folder)
        # It stands between the batches of the next tries as well, so that the job does not go on and off.
        if self.reading.usable:
            self.error = None
        elif not self.reading.pending:
            self.error = self.reading.error(self._where(job))

    def close(self) -> None:
        """Give back connections."""
        if self._source is not None:
            self._source.close()

    def _where(self, job: JobRow) -> str:
        return f"Dataset {job.key.namespace}/{job.spec.dataset.name}: {'holdoutUrl' if self.holdout else 'url'}"


class DatasetWatch:
    """The Dataset of one job. What it remembers only saves time: the database knows which entries were seen."""

    def __init__(self) -> None:
        self._watched: dict[bool, _Watched] = {}
        self._checked_at: datetime | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the dataset as a whole, though its files can be read."""
        return tuple(str(watched.error) for watched in self._watched.values() if watched.error is not None)

    def next_look(self, job: JobRow) -> datetime | None:
        """When the check period is over; None = now, also when a part of a reading is still to be taken."""
        if self._checked_at is None or any(watched.is_pending for watched in self._watched.values()):
            return None
        return self._checked_at + span(job.spec.train_spec.trigger.check_period_seconds)

    def wants_a_look(self, job: JobRow, now: datetime) -> bool:
        """Whether that is so far."""
        due = self.next_look(job)
        return due is None or now >= due

    def look(self, seams: Seams, job: JobRow) -> bool:
        """Take in at most one batch of each address. Returns whether more is waiting.

        Raises:
            UserError: the dataset cannot be read as it is.
            TemporaryError: not now.
        """
        key = JobKey(namespace=job.key.namespace, name=job.spec.dataset.name)
        with seams.db.read() as session:
            spec = DatasetSpec.model_validate(resources.get(session, "Dataset", key).spec)
        watched = self._named(spec)
        now = seams.now()
        period = span(job.spec.train_spec.trigger.check_period_seconds)
        due = self._checked_at is None or now - self._checked_at >= period
        # The hold-out first, and all of it: what is on both lists must never be trained on. For the same reason nothing
        # is taken for training while the hold-out cannot be read, or no entry of it is usable.
        for one in watched:
            if one.may_have_changed(now, period) if one.is_pending else due:
                one.read(seams, job)
            if due and one is watched[-1]:
                self._checked_at = now
            one.take(seams, job)
            if one.is_pending:
                return True
            if one.error is not None:
                self._checked_at = now
                return False
        return False

    def _named(self, spec: DatasetSpec) -> list[_Watched]:
        """What the Dataset names now, the hold-out first; other addresses are watched no longer."""
        named = {holdout: url for holdout, url in ((True, spec.holdout_url), (False, spec.url)) if url}
        for holdout, watched in list(self._watched.items()):
            is_same = (watched.url, watched.label_format, watched.credential)
            if (named.get(holdout), spec.label_format, spec.credential_name) != is_same:
                del self._watched[holdout]
                watched.close()
        for holdout, url in named.items():
            if holdout not in self._watched:
                self._watched[holdout] = _Watched(url, spec, holdout=holdout)
                self._checked_at = None
        return [self._watched[holdout] for holdout in named]
