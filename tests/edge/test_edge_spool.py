import logging
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.edge_twins import JOB, png, record_of
from sedna.common.errors import ConflictError, DataError, NotFoundError, StorageFullError
from sedna.common.types import JobKey, Picked, SampleRecord, sample_id
from sedna.edge.spool import DropPolicy, Spool, SpoolState

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def put(spool: Spool, seed: int, picked: Picked = Picked.HARD, job: JobKey = JOB) -> SampleRecord:
    data = png(seed)
    record = record_of(data, picked, job)
    assert spool.add(record, data)
    return record


def cost(seed: int, picked: Picked = Picked.HARD) -> int:
    data = png(seed)
    return len(data) + len(record_of(data, picked).model_dump_json())


def waiting(spool: Spool) -> list[str]:
    return [entry.record.sample_id for entry in spool.pending()]


def images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.png"))


def test_kept_samples_are_there_after_reopening(tmp_path):
    with Spool(tmp_path) as spool:
        records = [put(spool, seed) for seed in range(3)]
    with Spool(tmp_path) as spool:
        entries = list(spool.pending())
        assert [entry.record for entry in entries] == records
        assert [entry.path.read_bytes() for entry in entries] == [png(seed) for seed in range(3)]
        assert spool.counts(JOB).spooled == 3
        assert spool.counts(JOB).bytes == sum(cost(seed) for seed in range(3)) == spool.stats().bytes


def test_the_same_sample_is_kept_once_also_after_its_upload(tmp_path):
    data = png()
    with Spool(tmp_path) as spool:
        assert spool.add(record_of(data), data)
        assert not spool.add(record_of(data), data)
        spool.done(spool.claim())
    with Spool(tmp_path) as spool:
        assert not spool.add(record_of(data), data)
        assert spool.claim() is None
        assert images(tmp_path) == []
        assert (spool.counts(JOB).spooled, spool.counts(JOB).uploaded, spool.counts(JOB).bytes) == (1, 1, 0)


def test_a_job_that_was_made_anew_gets_what_was_sent_to_the_one_before(tmp_path):
    other = JobKey(namespace="lab", name="pcb")
    with Spool(tmp_path) as spool:
        spool.renew(JOB, NOW)
        spool.renew(other, NOW)
        put(spool, 0)
        put(spool, 0, job=other)
        spool.done(spool.claim())
        spool.done(spool.claim())
        put(spool, 1)
        spool.renew(JOB, NOW)
        assert spool.knows(JOB, sample_id(png(0))), "the same job"
    with Spool(tmp_path) as spool:
        spool.renew(JOB, NOW + timedelta(seconds=1))
        assert not spool.knows(JOB, sample_id(png(0)))
        assert spool.knows(JOB, sample_id(png(1))), "it waits, and goes to the new one"
        assert spool.knows(other, sample_id(png(0))), "another job's"
        put(spool, 0)
        assert len(waiting(spool)) == 2


def test_a_spool_that_knew_no_time_of_its_job_forgets_nothing(tmp_path):
    with Spool(tmp_path) as spool:
        put(spool, 0)
        spool.done(spool.claim())
        spool.renew(JOB, NOW)
        assert spool.knows(JOB, sample_id(png(0)))


def test_two_jobs_may_keep_the_same_sample(tmp_path):
    other = JobKey(namespace="lab", name="pcb")
    with Spool(tmp_path) as spool:
        put(spool, 0)
        put(spool, 0, job=other)
        spool.done(spool.claim())
        assert [entry.record.job for entry in spool.pending()] == [other]
        assert spool.claim().path.read_bytes() == png(0)


def test_bytes_that_are_not_the_record_are_refused(tmp_path):
    with Spool(tmp_path) as spool, pytest.raises(DataError, match="not those of the record"):
        spool.add(record_of(png(0)), png(1))


def test_hard_samples_go_first_and_old_ones_before_new_ones(tmp_path):
    with Spool(tmp_path) as spool:
        audit = [put(spool, seed, Picked.AUDIT).sample_id for seed in (0, 1)]
        hard = [put(spool, seed).sample_id for seed in (2, 3)]
        assert waiting(spool) == hard + audit
        claimed = [spool.claim().record.sample_id for _ in range(4)]
        assert claimed == hard + audit
        assert spool.claim() is None
        assert spool.stats().uploading == 4
    with Spool(tmp_path) as spool:
        assert spool.stats().pending == 4


def test_a_sample_that_keeps_failing_makes_way_for_the_others(tmp_path):
    with Spool(tmp_path) as spool:
        bad = put(spool, 0)
        for _ in range(5):
            entry = spool.claim()
            assert entry.record == bad
            spool.retry(entry)
        audit = put(spool, 1, Picked.AUDIT)
        assert waiting(spool) == [audit.sample_id, bad.sample_id]
        released = spool.claim()
        spool.release(released)
        assert spool.claim().attempts == 0


def test_pages_do_not_repeat_or_skip(tmp_path):
    with Spool(tmp_path) as spool:
        expected = [put(spool, seed).sample_id for seed in range(7)]
        assert [row.sample_id for row in spool._index.in_order(SpoolState.PENDING, page=2)] == expected


