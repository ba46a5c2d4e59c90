"""Protocol P-5 on ten classes of CIFAR-100, shortened: what must hold at any scale, never which method is best."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sedna.algorithms.continual.bench.runner import BenchPlan, run_benchmark

CHANCE = 50.0


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_rehearsal_beats_chance_and_forgets_less_than_fine_tuning(tmp_path: Path) -> None:
    root = Path(os.environ.get("SEDNA_CIFAR100", "../shared/data/cifar100"))
    if not (root / "train.parquet").is_file():
        pytest.skip(f"CIFAR-100 is not at {root}; set SEDNA_CIFAR100")
    report = run_benchmark(
        BenchPlan(
            "P-5",
            ("SFT", "ER", "DER", "EdgeHML", "EdgeHML++"),
            (0,),
            root=str(root),
            work_dir=tmp_path,
            options=("train.iterations=100",),
        )
    )
    fine_tuned = report.methods["SFT"]
    for name in ("ER", "DER", "EdgeHML", "EdgeHML++"):
        entry = report.methods[name]
        assert entry.average_accuracy[-1] > CHANCE + 5
        assert entry.forgetting < fine_tuned.forgetting
        assert all(len(row) == task + 1 for task, row in enumerate(entry.runs[0].accuracy))
    faithful = report.methods["EdgeHML"].memory_detail
    assert 0 < faithful["disk"] <= 1000 * (3 * 32 * 32 + 24)
    assert report.methods["ER"].memory_detail["memory"] == 100 * (3 * 32 * 32 + 24)
