"""How a basemodel is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ianvs.cases.measurements import Stopwatch
from ianvs.paradigms.incremental.estimator import EstimatorJob
from ianvs.paradigms.incremental.judging import Judge
from ianvs.usercode.parts import MinerChoice
from sedna.common.errors import DataError, ModelError
from sedna.datasources import BaseDataSource


class Model:
    """Remembers what it was asked."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def load(self, model_url: str) -> None:
        self.calls.append(("load", model_url))

    def predict(self, data: list[str]) -> Any:
        self.calls.append(("predict", data))
        return self.answer

    def fit(self, train_data: Any, valid_data: Any = 1) -> None:
        self.calls.append(("fit", valid_data))

    def save(self, model_path: str) -> None:
        Path(model_path).write_text("weights")

    def evaluate(self, data: Any, model_path: str = "", metric: Any = None) -> Any:
        self.calls.append(("evaluate", model_path, metric))
        return {"f1": 0.5}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is this interface's way to pass arguments."""
    for name in ("MODEL_URL", "MODEL_URLS", "MODEL_NAME", "BACKEND_TYPE"):
        monkeypatch.delenv(name, raising=False)


def job(model: Any, miner: MinerChoice | None = None) -> EstimatorJob:
    return EstimatorJob(model, miner, Stopwatch())


@pytest.mark.parametrize("answer", [{"a.png": [1]}, [[1]], np.array([[1]])])
def test_answers_by_sample(answer: Any) -> None:
    answers, verdict, seconds = job(Model(answer)).inference(["a.png"])
    assert [list(value) for value in answers.values()] == [[1]]
    assert (verdict.hard, seconds >= 0) == (False, True)


@pytest.mark.parametrize("answer", [None, 7, "text", [], [1, 2], np.float64(3.0)])
def test_other_answers_are_refused(answer: Any) -> None:
    with pytest.raises(DataError, match=r"test_ianvs_estimator.py:\d+: predict answered .* for 1 sample"):
        job(Model(answer)).inference(["a.png"])


def test_the_model_is_loaded_once_and_only_if_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model([1])
    monkeypatch.setenv("MODEL_URL", str(tmp_path / "gone"))
    job(model).inference(["a"])
    assert model.calls == [("predict", ["a"])]
    (tmp_path / "m.bin").write_text("x")
    monkeypatch.setenv("MODEL_URL", str(tmp_path / "m.bin"))
    stage = job(model)
    stage.inference(["a"])
    stage.inference(["b"])
    assert [call[0] for call in model.calls] == ["predict", "load", "predict", "predict"]


def test_a_folder_holds_the_model_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.zip").write_text("x")
    monkeypatch.setenv("MODEL_NAME", "model.zip")
    monkeypatch.setenv("MODEL_URL", str(tmp_path))
    model = Model([1])
    job(model).inference(["a"])
    assert model.calls[0] == ("load", str(tmp_path / "model.zip"))


def test_built_in_miners_see_the_answer_for_the_one_sample() -> None:
    miner = MinerChoice("IBT", {"threshold_img": 0.9, "threshold_box": 0.9})
    unsure, sure = [[0, 0, 9, 9, 0.3, 0]], [[0, 0, 9, 9, 0.95, 0]]
    for answer, hard in (({"a": unsure}, True), ({"a": sure}, False), ([unsure], True)):
        assert job(Model(answer), miner).inference(["a"])[1].hard is hard


def test_fit_is_preferred_and_the_model_is_moved_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_URL", f"{tmp_path}/./train/1")
    model = Model()
    path = job(model).train(BaseDataSource())
    assert model.calls == [("fit", None)]
    assert path == f"{tmp_path}/./train/1/model_finetune_tensorflow.pb"
    assert Path(path).read_text() == "weights"


def test_a_path_that_save_answers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_URL", str(tmp_path))
    own = tmp_path / "own.bin"
    own.write_text("x")
    model = Model()
    model.save = lambda model_path: str(own)  # type: ignore[method-assign, assignment, misc]
    assert job(model).train(BaseDataSource()) == str(own)
    model.save = lambda model_path: None  # type: ignore[method-assign, misc]
    with pytest.raises(ModelError, match="save wrote nothing"):
        job(model).train(BaseDataSource())


def test_both_models_are_evaluated_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_URLS", "new;old")
    model = Model()
    metric = ("f1", len)
    assert job(model).evaluate(BaseDataSource(), metric) == [{"f1": 0.5}, {"f1": 0.5}]
    assert model.calls == [("evaluate", "new", metric), ("evaluate", "old", metric)]


def test_a_model_that_takes_no_path_is_loaded_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("new", "old"):
        (tmp_path / name).write_text("x")
    monkeypatch.setenv("MODEL_URLS", f"{tmp_path}/new;{tmp_path}/old")
    model = Model()
    model.evaluate = lambda valid_data: {"f1": len(model.calls)}  # type: ignore[method-assign, assignment, misc]
    assert job(model).evaluate(BaseDataSource(), None) == [{"f1": 1}, {"f1": 2}]


def test_evidence_is_plain_numbers() -> None:
    row = {"sample": "a", "tp": np.array([1, 0]), "fp": [0, 0], "fn": [0, 1]}
    result = {"f1": np.float32(0.5), "recall": np.array([1.0, 0.0]), "per_sample": [row]}
    evaluation = Judge("f1", None, statistics=True).evaluation([result, result], frozenset({"h"}))
    assert evaluation.candidate.metrics == {"f1": 0.5, "recall": (1.0, 0.0)}
    assert evaluation.judged == {"a"}
    without = Judge("f1", None, statistics=False).evaluation([result, result], frozenset())
    assert without.candidate.per_sample == ()
    assert without.judged == frozenset()


@pytest.mark.parametrize("result", [{}, {"f1": "good"}, {"f1": None}])
def test_a_metric_must_be_there(result: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="without a number for 'f1'"):
        Judge("f1", None, statistics=False).evaluation([result, result], frozenset())


def test_audit_figures_belong_to_one_model() -> None:
    judge = Judge(
        "share",
        lambda truth, answers: sum(t == a for t, a in zip(truth, answers.values(), strict=True)) / len(truth),
        False,
    )
    judge.audit(["x", "y"], {"a": "x", "b": "z"}, model=1)
    figures = judge.audit_metrics(1)
    assert figures is not None
    assert (figures.samples, figures.precision) == (2, 0.5)
    assert judge.audit_metrics(2) is None
    judge.audit(["y"], {"c": "y"}, model=2)
    assert judge.audit_metrics(2) is not None
    assert judge.audit_metrics(1) is None


def test_time_inside_the_algorithm_counts_once() -> None:
    watch = Stopwatch()
    with watch.algorithm():
        before = watch.inside
        with watch.algorithm():
            pass
        assert watch.inside == before == 0.0
    assert watch.inside > 0
