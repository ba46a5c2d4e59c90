"""Compare a database with its store, and take back what the database has lost. Nothing is deleted or replaced.

It may run beside the service: a sample is stored bytes first, row second, and is taken back by the same insert that an
upload makes.
"""

from __future__ import annotations

from pydantic import ValidationError

from globalmanager.db import Database, events, sample_problems, samples
from globalmanager.db.take_back import Known, all_jobs, known, move_on, take_back
from globalmanager.upkeep.findings import Finding, Kind, Report
from globalmanager.upkeep.listing import Stored, list_store
from globalmanager.upkeep.versions import LostLabels, compare_versions
from sedna.common.clock import Clock
from sedna.common.errors import DataError, NotFoundError, SpecError
from sedna.common.types import JobKey, SampleRecord
from sedna.common.validation import first_fault
from sedna.store.base import ObjectStore
from sedna.store.download import sha256_stream
from sedna.store.layout import sample_key, sample_record_key

__all__ = ["repair"]


def repair(db: Database, store: ObjectStore, clock: Clock, *, dry_run: bool, verify: bool = False) -> Report:
    """Compare all jobs, and put right what can be.

    Samples without a row get one again, with the part and the label that the newest dataset version has of them;
    records without an object are written from their rows; numbers of versions and rounds that the store has are not
    given out again; a picture that is not there, or not whole, becomes a problem of its sample. All else is reported.

    Args:
        dry_run: change nothing, and report what would be done.
        verify: read every picture, and compare it with its sha256; else only its size counts.

    Raises:
        SpecError: the store has nothing of what the database speaks of: it is another one, or not mounted.
        TemporaryError: database or store do not answer; what was done is kept, and the next run goes on.
    """
    # Rows first: what arrives meanwhile then looks like a lost row, which the insert finds not to be one. The other way
    # round it would look like a lost picture.
    with db.read() as session:
        rows = all_jobs(session)
        before = {key: known(session, row) for key, row in rows.items()}
    found = list_store(store)
    _require_right_store(store, before, found, dry_run=dry_run)
    findings = [_unknown(key, stored) for key, stored in sorted(found.items(), key=str) if key not in rows]
    for key, row in rows.items():
        if before[key].purging:
            continue
        one = _Job(db, store, clock, key, row, before[key], found.get(key, Stored()), dry_run=dry_run)
        findings += one.repair(verify=verify)
    return Report(
        dry_run=dry_run,
        jobs=len(rows),
        samples=sum(len(one.samples) for one in before.values()),
        pictures=sum(len(one.pictures) for one in found.values()),
        findings=tuple(findings),
    )


def _require_right_store(
    store: ObjectStore, before: dict[JobKey, Known], found: dict[JobKey, Stored], *, dry_run: bool
) -> None:
    """Every sample would get a problem."""
    wanted = sum(not sample.deleted for one in before.values() if not one.purging for sample in one.samples.values())
    if wanted and not dry_run and not any(one.pictures for one in found.values()):
        raise SpecError(
            f"the store has no picture at all, the database speaks of {wanted}",
            where=store.url,
            hint="is it the right one, and mounted? --dry-run shows what is missing",
        )


def _unknown(key: JobKey, stored: Stored) -> Finding:
    message = (
        f"the store has {len(stored.pictures)} samples, {len(stored.datasets)} dataset versions and"
        f" {len(stored.models)} models of it; 'sedna job apply' its description, then repair again"
    )
    return Finding(kind=Kind.UNKNOWN_JOB, job=str(key), what=str(key), message=message)