def test_a_rejected_sample_keeps_its_reason_and_can_try_again(tmp_path):
    with Spool(tmp_path) as spool:
        record = put(spool, 0)
        entry = spool.claim()
        spool.reject(entry, "422 unknown job")
        assert spool.claim() is None
        with pytest.raises(NotFoundError):
            spool.done(entry)
    with Spool(tmp_path) as spool:
        (refused,) = spool.refused()
        assert (refused.record, refused.state, refused.reason) == (record, SpoolState.REJECTED, "422 unknown job")
        assert refused.path.read_bytes() == png(0)
        assert refused.path.is_relative_to(tmp_path / "rejected")
        assert spool.requeue_rejected() == 1
        assert spool.claim().path.read_bytes() == png(0)
        assert spool.counts(JOB).rejected == 1


def test_a_damaged_sample_is_set_aside_and_may_come_again(tmp_path):
    with Spool(tmp_path) as spool:
        put(spool, 0)
        entry = spool.claim()
        entry.path.write_bytes(b"rot")
        spool.quarantine(entry, "sha256 differs")
        (refused,) = spool.refused()
        assert refused.path.read_bytes() == b"rot"
        assert refused.path.is_relative_to(tmp_path / "quarantine")
        assert spool.counts(JOB).bytes == cost(0) - len(png(0)) + len(b"rot")
        put(spool, 0)
        assert spool.claim().path.read_bytes() == png(0)
        assert list(spool.refused()) == []
        assert spool.counts(JOB).bytes == cost(0)
        assert not refused.path.exists()


def test_audit_samples_give_way_oldest_first_and_are_counted(tmp_path, caplog):
    quota = cost(0) + cost(1, Picked.AUDIT) + cost(2, Picked.AUDIT)
    with Spool(tmp_path, quota_bytes=quota) as spool:
        put(spool, 0)
        put(spool, 1, Picked.AUDIT)
        put(spool, 2, Picked.AUDIT)
        with caplog.at_level(logging.WARNING):
            put(spool, 3)
        assert spool.counts(JOB).dropped == 1
        assert record_of(png(1)).sample_id in caplog.text
        assert [entry.path.read_bytes() for entry in spool.pending()] == [png(0), png(3), png(2)]
        assert len(images(tmp_path)) == 3
        assert spool.stats().bytes <= quota


def test_what_cannot_be_uploaded_gives_way_before_what_can(tmp_path):
    with Spool(tmp_path, quota_bytes=cost(0) + cost(1, Picked.AUDIT) + 10) as spool:
        put(spool, 0)
        spool.reject(spool.claim(), "refused")
        put(spool, 1, Picked.AUDIT)
        put(spool, 2)
        assert list(spool.refused()) == []
        assert len(waiting(spool)) == 2


def test_a_spool_full_of_hard_samples_refuses_new_ones(tmp_path):
    with Spool(tmp_path, quota_bytes=cost(0) + 10) as spool:
        put(spool, 0)
        data = png(1)
        with pytest.raises(StorageFullError, match="quota"):
            spool.add(record_of(data), data)
        assert spool.counts(JOB).dropped == 1
        assert waiting(spool) == [record_of(png(0)).sample_id]
    with Spool(tmp_path) as spool:
        assert spool.counts(JOB).dropped == 1


def test_samples_being_uploaded_do_not_give_way(tmp_path):
    with Spool(tmp_path, quota_bytes=cost(0, Picked.AUDIT) + 10) as spool:
        put(spool, 0, Picked.AUDIT)
        entry = spool.claim()
        data = png(1)
        with pytest.raises(StorageFullError):
            spool.add(record_of(data), data)
        assert entry.path.exists()


def test_reject_new_deletes_nothing(tmp_path):
    with Spool(tmp_path, quota_bytes=cost(0, Picked.AUDIT) + 10, policy=DropPolicy.REJECT_NEW) as spool:
        put(spool, 0, Picked.AUDIT)
        data = png(1)
        with pytest.raises(StorageFullError, match="reject-new"):
            spool.add(record_of(data), data)
        assert len(waiting(spool)) == 1


def test_a_sample_larger_than_the_quota_drops_nothing_else(tmp_path):
    with Spool(tmp_path, quota_bytes=cost(0, Picked.AUDIT) + 10) as spool:
        put(spool, 0, Picked.AUDIT)
        data = png(1, width=200, height=200)
        with pytest.raises(StorageFullError):
            spool.add(record_of(data), data)
        assert len(waiting(spool)) == 1


def test_free_space_of_the_disk_is_respected(tmp_path):
    with Spool(tmp_path, min_free_bytes=2**62) as spool:
        data = png()
        with pytest.raises(StorageFullError, match="must stay free"):
            spool.add(record_of(data), data)
        assert spool.counts(JOB).dropped == 1


def test_one_process_a_folder(tmp_path):
    with Spool(tmp_path), pytest.raises(ConflictError, match="in use by process"):
        Spool(tmp_path)
    Spool(tmp_path).close()


def test_newer_software_is_not_overwritten(tmp_path):
    Spool(tmp_path).close()
    with sqlite3.connect(tmp_path / "index.sqlite3") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(ConflictError, match="newer"):
        Spool(tmp_path)


def test_done_samples_are_forgotten_beyond_the_limit(tmp_path):
    with Spool(tmp_path) as spool:
        for seed in range(6):
            put(spool, seed)
            spool.done(spool.claim())
        spool._index.forget_done(2)
        assert spool._index.count(SpoolState.DONE) == 2
        assert spool._index.find(JOB, record_of(png(5)).sample_id) is not None


def test_the_oldest_waiting_sample_is_reported(tmp_path):
    with Spool(tmp_path) as spool:
        assert spool.stats().oldest_pending_at is None
        put(spool, 0, Picked.AUDIT)
        first = spool.stats().oldest_pending_at
        put(spool, 1)
        assert spool.stats().oldest_pending_at == first is not None
