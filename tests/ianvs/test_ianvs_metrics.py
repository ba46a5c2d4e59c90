"""Metrics that come with ianvs, and what a run costs."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest

from ianvs.cases.measurements import Measurements, RoundRecord
from ianvs.cases.meters import EnergyMeter, cpu_seconds, peak_memory_bytes
from ianvs.cases.seeding import seed_everything
from ianvs.metrics.builtin import detection_f1, label_accuracy
from ianvs.metrics.system import SYSTEM_METRICS
from ianvs.runner.reporter import LineReporter, remaining
from sedna.common.errors import DataError


def test_transfer_ratio_is_upstreams_with_its_one_more() -> None:
    measurements = Measurements(transfers=[({"a": 1, "b": 2}, [("a", "x")]), ({"c": 1}, [])])
    assert SYSTEM_METRICS["samples_transfer_ratio"].value(measurements) == 0.25


def test_bytes_and_latency() -> None:
    measurements = Measurements(latencies=[float(n) for n in range(1, 101)])
    measurements.rounds = [RoundRecord(piece="1", inferences=1, hard=1, uplink_bytes=5, downlink_bytes=7)] * 2
    assert SYSTEM_METRICS["uplink_bytes"].value(measurements) == 10
    assert SYSTEM_METRICS["downlink_bytes"].value(measurements) == 14
    assert SYSTEM_METRICS["inference_latency_seconds"].value(measurements) == 50.5
    assert SYSTEM_METRICS["inference_latency_p95_seconds"].value(measurements) == 96


@pytest.mark.parametrize("name", ["energy_joules", "inference_latency_seconds", "inference_latency_p95_seconds"])
def test_what_was_not_measured_is_no_zero(name: str) -> None:
    with pytest.raises(DataError, match="is not known"):
        SYSTEM_METRICS[name].value(Measurements())


def test_detection_f1_by_hand() -> None:
    truth = ["0,0,10,10,0 20,20,30,30,1", "", "0,0,10,10,1"]
    answers = {"a": [[0, 0, 10, 10, 0.9, 0], [50, 50, 60, 60, 0.8, 1]], "b": [], "c": [[0, 0, 10, 10, 0.9, 1]]}
    assert detection_f1(truth, answers) == round(2 * 2 / (2 * 2 + 1 + 1), 4)


def test_detection_f1_of_rows_and_of_nothing() -> None:
    assert detection_f1([[[0, 0, 10, 10, 2]]], [[[0, 0, 10, 10, 0.9, 2]]]) == 1.0
    assert detection_f1([""], [[]]) == 1.0


def test_label_accuracy_of_numbers_and_probabilities() -> None:
    assert label_accuracy(["/data/2", "0"], {"a": np.array([0.1, 0.2, 0.7]), "b": 1}) == 0.5


def test_answers_of_another_number_are_refused() -> None:
    with pytest.raises(DataError, match="1 answers for 2 samples"):
        label_accuracy(["0", "1"], [0])
    with pytest.raises(DataError, match="is no box"):
        detection_f1(["0,0,1,1,0"], [[[1, 2]]])


def counters(root: Path, **joules: int) -> None:
    for name, value in joules.items():
        zone = root / name.replace("_", ":").replace("rapl", "intel-rapl")
        zone.mkdir(exist_ok=True)
        (zone / "energy_uj").write_text(str(value * 1_000_000))
        (zone / "max_energy_range_uj").write_text(str(100 * 1_000_000))


def test_energy_counters_of_packages_with_a_wrap(tmp_path: Path) -> None:
    counters(tmp_path, rapl_0=90, rapl_1=5, rapl_0_0=1)
    meter = EnergyMeter(None, tmp_path)
    counters(tmp_path, rapl_0=10, rapl_1=25, rapl_0_0=50)
    assert meter.read().joules == pytest.approx(20 + 20)


def test_energy_is_estimated_or_not_told(tmp_path: Path) -> None:
    meter = EnergyMeter(10.0, tmp_path)
    busy = cpu_seconds()
    sum(range(200_000))
    energy = meter.read()
    assert energy.joules is not None
    assert energy.joules >= 10 * (busy - cpu_seconds())
    assert energy.source == "estimated: busy seconds x 10 W"
    assert EnergyMeter(None, tmp_path).read().joules is None


def test_memory_is_in_bytes() -> None:
    assert peak_memory_bytes() > 10_000_000


def test_seeds_reach_python_and_numpy() -> None:
    def draws() -> tuple[float, float]:
        seed_everything(5)
        return random.random(), float(np.random.rand())  # noqa: NPY002

    assert draws() == draws()


@pytest.mark.parametrize(
    ("seconds", "fraction", "before", "expected"),
    [
        (10.0, 0.5, 0.0, 10.0),
        (10.0, 0.75, 0.5, 10.0),
        (10.0, 0.01, 0.0, None),
        (10.0, 0.5, 0.5, None),
        (3.0, 1.0, 0.0, 0.0),
    ],
)
def test_the_time_to_go_counts_what_this_run_has_done(
    seconds: float, fraction: float, before: float, expected: float | None
) -> None:
    assert remaining(seconds, fraction, before) == expected


def test_a_line_is_told_when_a_test_case_does_something_new() -> None:
    out = io.StringIO()
    with LineReporter(2, out) as tell:
        tell.update(1, {"fpn": (0.5, "round 1")})
        tell.update(1, {"fpn": (0.6, "round 1")})
        tell.update(1, {"fpn": (0.9, "round 2")})
    first, second = out.getvalue().splitlines()
    assert first == "[1/2 done, - left] fpn: round 1"
    assert second == "[1/2 done, 0:00 left] fpn: round 2"