class _Job:
    def __init__(
        self, db: Database, store: ObjectStore, clock: Clock, key: JobKey, row: int, before: Known, stored: Stored,
        *, dry_run: bool,
    ) -> None:  # fmt: skip
        self._db, self._store, self._clock = db, store, clock
        self._key, self._row, self._before, self._stored = key, row, before, stored
        self._dry_run = dry_run

    def repair(self, *, verify: bool) -> list[Finding]:
        lost = sorted((self._stored.pictures.keys() | self._stored.records) - self._before.samples.keys())
        labels = LostLabels(self._store, self._key, self._stored.datasets, lost)
        findings = [self._numbers(), *(self._take_back(sample, labels) for sample in lost)]
        findings += self._compare_samples(verify=verify)
        findings += compare_versions(self._store, self._key, self._before, self._stored)
        return [finding for finding in findings if finding is not None] + labels.findings

    def _finding(self, kind: Kind, what: str, message: str, *, done: bool = False) -> Finding:
        return Finding(kind=kind, job=str(self._key), what=what, message=message, done=done)

    def _numbers(self) -> Finding | None:
        """Before samples: with them the job may begin a round."""
        dataset, model, round_id = (max(s, default=0) for s in (
            self._stored.datasets, self._stored.models, self._stored.rounds,
        ))  # fmt: skip
        before = self._before
        if dataset < before.next_dataset and model < before.next_model and round_id < before.next_round:
            return None
        if not self._dry_run:
            with self._db.write() as session:
                move_on(session, self._row, dataset=dataset, model=model, round_id=round_id)
        message = f"the store has dataset version {dataset}, model {model}, round {round_id}: counted on from there"
        return self._finding(Kind.NUMBERS, str(self._key), message, done=True)

    def _take_back(self, sample: str, labels: LostLabels) -> Finding | None:
        try:
            record = self._record(sample)
        except DataError as error:
            return self._finding(Kind.UNREADABLE_SAMPLE, sample, error.message)
        entry = labels.of(sample)
        said = "without a label" if entry is None else f"with its label, {entry.part.value}"
        if not self._dry_run:
            now = self._clock.now()
            with self._db.write() as session:
                if not take_back(session, self._row, record, entry, now):
                    return None  # it has just arrived
                text = f"sample {sample} was in the store and not in the database: taken back {said}"
                events.add(session, self._row, "SampleTakenBack", text, now, data={"sample": sample})
        return self._finding(Kind.LOST_SAMPLE, sample, f"taken back {said}", done=True)

    def _record(self, sample: str) -> SampleRecord:
        """What the store has of a sample, if that can be taken.

        Raises:
            DataError: it cannot.
        """
        if sample not in self._stored.records:
            raise DataError("there is a picture and no record; upload it again")
        try:
            record = SampleRecord.model_validate_json(self._store.get(sample_record_key(self._key, sample)))
        except ValidationError as error:
            raise DataError(f"its record is damaged: {first_fault(error).message}") from error
        except NotFoundError as error:
            raise DataError("its record has just been deleted") from error
        if (record.sample_id, record.job) != (sample, self._key):
            raise DataError(f"its record is of sample {record.sample_id} of {record.job}")
        if record.extension not in self._stored.pictures.get(sample, {}):
            raise DataError("there is a record and no picture; upload it again")
        if (fault := self._fault(sample, record.extension)) is not None:
            raise DataError(fault)
        return record

    def _fault(self, sample: str, extension: str) -> str | None:
        try:
            with self._store.open(sample_key(self._key, sample, extension)) as stream:
                found = sha256_stream(stream)
        except NotFoundError:
            return "its picture is not in the store"
        return None if found == sample else f"its picture in the store is damaged: it has sha256 {found}"

    def _compare_samples(self, *, verify: bool) -> list[Finding]:
        findings, problems = [], {}
        for sample, row in self._before.samples.items():
            sizes = self._stored.pictures.get(sample, {})
            size = sizes.get(row.extension)
            if row.deleted:
                if sizes or sample in self._stored.records:
                    message = "it was deleted, and the store still has it: 'sedna sample delete' again"
                    findings.append(self._finding(Kind.LEFT_OVER, sample, message))
                continue
            if sample not in self._stored.records:
                findings.append(self._write_record(sample))
            if size == row.size and not verify:
                continue
            # Looked at again: it may have come since the walk over the store.
            fault = self._fault(sample, row.extension)
            if fault is not None:
                problems[sample] = fault
                kind = Kind.MISSING_PICTURE if size is None else Kind.DAMAGED_PICTURE
                findings.append(self._finding(kind, sample, f"{fault}; upload it again, or 'sedna sample repair'"))
        if problems and not self._dry_run:
            with self._db.write() as session:
                sample_problems.note(session, self._row, problems, self._clock.now())
        return findings

    def _write_record(self, sample: str) -> Finding:
        if not self._dry_run:
            with self._db.read() as session:
                record = samples.get(session, self._row, sample).record
            self._store.put_if_absent(sample_record_key(self._key, sample), record.model_dump_json().encode())
        return self._finding(Kind.LOST_RECORD, sample, "written again from the database", done=True)
