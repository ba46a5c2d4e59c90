"""Killed anywhere and resumed, a test case ends as one that was never interrupted."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ianvs.cases.checkpoints import CHECKPOINT, Checkpoints, is_resumable
from ianvs.cases.measurements import RoundRecord, Stopwatch
from ianvs.cases.meters import CaseMeter
from ianvs.cases.seeding import seed_everything
from ianvs.data import CaseDataset
from ianvs.grammar import AlgorithmConfig, DatasetConfig, TestEnv
from ianvs.paradigms import Case, paradigm_of
from ianvs.usercode import UserCode
from sedna.common.class_factory import ClassFactory, ClassType

KEY, OTHER = "a" * 64, "b" * 64


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


class Calls:
    """Counts the calls of the basemodel and ends the run at one of them."""

    def __init__(self) -> None:
        self.seen = 0
        self.last: int | None = None

    def count(self) -> None:
        self.seen += 1
        if self.seen == self.last:
            raise Killed


CALLS = Calls()


class Drifting:
    """A model whose training draws numbers, and remembers more than it saves."""

    def __init__(self) -> None:
        os.environ["MODEL_NAME"] = "model.txt"
        self.threshold = 0.9
        self.trained = 0

    def load(self, model_url: str) -> None:
        CALLS.count()
        self.threshold = float(Path(model_url).read_text())

    def predict(self, data: list[str]) -> dict[str, float]:
        CALLS.count()
        return {Path(name).name: float(Path(name).read_text()) - self.threshold for name in data}

    def train(self, train_data: Any, valid_data: Any = None) -> None:
        CALLS.count()
        self.trained += len(train_data)
        noise = random.random() + float(np.random.rand())  # noqa: NPY002
        self.threshold += (0.5 - self.threshold) / 2 + 0.01 * noise - 0.0001 * self.trained

    def save(self, model_path: str) -> None:
        CALLS.count()
        Path(model_path).write_text(repr(self.threshold))

    def evaluate(self, data: Any, model_path: str, metric: Any = None) -> dict[str, float]:
        CALLS.count()
        self.load(model_path)
        return {"closeness": -abs(self.threshold - 0.5)}


class Locked(Drifting):
    """Cannot be pickled, and saves all that it is."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def train(self, train_data: Any, valid_data: Any = None) -> None:
        self.trained = 0
        super().train(train_data, valid_data)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("MODEL_URL", "MODEL_URLS", "MODEL_NAME", "BASE_MODEL_URL", "RESULT_SAVED_URL", "LOCAL_TEST"):
        monkeypatch.setenv(name, "")
    registry = dict(ClassFactory.__registry__[ClassType.GENERAL])
    ClassFactory.register_cls(Drifting, ClassType.GENERAL, alias="Drifting")
    ClassFactory.register_cls(Locked, ClassType.GENERAL, alias="Locked")
    CALLS.last = None
    yield
    ClassFactory.__registry__[ClassType.GENERAL].clear()
    ClassFactory.__registry__[ClassType.GENERAL].update(registry)


