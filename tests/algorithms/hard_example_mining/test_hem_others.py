import logging

import pytest

import sedna.algorithms.hard_example_mining as package
from sedna.algorithms.hard_example_mining import (
    BaseFilter,
    CloudOnlyFilter,
    EdgeOnlyFilter,
    RandomFilter,
    hard_example_mining,
    verdict_of,
)
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import SpecError
from sedna.common.types import Verdict

ANYTHING = [None, [], [[0, 0, 1, 1, 0.5, 1]], "text", 3]


def test_public_names():
    upstream = {
        "BaseFilter",
        "ThresholdFilter",
        "CrossEntropyFilter",
        "IBTFilter",
        "RandomFilter",
        "CloudOnlyFilter",
        "EdgeOnlyFilter",
    }
    assert set(hard_example_mining.__all__) == upstream
    assert set(package.__all__) == upstream | {"BoxFilter", "verdict_of"}
    for name in upstream:
        assert getattr(hard_example_mining, name) is getattr(package, name)


@pytest.mark.parametrize("alias", ["Threshold", "CrossEntropy", "IBT", "Random", "CloudOnly", "EdgeOnly"])
def test_every_alias_is_registered_and_named_in_its_verdicts(alias):
    miner = ClassFactory.get_cls(ClassType.HEM, alias)()
    assert miner.judge([]).miner == alias
    assert miner([]) in (True, False)


@pytest.mark.parametrize("prediction", ANYTHING)
def test_cloud_only_and_edge_only(prediction):
    assert CloudOnlyFilter()(prediction) is True
    assert EdgeOnlyFilter()(prediction) is False
    assert CloudOnlyFilter().judge(prediction).reason
    assert EdgeOnlyFilter().judge(prediction).reason


def test_random_ratio_is_kept():
    miner = RandomFilter(random_ratio="0.3", seed="7")
    verdicts = [miner.judge(ANYTHING[2]) for _ in range(4000)]
    assert 0.27 < sum(verdict.hard for verdict in verdicts) / 4000 < 0.33
    assert all(verdict.hard == (verdict.score < 0.3) for verdict in verdicts)


@pytest.mark.parametrize(("ratio", "expected"), [(0, False), ("1", True)])
def test_random_at_its_bounds(ratio, expected):
    miner = RandomFilter(ratio)
    assert {miner() for _ in range(200)} == {expected}


def test_same_seed_same_verdicts():
    assert [RandomFilter(0.5, seed=3)() for _ in range(1)] == [RandomFilter(0.5, seed="3")() for _ in range(1)]
    one, two, other = RandomFilter(0.5, seed=3), RandomFilter(0.5, seed="3"), RandomFilter(0.5, seed=4)
    first = [one() for _ in range(50)]
    assert first == [two() for _ in range(50)]
    assert first != [other() for _ in range(50)]


@pytest.mark.parametrize("parameters", [{"random_ratio": "often"}, {"random_ratio": 2}, {"seed": "x"}, {"seed": []}])
def test_random_refuses_wrong_parameters(parameters):
    with pytest.raises(SpecError, match=next(iter(parameters))):
        RandomFilter(**parameters)


def test_unknown_parameters_are_ignored_and_named(caplog):
    with caplog.at_level(logging.WARNING, logger="sedna"):
        assert CloudOnlyFilter(threshold="0.5")()
    assert "CloudOnly ignores the parameters threshold" in caplog.text


class _UpstreamStyle(BaseFilter):
    def __init__(self, threshold=0.5, **kwargs):
        self.threshold = float(threshold)

    def __call__(self, infer_result=None):
        return infer_result < self.threshold


class _Nothing(BaseFilter):
    pass


def test_a_miner_written_for_upstream_gives_verdicts():
    assert _UpstreamStyle(0.5)(0.4) is True
    assert _UpstreamStyle(0.5).judge(0.4) == Verdict(
        hard=True, miner="_UpstreamStyle", reason="the miner gives no reason"
    )
    assert BaseFilter.data_check(1)
    assert not BaseFilter.data_check(float("nan"))


def test_verdict_of_any_miner():
    def low(result):
        return result < 0.5

    assert verdict_of(low, 0.4) == Verdict(hard=True, miner="low", reason="the miner gives no reason")
    assert verdict_of(CloudOnlyFilter(), None).miner == "CloudOnly"


def test_a_miner_without_a_verdict_says_so():
    with pytest.raises(NotImplementedError, match="neither judge nor __call__"):
        _Nothing()(1)
