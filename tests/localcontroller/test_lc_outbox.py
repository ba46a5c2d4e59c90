"""Reports are kept until they are handed over, once each, also over a restart."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from localcontroller.outbox import KEEP_DELIVERED, Outbox
from sedna.common.clock import SettableClock
from sedna.common.errors import StorageFullError, StoreUnavailableError
from sedna.core.report import WorkerReport


def report(name: str = "train-worker-abcde", **fields: object) -> WorkerReport:
    return WorkerReport.model_validate({"name": name, "kind": "train", "status": "completed", **fields})


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def test_reports_survive_a_restart_in_order(tmp_path: Path, clock: SettableClock) -> None:
    outbox = Outbox(tmp_path / "reports.db", clock)
    for name in ("b", "a", "c"):
        assert outbox.add(report(name))
    outbox.close()

    again = Outbox(tmp_path / "reports.db", clock)
    seen = []
    while (pending := again.next_pending()) is not None:
        seen.append(pending.report.name)
        again.mark_delivered(pending.id)
    assert seen == ["b", "a", "c"]
    assert again.pending() == 0
    again.close()


def test_the_same_report_is_kept_once_whatever_the_order_of_its_keys(tmp_path: Path, clock: SettableClock) -> None:
    outbox = Outbox(tmp_path / "reports.db", clock)
    one = WorkerReport.model_validate_json('{"name": "w", "kind": "train", "results": [{"a": 1, "b": 2}]}')
    two = WorkerReport.model_validate_json('{"results": [{"b": 2, "a": 1}], "kind": "train", "name": "w"}')
    assert outbox.add(one)
    assert not outbox.add(two)
    assert outbox.add(one, discriminator="model 2")
    assert outbox.pending() == 2
    outbox.close()


def test_a_repeated_report_is_recognised_after_its_delivery(tmp_path: Path, clock: SettableClock) -> None:
    outbox = Outbox(tmp_path / "reports.db", clock)
    outbox.add(report())
    first = outbox.next_pending()
    assert first is not None
    outbox.mark_delivered(first.id)
    assert not outbox.add(report())
    clock.advance(KEEP_DELIVERED + timedelta(seconds=1))
    outbox.add(report("other"))
    other = outbox.next_pending()
    assert other is not None
    outbox.mark_delivered(other.id)
    assert outbox.add(report()), "old deliveries are forgotten, so that the file does not grow for ever"
    outbox.close()


def test_a_damaged_file_is_named(tmp_path: Path, clock: SettableClock) -> None:
    path = tmp_path / "reports.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnavailableError, match=r"reports\.db"):
        Outbox(path, clock)


def test_synchronous_is_full(tmp_path: Path, clock: SettableClock) -> None:
    outbox = Outbox(tmp_path / "reports.db", clock)
    outbox.add(report())
    with sqlite3.connect(tmp_path / "reports.db") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    outbox.close()


def test_wire_form_leaves_absent_fields_absent() -> None:
    body = {"name": "w", "namespace": "default", "ownerName": "job", "ownerKind": "incrementallearningjob"}
    assert WorkerReport.model_validate(body).body() == body
    assert WorkerReport.model_validate({**body, "later": 1}).body() == body


def test_a_full_disk_refuses_a_report_and_keeps_the_others(tmp_path: Path, clock: SettableClock) -> None:
    outbox = Outbox(tmp_path / "reports.db", clock)
    outbox.add(report("first"))
    (pages,) = outbox._connection.execute("PRAGMA page_count").fetchone()
    outbox._connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    with pytest.raises(StorageFullError, match="no space for a worker's report"):
        outbox.add(report("second", results=[{"text": "x" * 20_000}]))
    assert outbox.pending() == 1
    outbox._connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    assert outbox.add(report("second", results=[{"text": "x" * 20_000}]))
    assert outbox.pending() == 2
    outbox.close()
