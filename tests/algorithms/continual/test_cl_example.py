"""The numbered example, run as its page says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "04_edgehml_cifar100"


@pytest.mark.e2e
@pytest.mark.timeout(1800)
def test_the_loop_learns_new_classes_from_cifar100(tmp_path: Path) -> None:
    source = Path(os.environ.get("SEDNA_CIFAR100", "../shared/data/cifar100")).absolute()
    if not (source / "train.parquet").is_file():
        pytest.skip(f"CIFAR-100 is not at {source}; set SEDNA_CIFAR100")
    target = tmp_path / "out.json"
    command = [sys.executable, str(EXAMPLE / "run.py"), "--source", str(source), "--work", str(tmp_path / "work")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [*command, "--json", str(target)], env=environment, capture_output=True, text=True, check=False, timeout=1700
    )
    assert done.returncode == 0, done.stdout + done.stderr
    models = json.loads(target.read_text())["models"]
    assert len(models) >= 2
    assert models[0]["new_classes"] == 0
    assert models[1]["unlabelled_samples"] > 100
    assert models[-1]["new_classes"] > 0.3
    assert models[-1]["accuracy"] > models[0]["accuracy"] + 0.1
    assert models[-1]["known_classes"] > 0.3
