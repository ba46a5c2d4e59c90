"""Programs of Sedna's other paradigms: their first import says what this package is."""

import importlib
import importlib.util
import sys

import pytest

from sedna.common.paradigms import OtherParadigmError, explain_missing_paradigms


@pytest.mark.parametrize(
    ("program", "paradigm"),
    [
        ("from sedna.core.federated_learning import FederatedLearning", "federated learning"),
        ("from sedna.core.lifelong_learning import LifelongLearning", "lifelong learning"),
        ("from sedna.core.joint_inference import JointInference", "joint inference"),
        ("import sedna.core.multi_edge_inference.components.detector", "multi-edge inference"),
        ("from sedna.core import federated_learning", "federated learning"),
        ("from sedna.algorithms.aggregation import FedAvg", "federated learning"),
        ("from sedna.algorithms.seen_task_learning.artifact import Task", "lifelong learning"),
        ("from sedna.service.server import InferenceServer", "lifelong learning"),
        ("from sedna.service.client import ModelClient", "joint inference"),
        ("from sedna.common.constant import KBResourceConstant", "lifelong learning"),
    ],
)
def test_a_part_of_another_paradigm(program, paradigm):
    with pytest.raises(ImportError, match=r"This is sedna-il: incremental learning") as caught:
        exec(program, {})
    assert isinstance(caught.value, OtherParadigmError)
    assert paradigm in str(caught.value)
    assert "sedna.core.incremental_learning" in str(caught.value)
    assert caught.value.name.startswith("sedna.")


def test_what_nobody_has_is_missing_as_everywhere():
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'sedna\.core\.no_such_thing'$"):
        importlib.import_module("sedna.core.no_such_thing")
    with pytest.raises(ImportError, match="cannot import name 'no_such_thing'"):
        exec("from sedna.service.client import no_such_thing", {})
    client = importlib.import_module("sedna.service.client")
    assert not hasattr(client, "no_such_thing")
    assert importlib.util.find_spec("federated_learning") is None


def test_modules_are_explained_once():
    before = list(sys.meta_path)
    explain_missing_paradigms()
    assert sys.meta_path == before
