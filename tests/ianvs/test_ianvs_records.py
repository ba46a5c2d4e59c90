"""Records of test cases: what is written is read again, and so is what earlier versions wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from ianvs.cases.records import CASE, RESULT, CaseRecord, CaseResult, Failure, read_finished, write_record


def record(folder: Path) -> CaseRecord:
    return CaseRecord(
        key="k" * 64,
        training_key="t" * 64,
        job_file="job.yaml",
        algorithm_index=0,
        combination_index=0,
        seed=0,
        algorithm="fpn",
        paradigm="incrementallearning",
        modules=(),
        output_dir=str(folder),
        group=str(folder),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        versions={},
        machine="m",
        files={},
    )


def test_the_training_key_keeps_its_name_in_the_file(tmp_path: Path) -> None:
    write_record(tmp_path, CASE, record(tmp_path))
    written = json.loads((tmp_path / CASE).read_text())
    assert written["course"] == "t" * 64
    assert "training_key" not in written
    assert CaseRecord.model_validate(written) == record(tmp_path)


def test_a_failure_of_an_earlier_version_has_no_place(tmp_path: Path) -> None:
    write_record(tmp_path, CASE, record(tmp_path))
    write_record(tmp_path, RESULT, CaseResult(key="k", status="failed", failure=Failure(kind="X", message="no")))
    written = json.loads((tmp_path / RESULT).read_text())
    del written["failure"]["place"]
    (tmp_path / RESULT).write_text(json.dumps(written))
    found = read_finished(tmp_path)
    assert found is not None
    assert found.result.failure is not None
    assert found.result.failure.summary == "no"
    assert Failure(kind="X", message="no", place="a.py:3").summary == "a.py:3: no"


def test_half_a_record_is_none(tmp_path: Path) -> None:
    write_record(tmp_path, CASE, record(tmp_path))
    assert read_finished(tmp_path) is None
    (tmp_path / RESULT).write_text('{"key": ')
    assert read_finished(tmp_path) is None
