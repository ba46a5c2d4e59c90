"""Ranks: columns, order, append, sorting, repeats, seeds."""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ianvs.cases.records import CaseRecord, CaseResult, Failure, FinishedCase, ModuleRecord
from ianvs.grammar import RankConfig
from ianvs.rank import RankFiles, update_rank
from ianvs.rank.rows import Columns, sort_rows, summary, without_repeats
from ianvs.rank.show import print_table
from sedna.common.errors import DataError

METRICS = ["f1", "ratio"]


def finished(
    url: str, metrics: dict[str, Any] | None, *, rate: str = "0.1", seed: int | None = None, algorithm: str = "fpn"
) -> FinishedCase:
    case = CaseRecord(
        key=url,
        job_file="job.yaml",
        algorithm_index=0,
        combination_index=0,
        seed=seed or 0,
        algorithm=algorithm,
        paradigm="incrementallearning",
        modules=(
            ModuleRecord(type="basemodel", name="FPN", hyperparameters={"rate": rate}),
            ModuleRecord(type="hard_example_mining", name="IBT", hyperparameters={"box": "0.9"}),
        ),
        output_dir=url if seed is None else f"{url}/seed-{seed}",
        group=url,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        versions={},
        machine="m",
        files={},
    )
    failure = Failure(kind="X", message="no") if metrics is None else None
    result = CaseResult(
        key=url,
        status="failed" if failure else "done",
        time="2026-01-01 00:00:00",
        metrics=metrics or {},
        failure=failure,
    )
    return FinishedCase(case=case, result=result)


def lines(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def config(**more: Any) -> RankConfig:
    return RankConfig.model_validate({"sort_by": [{"f1": "descend"}, {"ratio": "ascend"}], **more})


def test_columns_and_order_are_upstreams(tmp_path: Path) -> None:
    results = [finished("a", {"f1": 0.5, "ratio": 0.3}), finished("b", {"f1": 0.9, "ratio": 0.3}, rate="0.2")]
    update_rank(str(tmp_path), config(), METRICS, results)
    files = RankFiles.of(str(tmp_path))
    header = (
        "rank,algorithm,f1,ratio,paradigm,basemodel,hard_example_mining,basemodel-rate,hard_example_mining-box,time,url"
    )
    assert lines(files.all) == lines(files.selected) == [
        header.split(","),
        ["1", "fpn", "0.9", "0.3", "incrementallearning", "FPN", "IBT", "0.2", "0.9", "2026-01-01 00:00:00", "b"],
        ["2", "fpn", "0.5", "0.3", "incrementallearning", "FPN", "IBT", "0.1", "0.9", "2026-01-01 00:00:00", "a"],
    ]  # fmt: skip


def test_a_workspace_keeps_its_history_and_no_result_twice(tmp_path: Path) -> None:
    update_rank(str(tmp_path), config(), METRICS, [finished("a", {"f1": 0.5, "ratio": 0.3})])
    update_rank(str(tmp_path), config(), METRICS, [finished("a", {"f1": 0.5, "ratio": 0.3})])
    update_rank(str(tmp_path), config(), METRICS, [finished("b", {"f1": 0.7, "ratio": 0.3})])
    assert [row[-1] for row in lines(RankFiles.of(str(tmp_path)).all)[1:]] == ["b", "a"]


def test_columns_of_older_results_stay_in_their_groups(tmp_path: Path) -> None:
    files = RankFiles.of(str(tmp_path))
    files.folder.mkdir()
    files.all.write_text("rank,algorithm,old_metric,paradigm,aggregation,time,url\n1,x,0.1,federatedlearning,Avg,t,u\n")
    update_rank(str(tmp_path), config(), METRICS, [finished("a", {"f1": 0.5, "ratio": 0.3})])
    header, *rows = lines(files.all)
    assert header[:6] == ["rank", "algorithm", "f1", "ratio", "old_metric", "paradigm"]
    assert header[-3:] == ["aggregation", "time", "url"]
    assert [row[header.index("old_metric")] for row in rows] == ["", "0.1"]


def test_selected_shows_what_is_asked_for_without_repeats(tmp_path: Path) -> None:
    chosen = {"selected_dataitem": {"metrics": ["f1"], "hyperparameters": ["basemodel-rate"], "modules": ["basemodel"]}}
    results = [finished("a", {"f1": 0.5, "ratio": 0.3}), finished("b", {"f1": 0.5, "ratio": 0.1}, rate="0.10")]
    rows = update_rank(str(tmp_path), config(**chosen), METRICS, results)
    header, *shown = lines(RankFiles.of(str(tmp_path)).selected)
    assert header == ["rank", "algorithm", "f1", "paradigm", "basemodel", "basemodel-rate", "time", "url"]
    assert [row[-1] for row in shown] == [rows[0]["url"]] == ["b"]


def test_selected_keeps_the_paradigms_asked_for(tmp_path: Path) -> None:
    chosen = config(selected_dataitem={"paradigms": ["singletasklearning"]})
    assert update_rank(str(tmp_path), chosen, METRICS, [finished("a", {"f1": 0.5, "ratio": 0.3})]) == []


def test_selected_only_writes_one_file(tmp_path: Path) -> None:
    update_rank(str(tmp_path), config(save_mode="selected_only"), METRICS, [finished("a", {"f1": 1, "ratio": 0})])
    assert not RankFiles.of(str(tmp_path)).all.exists()
    assert RankFiles.of(str(tmp_path)).selected.exists()


def test_failed_test_cases_are_not_ranked(tmp_path: Path) -> None:
    rows = update_rank(str(tmp_path), config(), METRICS, [finished("a", None), finished("b", {"f1": 1, "ratio": 0})])
    assert [row["url"] for row in rows] == ["b"]


def test_a_file_that_is_no_rank_is_not_overwritten(tmp_path: Path) -> None:
    files = RankFiles.of(str(tmp_path))
    files.folder.mkdir()
    files.all.write_text("something else\n")
    with pytest.raises(DataError, match="is no rank"):
        update_rank(str(tmp_path), config(), METRICS, [finished("a", {"f1": 1, "ratio": 0})])
    assert files.all.read_text() == "something else\n"


def test_seeds_are_summed_up(tmp_path: Path) -> None:
    results = [finished("a", {"f1": value, "ratio": 0.5}, seed=seed) for seed, value in enumerate([0.1, 0.2, 0.3])]
    update_rank(str(tmp_path), config(), METRICS, results)
    header, row = lines(RankFiles.of(str(tmp_path)).all)
    shown = dict(zip(header, row, strict=True))
    assert header[2:7] == ["f1", "f1_ci95", "ratio", "ratio_ci95", "seeds"]
    assert float(shown["f1"]) == pytest.approx(0.2)
    assert float(shown["f1_ci95"]) == pytest.approx(4.303 * 0.1 / 3**0.5)
    assert (shown["ratio_ci95"], shown["seeds"], shown["url"]) == ("0.0", "0 1 2", "a")


@pytest.mark.parametrize(
    ("values", "expected"), [([], (None, None)), ([1], (1.0, None)), (["x", 1], ("x", None)), ([None, 1], (None, None))]
)
def test_a_summary_of_too_little(values: list[object], expected: tuple[object, object]) -> None:
    assert summary(values) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12), st.booleans(), st.booleans())
