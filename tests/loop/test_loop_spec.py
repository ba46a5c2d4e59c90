"""Job descriptions: upstream's validate unchanged, mistakes are named."""

from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from sedna.common.yaml12 import load_yaml_all
from sedna.loop.spec import Dataset, IncrementalLearningJob, JobSpec, Model

UPSTREAM = """
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata:
  name: helmet-detection-demo
spec:
  initialModel:
    name: "initial-model"
  dataset:
    name: "incremental-dataset"
    trainProb: 0.8
  trainSpec:
    template:
      spec:
        nodeName: worker
        containers:
          - image: some/image:v1
            name: train-worker
            imagePullPolicy: IfNotPresent
            args: ["train.py"]
            env:
              - name: "batch_size"
                value: "32"
    trigger:
      checkPeriodSeconds: 60
      timer:
        start: 02:00
        end: 24:00
      condition:
        operator: ">"
        threshold: 500
        metric: num_of_samples
  evalSpec:
    template:
      spec:
        containers:
          - {image: some/image:v1, name: eval-worker, args: ["eval.py"]}
  deploySpec:
    model:
      name: "deploy-model"
      hotUpdateEnabled: true
      pollPeriodSeconds: 60
    trigger:
      condition:
        operator: ">"
        threshold: 0.1
        metric: precision_delta
    hardExampleMining:
      name: "IBT"
      parameters:
        - key: "threshold_img"
          value: "0.9"
        - key: "threshold_box"
          value: "0.9"
    template:
      spec:
        containers:
          - {image: some/image:v1, name: infer-worker, args: ["inference.py"]}
  outputDir: "/output"
"""


@pytest.fixture
def document() -> dict:
    (loaded,) = load_yaml_all(UPSTREAM)
    return copy.deepcopy(loaded)


def test_upstream_job_validates_unchanged(document: dict) -> None:
    job = IncrementalLearningJob.model_validate(document)
    timer = job.spec.train_spec.trigger.timer
    assert timer is not None
    assert (timer.start, timer.end) == ("02:00", "24:00")
    assert job.spec.train_spec.template == document["spec"]["trainSpec"]["template"]
    assert job.spec.deploy_spec.hard_example_mining.as_dict() == {"threshold_img": "0.9", "threshold_box": "0.9"}
    assert job.spec.deploy_spec.model.poll_period_seconds == 60
    assert str(job.key) == "default/helmet-detection-demo"


def test_round_trip_keeps_upstream_key_names(document: dict) -> None:
    job = IncrementalLearningJob.model_validate(document)
    again = job.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert again == document
    assert IncrementalLearningJob.model_validate(again) == job


def test_status_of_a_fetched_object_is_ignored(document: dict) -> None:
    document["status"] = {"conditions": [{"type": "Waiting"}]}
    document["metadata"] |= {"uid": "u-1", "resourceVersion": "12", "managedFields": []}
    IncrementalLearningJob.model_validate(document)


def test_dataset_and_model_validate() -> None:
    Dataset.model_validate(
        {
            "apiVersion": "sedna.io/v1alpha1",
            "kind": "Dataset",
            "metadata": {"name": "d"},
            "spec": {"url": "/data/train.txt", "format": "txt", "nodeName": "edge1"},
        }
    )
    model = Model.model_validate(
        {
            "apiVersion": "sedna.io/v1alpha1",
            "kind": "Model",
            "metadata": {"name": "m"},
            "spec": {"url": "/models/base.pb", "format": "pb", "device_soc_versions": ["Ascend310"]},
        }
    )
    assert model.spec.device_soc_versions == ("Ascend310",)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("spec.dataset.trainProb", 1.5, "less than 1"),
        ("spec.dataset.trainProb", "most", "valid number"),
        ("spec.trainSpec.trigger.timer.start", "25:00", "HH:MM"),
        ("spec.trainSpec.trigger.timer.start", "2 o'clock", "HH:MM"),
        ("spec.trainSpec.trigger.condition.operator", "=>", "'>='"),
        ("spec.trainSpec.trigger.condition.metric", "num_of_sample", "num_of_samples"),
        ("spec.deploySpec.trigger.condition.metric", "precision[-1]", "index of 0 or more"),
        ("spec.deploySpec.trigger.condition.metric", "precision[0", "index of 0 or more"),
        ("spec.deploySpec.trigger.cooldownSeconds", 60, "takes condition and timer, not cooldownSeconds"),
        ("spec.deploySpec.trigger.any", [{}], "takes condition and timer, not any"),
        ("spec.trainSpec.template.spec.containers", [], "at least one container"),
        ("spec.deploySpec.model.pollPeriodSeconds", 0, "greater than or equal to 1"),
        ("spec.trainSpec.trigger.chekPeriodSeconds", 60, "Extra inputs"),
        ("metadata.name", "Helmet_Demo", "pattern"),
    ],
)
def test_mistakes_are_named(document: dict, path: str, value: object, message: str) -> None:
    *parents, last = path.split(".")
    target = document
    for key in parents:
        target = target[key]
    target[last] = value
    with pytest.raises(ValidationError) as caught:
        IncrementalLearningJob.model_validate(document)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("names", "floor", "message"),
    [
        (["helmet", "head"], {"helmt": 0.9}, "classFloor names 'helmt', which is none of classNames: helmet, head"),
        (["helmet", "head"], {"head": 0.9, "0": 0.9}, "classFloor names '0'"),
        ([], {"helmet": 0.9}, "classFloor names 'helmet'; without classNames a class is its number: 0, 1, ..."),
        ([], {"01": 0.9}, "classFloor names '01'"),
    ],
)
def test_a_floor_for_a_class_that_does_not_exist_is_a_mistake(document: dict, names, floor, message: str) -> None:
    """It would hold nothing back, and nobody would know."""
    document["spec"] |= {"classNames": names}
    document["spec"]["deploySpec"]["gate"] = {"classFloor": floor}
    with pytest.raises(ValidationError) as caught:
        IncrementalLearningJob.model_validate(document)
    assert message in str(caught.value)
    JobSpec.model_validate(document["spec"])  # a job that was stored before this was checked goes on


@pytest.mark.parametrize(
    ("names", "floor"), [(["helmet", "head"], {"head": 0.9}), ([], {"0": 0.5, "12": 0.9}), ([], 0.5), (["helmet"], 0.5)]
)
def test_a_floor_is_for_every_class_or_for_one_that_exists(document: dict, names, floor) -> None:
    document["spec"] |= {"classNames": names}
    document["spec"]["deploySpec"]["gate"] = {"classFloor": floor}
    IncrementalLearningJob.model_validate(document)


def test_template_and_algorithm_exclude_each_other(document: dict) -> None:
    document["spec"]["trainSpec"]["algorithm"] = {"name": "FPN"}
    with pytest.raises(ValidationError, match="exactly one of template"):
        IncrementalLearningJob.model_validate(document)


def test_an_algorithm_needs_no_templates(document: dict) -> None:
    spec = document["spec"]
    spec["trainSpec"] = {"algorithm": {"name": "FPN", "parameters": {"learning_rate": 0.01}}}
    del spec["evalSpec"], spec["deploySpec"]["template"]
    job = IncrementalLearningJob.model_validate(document)
    assert job.spec.evaluation_algorithm is not None
    assert job.spec.evaluation_algorithm.name == "FPN"
