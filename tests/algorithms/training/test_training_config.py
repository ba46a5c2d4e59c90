from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from sedna.algorithms.training.config import EstimatorConfig
from sedna.algorithms.training.progress import TrainingProgress, log_line
from sedna.algorithms.training.samples import label_index
from sedna.common.errors import DataError, SpecError


class Config(EstimatorConfig):
    ALGORITHM = "Example"

    rate: float = Field(default=0.1, gt=0, description="of learning")
    steps: int = 3


def test_values_are_cast_and_laid_over_a_base() -> None:
    base = Config.build({"class_names": " a, ,b ,", "rate": "0.5"})
    assert (base.class_names, base.rate, base.steps) == (("a", "b"), 0.5, 3)
    assert Config.build({"steps": 4}, base=base) == Config(class_names=("a", "b"), rate=0.5, steps=4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rates": 1}, r"^Example: unknown hyper-parameter rates \(allowed: class_names, rate, steps\)"),
        ({"rate": 0}, r"^Example\.rate: Input should be greater than 0, got 0 \(of learning\)"),
        ({"steps": "x"}, r"^Example\.steps: .*got 'x'"),
        ({"class_names": "a,a"}, r"^Example\.class_names: .*distinct"),
        ({"class_names": "[1, 2]"}, r"^Example\.class_names\.0: .*got 1 \(names in label order"),
        ({"class_names": "[a"}, r"^Example\.class_names: "),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Config.build(values)


@pytest.mark.parametrize(
    ("value", "expected"), [("b", 1), (" b ", 1), (1, 1), ("1", 1), (1.0, 1), ("1.0", 1), ("2", 0)]
)
def test_a_label_is_a_name_or_an_index(value: Any, expected: int) -> None:
    assert label_index(value, ("2", "b", "c"), "here") == expected


@pytest.mark.parametrize("value", ["z", 3, -1, 1.5, "nan", "inf", "", None])
def test_another_label_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match=r"^here: unknown label .*0\.\.2 or one of a, b, c"):
        label_index(value, ("a", "b", "c"), "here")


def test_a_line_of_progress_names_tasks_only_where_there_are_several() -> None:
    one = TrainingProgress(3, 10, None, 0.1, 20.0, 7.0)
    assert log_line(one) == "iteration 3/10, 20 samples/s, eta 7 s"
    many = TrainingProgress(3, 10, 0.5, 0.1, 20.0, 7.0, "resumed", task=1, tasks_done=1, num_tasks=4, accuracy=81.26)
    assert log_line(many) == "task 2/4, iteration 3/10, loss 0.500, 20 samples/s, eta 7 s, accuracy 81.3, resumed"
