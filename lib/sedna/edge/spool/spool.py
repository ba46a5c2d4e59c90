"""Samples on the edge's disk: image files plus an index, each flushed before a sample counts as kept."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from sedna.common.atomic import free_bytes, write_atomic
from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import DataError, NotFoundError, StorageFullError
from sedna.common.types import JobKey, Picked, SampleRecord, sample_id
from sedna.edge.spool.files import SpoolFiles
from sedna.edge.spool.index import CounterKey, Row
from sedna.edge.spool.recovery import open_index, reconcile
from sedna.edge.spool.values import DropPolicy, JobSpoolCounts, RefusedSample, SpoolEntry, SpoolState, SpoolStats

__all__ = ["Spool"]

LOG = logging.getLogger("sedna.edge.spool")
_REMEMBERED = 100_000
"""Uploaded samples whose ids stay known: days of work of a busy edge, and some megabytes of index."""

_FORGET_EVERY = 256
"""Uploads between two clean-ups of those ids, each of which flushes the disk."""

_VICTIMS = 64
"""Rows read at a time when room is made: most samples are about as large as the one that needs the room."""


class Spool:
    """Keeps samples until the cloud has them. Safe for several threads; one process a folder.

    `add` returns only after the image and its index row are flushed to the disk, so that neither a killed process nor
    a power cut loses a sample that was acknowledged. Opening repairs whatever a crash left half done. A sample is
    known by job and sample id; the latest 100 000 uploaded ones are remembered, so that they are not sent twice to the
    same job (`renew` says which one that is).

    Args:
        folder: made if missing; used by nobody else.
        quota_bytes: most bytes of images and records on disk, refused and damaged ones included.
        policy: what gives way at the quota.
        min_free_bytes: free space of the file system that the spool does not touch.

    Raises:
        ConflictError: another process uses the folder, or newer software wrote it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quota_bytes: int = 1024**3,
        policy: DropPolicy = DropPolicy.DROP_OLDEST_AUDIT_FIRST,
        min_free_bytes: int = 64 * 1024**2,
        clock: Clock | None = None,
    ) -> None:
        self._quota = quota_bytes
        self._policy = policy
        self._min_free = min_free_bytes
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._held: set[int] = set()
        self._done_since_forget = 0
        self._files = SpoolFiles(folder)
        # The lock comes before everything else: a second process that repairs this folder would destroy samples.
        self._files.lock()
        try:
            self._index = open_index(self._files, self._clock.now())
            self._counters: Counter[CounterKey] = Counter(self._index.counters())
            self._bytes: Counter[JobKey] = Counter(self._index.bytes_by_job())
            # Counted before and after: giving a row up changes the bytes of its job, and needs a count to change.
            for row in reconcile(self._files, self._index):
                self._give_up(row, SpoolState.DAMAGED)
            self._bytes = Counter(self._index.bytes_by_job())
        except BaseException:
            self._files.unlock()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold in the index's log and let go of the folder; may be called twice."""
        with self._lock:
            self._index.close()
            self._files.unlock()

    def add(self, record: SampleRecord, image: bytes) -> bool:
        """Keep a sample; when this returns, it is on the disk for good.

        Returns:
            True if it is new; False if the spool has or had it.

        Raises:
            DataError: ``image`` is not what ``record`` describes.
            StorageFullError: no room under the policy, or the disk is full; counted as dropped, nothing is changed.
        """
        if sample_id(image) != record.sample_id or len(image) != record.size:
            raise DataError("the bytes are not those of the record", where=f"sample {record.sample_id}")
        with self._lock:
            known = self._index.find(record.job, record.sample_id)
            # A damaged one may come again: whoever brings it has the bytes that the disk has lost.
            if known is not None and known.state is not SpoolState.DAMAGED:
                return False
            try:
                self._make_room(record)
                self._write(record, image, known)
            except StorageFullError as error:
                self._count_refusal(record.job)
                LOG.warning("sample %s of %s dropped: %s", record.sample_id, record.job, error)
                raise
            return True

    def renew(self, job: JobKey, created_at: datetime) -> None:
        """Follow a job that was purged and made anew: it has none of the samples that were sent to the one before.

        What waits for upload stays, and goes to the new one.

        Raises:
            StorageFullError, StoreUnavailableError: that cannot be noted now; nothing changed.
        """
        with self._lock:
            forgotten = self._index.renew(job, created_at.isoformat())
        if forgotten:
            LOG.info("%s was made anew: %d samples that went to the one before are kept again", job, forgotten)

    def knows(self, job: JobKey, sample: str) -> bool:
        """Whether `add` would find this sample here already."""
        with self._lock:
            row = self._index.find(job, sample)
            return row is not None and row.state is not SpoolState.DAMAGED

    def claim(self) -> SpoolEntry | None:
        """The next sample to upload, held until `done`, `retry`, `reject` or `quarantine`; None when none waits.

        Hard samples come before audit samples, old before new; those that failed five times come after all others.
        """
        with self._lock:
            row = self._index.first(self._held)
            if row is None:
                return None
            self._held.add(row.seq)
            return self._entry(row)

    def pending(self) -> Iterator[SpoolEntry]:
        """All waiting samples in upload order, in bounded memory. Takes no sample: they may change meanwhile."""
        for row in self._index.in_order(SpoolState.PENDING):
            yield self._entry(row)

    def done(self, entry: SpoolEntry) -> None:
        """The cloud has it: remember its id, delete its file."""
        with self._lock:
            row = self._row(entry)
            with self._counting(Counter({_key(row.job, "uploaded"): 1})) as counters:
                # Row first, file second: the next start deletes the file of a done row, whereas a row without its file
                # would count as damaged.
                self._index.move(row, SpoolState.DONE, counters)
            self._bytes[row.job] -= row.bytes
            self._held.discard(row.seq)
            entry.path.unlink(missing_ok=True)
            self._done_since_forget += 1
            if self._done_since_forget >= _FORGET_EVERY:
                self._index.forget_done(_REMEMBERED)
                self._done_since_forget = 0

    def retry(self, entry: SpoolEntry) -> None:
        """Count a failed attempt; the sample waits again."""
        with self._lock:
            self._held.discard(entry.seq)
            self._index.failed(entry.seq)

    def release(self, entry: SpoolEntry) -> None:
        """Let go of a sample that was not sent; it waits as before."""
        with self._lock:
            self._held.discard(entry.seq)

    def reject(self, entry: SpoolEntry, reason: str) -> None:
        """The cloud will never take it: move it to ``rejected/`` and keep the reason."""
        self._set_aside(entry, SpoolState.REJECTED, reason)

    def quarantine(self, entry: SpoolEntry, reason: str) -> None:
        """Its bytes are no longer those that were added: move them to ``quarantine/`` and keep the reason."""
        self._set_aside(entry, SpoolState.DAMAGED, reason)

    def refused(self) -> Iterator[RefusedSample]:
        """Samples that will not be uploaded, each with its reason."""
        for state in (SpoolState.REJECTED, SpoolState.DAMAGED):
            for row in self._index.in_order(state):
                yield RefusedSample(row.record, self._files.path(row), state, row.reason)

    def requeue_rejected(self) -> int:
        """Let rejected samples try again, once their cause is gone; returns how many."""
        with self._lock:
            rows = list(self._index.in_order(SpoolState.REJECTED))
            # Row first here as well: the next start finishes the moves.
            self._index.requeue(rows)
            for row in rows:
                self._files.move(row, SpoolState.PENDING)
            return len(rows)

    def counts(self, job: JobKey) -> JobSpoolCounts:
        """The counts of one job."""
        with self._lock:
            values = {kind: self._counters[_key(job, kind)] for kind in _KINDS}
            return JobSpoolCounts(**values, bytes=self._bytes[job])

    def stats(self) -> SpoolStats:
        """The whole spool now."""
        with self._lock:
            return SpoolStats(
                pending=self._index.count(SpoolState.PENDING) - len(self._held),
                uploading=len(self._held),
                rejected=self._index.count(SpoolState.REJECTED),
                damaged=self._index.count(SpoolState.DAMAGED),
                bytes=self._bytes.total(),
                quota_bytes=self._quota,
                oldest_pending_at=self._index.oldest_pending_at(),
            )

    def _write(self, record: SampleRecord, image: bytes, damaged: Row | None) -> None:
        """File first, row second: a crash in between leaves a file that the next start removes."""
        path = self._files.prepare(record)
        write_atomic(path, image)
        try:
            with self._counting(Counter({_key(record.job, "spooled"): 1})) as counters:
                row = self._index.insert(record, self._clock.now().isoformat(), counters)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._bytes[row.job] += row.bytes
        if damaged is not None:
            self._bytes[row.job] -= damaged.bytes
            self._files.path(damaged).unlink(missing_ok=True)

    def _make_room(self, record: SampleRecord) -> None:
        needed = record.size + len(record.model_dump_json())
        missing = self._bytes.total() + needed - self._quota
        if missing > 0 and self._policy is DropPolicy.DROP_OLDEST_AUDIT_FIRST and needed <= self._quota:
            missing -= self._drop(missing)
        if missing > 0:
            raise StorageFullError(
                f"the quota of {self._quota} bytes is used up ({self._policy})",
                where=str(self._files.folder),
                hint="upload, raise the quota, or choose another policy",
                retry_after=60.0,
            )
        free = free_bytes(self._files.folder)
        if free - record.size < self._min_free:
            raise StorageFullError(
                f"{free} bytes are free, {self._min_free} must stay free",
                where=str(self._files.folder),
                hint="free some space",
                retry_after=60.0,
            )

    def _drop(self, wanted: int) -> int:
        """Give up samples that may give way until ``wanted`` bytes are free; returns the bytes freed."""
        freed = 0
        for state, picked in _GIVES_WAY:
            # Held samples are on their way to the cloud and cannot give way; so many more are read, that some are left.
            while freed < wanted and (rows := self._index.oldest(state, picked, _VICTIMS + len(self._held))):
                victims: list[Row] = []
                for row in rows:
                    if freed >= wanted:
                        break
                    if row.seq not in self._held:
                        victims.append(row)
                        freed += row.bytes
                if not victims:
                    break
                self._forget(victims)
        return freed

    def _forget(self, rows: list[Row]) -> None:
        with self._counting(Counter(_key(row.job, "dropped") for row in rows)) as counters:
            self._index.delete([row.seq for row in rows], counters)
        for row in rows:
            self._bytes[row.job] -= row.bytes
            self._files.path(row).unlink(missing_ok=True)
            LOG.warning("sample %s of %s dropped to make room (%s)", row.sample_id, row.job, row.state)

    def _set_aside(self, entry: SpoolEntry, state: SpoolState, reason: str) -> None:
        with self._lock:
            row = self._row(entry)
            self._held.discard(row.seq)
            changed = dataclasses.replace(row, reason=reason, size=self._files.size(row) or 0)
            self._give_up(changed, state)
            self._bytes[row.job] += changed.bytes - row.bytes

    def _give_up(self, row: Row, state: SpoolState) -> None:
        """Row first, file second: opening finishes the move."""
        kind = "rejected" if state is SpoolState.REJECTED else "damaged"
        with self._counting(Counter({_key(row.job, kind): 1})) as counters:
            self._index.move(row, state, counters)
        self._files.move(row, state)
        LOG.warning("sample %s of %s %s: %s", row.sample_id, row.job, kind, row.reason)

    def _row(self, entry: SpoolEntry) -> Row:
        row = self._index.find(entry.record.job, entry.record.sample_id)
        if row is None or row.seq != entry.seq or row.state is not SpoolState.PENDING:
            raise NotFoundError("does not wait for upload", where=f"sample {entry.record.sample_id}")
        return row

    def _entry(self, row: Row) -> SpoolEntry:
        return SpoolEntry(row.seq, row.record, self._files.path(row), row.attempts)

    @contextlib.contextmanager
    def _counting(self, more: Counter[CounterKey]) -> Iterator[dict[CounterKey, int]]:
        """New counter values for the transaction in the block; they hold from its end on, if it worked."""
        counters = {key: self._counters[key] + count for key, count in more.items()}
        yield counters
        for key, value in counters.items():
            self._counters[key] = value

    def _count_refusal(self, job: JobKey) -> None:
        """Count a refused new sample; a full disk must not hide it from this process."""
        with self._counting(Counter({_key(job, "dropped"): 1})) as counters:
            try:
                self._index.store_counters(counters)
            except StorageFullError:
                LOG.warning("the count of dropped samples cannot be stored now; it is kept in memory")


def _key(job: JobKey, kind: str) -> CounterKey:
    return (job.namespace, job.name, kind)


_KINDS = ("spooled", "uploaded", "rejected", "damaged", "dropped")
_GIVES_WAY = (
    *((state, picked) for state in (SpoolState.REJECTED, SpoolState.DAMAGED) for picked in Picked),
    (SpoolState.PENDING, Picked.AUDIT),
)