class Silent:
    """Progress that remembers which records were told."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "rounds.jsonl"

    def step(self, fraction: float, text: str) -> None: ...

    def round_done(self, record: RoundRecord) -> None:
        with self._file.open("a") as file:
            file.write(f"{record.piece}\n")

    def resume(self, records: Any) -> None:
        self._file.write_text("".join(f"{record.piece}\n" for record in records))


def stream(folder: Path, name: str, count: int) -> str:
    data = folder / name
    data.mkdir()
    lines = []
    for number in range(count):
        value = (number * 7 % count + 0.5) / count
        (data / f"{number}.txt").write_text(str(value))
        lines.append(f"{data}/{number}.txt {int(value > 0.5)}\n")
    (folder / f"{name}.txt").write_text("".join(lines))
    return str(folder / f"{name}.txt")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DatasetConfig:
    folder = tmp_path_factory.mktemp("stream")
    return DatasetConfig(train_url=stream(folder, "train", 15), test_url=stream(folder, "test", 3))


def case(folder: Path, data: DatasetConfig, model: str = "Drifting", **testenv: Any) -> Case:
    """A test case in ``folder`` as a new process makes it."""
    folder.mkdir(exist_ok=True)
    ClassFactory.register_cls(lambda truth, answers: 0.0, ClassType.GENERAL, alias="closeness")
    initial = folder.parent / "initial.txt"
    initial.write_text("0.9")
    miner = {"type": "hard_example_mining", "name": "Random", "hyperparameters": [{"random_ratio": {"values": [0.6]}}]}
    algorithm = AlgorithmConfig.model_validate(
        {
            "name": "drift",
            "paradigm_type": "incrementallearning",
            "initial_model_url": str(initial),
            "modules": [{"type": "basemodel", "name": model}, miner],
        }
    )
    judge = {"model_metric": {"name": "closeness", "url": "ianvs.metrics.builtin"}, "operator": ">", "threshold": 0.0}
    environment = {"metrics": [{"name": "samples_transfer_ratio"}], "model_eval": judge, "incremental_rounds": 3}
    watch = Stopwatch()
    seed_everything(5)
    return Case(
        output_dir=str(folder),
        testenv=TestEnv.model_validate({**environment, **testenv}),
        algorithm=algorithm,
        combination=algorithm.combinations()[0],
        dataset=CaseDataset(data, str(folder / "dataset")),
        code=UserCode(),
        progress=Silent(folder),
        checkpoints=Checkpoints(folder, KEY, CaseMeter(None, watch)),
        watch=watch,
    )


TIMED = {"latency_mean", "train_seconds"}


def left(folder: Path) -> dict[str, bytes]:
    """Every file of a test case that is a result, by name, with its own folder's name taken out."""
    own = str(folder).encode()
    return {
        str(path.relative_to(folder)): path.read_bytes().replace(own, b"")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (CHECKPOINT, ".running") and ".sedna-tmp" not in path.parts
    }


def seen(outcome: Any) -> tuple[Any, ...]:
    rounds = [record.model_dump(exclude=TIMED) for record in outcome.measurements.rounds]
    transfers = [(answers, [Path(copy).name for _, copy in hard]) for answers, hard in outcome.measurements.transfers]
    return outcome.answers, rounds, transfers, len(outcome.measurements.latencies)


def run(made: Case) -> Any:
    return paradigm_of("incrementallearning")(made)


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "loop": {
        "edges": 2,
        "replay": {"samples": 3, "seed": 1},
        "audit": {"ratio": 0.5, "seed": 3},
        "trigger": {"condition": {"operator": ">=", "threshold": 5, "metric": "num_of_samples"}},
    },
}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
@pytest.mark.parametrize("model", ["Drifting", "Locked"])
def test_killed_at_any_call_it_ends_the_same(tmp_path: Path, data: DatasetConfig, variant: str, model: str) -> None:
    more = VARIANTS[variant]
    whole = tmp_path / "whole"
    CALLS.seen = 0
    expected = seen(run(case(whole, data, model, **more)))
    files, calls = left(whole), CALLS.seen
    assert calls > 25
    assert any(record["outcome"] == "Deployed" for record in expected[1])
    resumed = 0
    for at in range(1, calls + 1, 2 if variant == "plain" else 7):
        folder = tmp_path / f"at-{at}"
        CALLS.seen, CALLS.last = 0, at
        with pytest.raises(Killed):
            run(case(folder, data, model, **more))
        CALLS.last = None
        if not is_resumable(folder, KEY):
            shutil.rmtree(folder)
            continue
        again = case(folder, data, model, **more)
        assert seen(run(again)) == expected, f"killed at call {at}"
        assert left(folder) == files, f"killed at call {at}"
        assert again.checkpoints.notes[-1].startswith("resumed after piece ")
        assert any("cannot be pickled" in note for note in again.checkpoints.notes) is (model == "Locked")
        resumed += 1
        shutil.rmtree(folder)
    assert resumed > 3


def test_killed_twice_it_still_ends_the_same(tmp_path: Path, data: DatasetConfig) -> None:
    expected = seen(run(case(tmp_path / "whole", data)))
    folder = tmp_path / "twice"
    for at in (15, 10):
        CALLS.seen, CALLS.last = 0, at
        with pytest.raises(Killed):
            run(case(folder, data))
    CALLS.last = None
    assert seen(run(case(folder, data))) == expected