def test_sorting_is_that_of_the_tuples_and_stable(pairs: list[tuple[int, int]], first: bool, second: bool) -> None:
    rows = [{"a": str(a), "b": str(b), "n": str(n)} for n, (a, b) in enumerate(pairs)]
    key = [((a if first else -a), (b if second else -b), n) for n, (a, b) in enumerate(pairs)]
    ordered = sort_rows(rows, [("a", first), ("b", second), ("missing", True)], ["a", "b"])
    assert [int(row["n"]) for row in ordered] == [n for _, _, n in sorted(key)]


def test_blanks_come_last_either_way() -> None:
    rows = [{"a": ""}, {"a": "10"}, {"a": "9"}]
    assert [row["a"] for row in sort_rows(rows, [("a", True)], ["a"])] == ["9", "10", ""]
    assert [row["a"] for row in sort_rows(rows, [("a", False)], ["a"])] == ["10", "9", ""]


@given(st.lists(st.sampled_from(["0.5", "0.50", "x", ""]), max_size=8))
def test_repeats_are_found_by_value(values: list[str]) -> None:
    kept = without_repeats([{"a": value} for value in values], ["a"])
    meanings = [0.5 if value.startswith("0.5") else value for value in values]
    assert len(kept) == len(set(meanings))


def test_columns_without_older_ones_are_left_alone() -> None:
    columns = Columns(("a",), ("m",))
    assert columns.with_older([]) is columns


def test_the_table_is_not_folded(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"rank,url\n1,{'u' * 200}\n")
    out = io.StringIO()
    print_table(tmp_path / "x.csv", out)
    table = out.getvalue().splitlines()
    assert len({len(line) for line in table}) == 1
    assert "u" * 200 in table[3]


def test_processes_that_share_a_workspace_lose_nothing(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    names = [str(number) for number in range(12)]
    random.Random(0).shuffle(names)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: update_rank(str(tmp_path), config(), METRICS, [finished(n, {"f1": float(n)})]), names))
    assert len(lines(RankFiles.of(str(tmp_path)).all)) == 13
