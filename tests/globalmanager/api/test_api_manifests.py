"""Mistakes in descriptions: every one is found, with its line, key path, value, and what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from globalmanager.api.manifests import (
    MAX_BYTES,
    Diagnostic,
    ManifestError,
    parse_manifests,
    read_manifests,
    without_uid,
)
from sedna.common.errors import NotFoundError, TooLargeError

JOB = """\
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata:
  name: pcb
spec:
  dataset: {name: boards, trainProb: 0.8}
  initialModel: {name: base}
  trainSpec:
    algorithm: {name: FPN, parameters: {epochs: 1}}
    trigger:
      checkPeriodSeconds: 60
      timer: {start: 02:00, end: 20:00}
      condition: {operator: ">", threshold: 500, metric: num_of_samples}
  deploySpec:
    model: {name: deployed}
    hardExampleMining: {name: IBT, parameters: [{key: threshold_img, value: "0.9"}]}
"""


def diagnostics(text: str | bytes) -> list[Diagnostic]:
    with pytest.raises(ManifestError) as caught:
        parse_manifests(text if isinstance(text, bytes) else text.encode(), "job.yaml")
    assert str(caught.value).startswith(caught.value.diagnostics[0].where)
    return list(caught.value.diagnostics)


def test_a_right_job_is_read() -> None:
    (job,) = parse_manifests(JOB.encode(), "job.yaml")
    assert str(job.key) == "default/pcb"


def test_an_unknown_key_is_named_with_its_line_and_the_closest_known_one() -> None:
    (found,) = diagnostics(JOB.replace("checkPeriodSeconds", "checkPeriodSecond"))
    assert found.line == 11
    assert found.key == "spec.trainSpec.trigger.checkPeriodSecond"
    assert found.hint == "did you mean checkPeriodSeconds?"
    assert str(found).startswith("job.yaml:11: spec.trainSpec.trigger.checkPeriodSecond: unknown key")


def test_a_wrong_value_is_shown() -> None:
    (found,) = diagnostics(JOB.replace("trainProb: 0.8", "trainProb: 1.8"))
    assert (found.line, found.key) == (6, "spec.dataset.trainProb")
    assert "less than 1" in found.message
    assert "got 1.8" in found.message


def test_every_mistake_is_found_at_once() -> None:
    text = JOB.replace("trainProb: 0.8", "trainProb: 0").replace("20:00", "25:61").replace('">"', '"~"')
    found = diagnostics(text)
    assert [entry.line for entry in found] == [6, 12, 13]
    assert "HH:MM" in found[1].message


def test_a_mistake_hides_none_of_another_object_or_of_the_whole() -> None:
    """pydantic looks at a whole only when its parts are right; names of classes were looked up only after that."""
    text = (
        JOB.replace("checkPeriodSeconds", "checkPeriodSecond")
        .replace("    algorithm:", "    template: {spec: {containers: [{name: a}]}}\n    algorithm:")
        .replace("epochs: 1", "thread: 1, epochs: -1")
        .replace("name: IBT", "name: IBTT")
        .replace("apiVersion: sedna.io/v1alpha1\n", "")
    )
    assert [(entry.line, entry.key) for entry in diagnostics(text)] == [
        (1, ""),
        (11, "spec.trainSpec.trigger.checkPeriodSecond"),
        (7, "spec.trainSpec"),
        (9, "spec.trainSpec.algorithm.parameters.thread"),
        (9, "spec.trainSpec.algorithm.parameters.epochs"),
        (16, "spec.deploySpec.hardExampleMining.name"),
    ]


def test_what_a_wrong_part_may_have_caused_is_not_said() -> None:
    """A template without containers is no template, and still no reason to ask for an algorithm."""
    text = JOB.replace("    algorithm: {name: FPN, parameters: {epochs: 1}}", "    template: {spec: {}}")
    (found,) = diagnostics(text)
    assert "containers" in found.message


def test_the_parameters_of_an_algorithm_are_known() -> None:
    (unknown,) = diagnostics(JOB.replace("epochs: 1", "thread: 1"))
    assert (unknown.line, unknown.key) == (9, "spec.trainSpec.algorithm.parameters.thread")
    assert (unknown.message, unknown.hint) == ("FPN has no parameter 'thread'", "did you mean threads?")
    (wrong,) = diagnostics(JOB.replace("epochs: 1", "input_size: 100"))
    assert "multiple of 32; got 100" in wrong.message
    assert "larger pictures shrink" in wrong.hint
    (strange,) = diagnostics(JOB.replace("name: FPN, parameters: {epochs: 1}", "name: EdgeHML, parameters: {qqq: 1}"))
    assert "parameters of EdgeHML: class_names, method" in strange.hint
    wrong = "name: EdgeHML, parameters: {method: EdgeHLM++, network: conv5}"
    method, network = diagnostics(JOB.replace("name: FPN, parameters: {epochs: 1}", wrong))
    assert "unknown method 'EdgeHLM++'; did you mean 'EdgeHML++'?" in method.message
    assert "unknown network 'conv5'; did you mean 'conv4'?" in network.message
    for right in ("DER+UDA", "EdgeHML-skip", "DER+++Flex", "EdgeHML++"):
        job = JOB.replace("name: FPN, parameters: {epochs: 1}", f"name: EdgeHML, parameters: {{method: {right}}}")
        parse_manifests(job.encode(), "job.yaml")
    # Upstream hands parameters over as strings, and so do many descriptions.
    parse_manifests(JOB.replace("epochs: 1", 'epochs: "1", threads: "2", class_names: "a, b"').encode(), "job.yaml")


OTHER_KINDS = [
    "FeatureExtractionService", "FederatedLearningJob", "JointInferenceService", "LifelongLearningJob",
    "ObjectSearchService", "ObjectTrackingService", "ReidJob", "VideoAnalyticsJob",
]  # fmt: skip


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_sednas_other_kinds_are_known_by_name(kind: str) -> None:
    (found,) = diagnostics(f"apiVersion: sedna.io/v1alpha1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{}}\n")
    assert str(found) == (
        f"job.yaml:2: kind: '{kind}' is a kind of Sedna that this service does not run"
        " (it runs IncrementalLearningJob, Dataset, Model)"
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("FederatedLearningJobs", "probably FederatedLearningJob) is a kind of Sedna that this service does not run"),
        ("lifelonglearningjob", "probably LifelongLearningJob) is a kind of Sedna"),
        ("incremental_learning_job", "did you mean IncrementalLearningJob?"),
        ("Deployment", "kind 'Deployment' is not known here (one of: IncrementalLearningJob, Dataset, Model)"),
        ("7", "kind 7 is not known here"),
    ],
)
def test_a_kind_that_is_spelt_otherwise(kind: str, said: str) -> None:
    (found,) = diagnostics(f"apiVersion: sedna.io/v1alpha1\nkind: {kind}\n")
    assert said in str(found)


def test_a_missing_key_points_at_its_parent() -> None:
    (found,) = diagnostics(JOB.replace("  initialModel: {name: base}\n", ""))
    assert (found.line, found.key, found.message) == (5, "spec.initialModel", "is required")


def test_mistakes_of_all_documents_are_found() -> None:
    dataset = (
        "---\napiVersion: sedna.io/v1alpha1\nkind: Dataset\nmetadata: {name: boards}\nspec: {url: /x, format: tx}\n"
    )
    found = diagnostics(
        JOB.replace("trainProb: 0.8", "trainProb: 0") + dataset + "---\n" + dataset.replace("Dataset", "Datset")
    )
    assert [entry.line for entry in found] == [6, 21, 25]
    assert found[2].hint == "did you mean Dataset?"


def test_an_unknown_algorithm_lists_the_known_ones() -> None:
    (found,) = diagnostics(JOB.replace("name: FPN", "name: FPM"))
    assert found.key == "spec.trainSpec.algorithm.name"
    assert found.line == 9
    assert "did you mean FPN?" in found.hint
    assert "algorithm.module" in found.hint


def test_an_unknown_miner_lists_the_known_ones() -> None:
    (found,) = diagnostics(JOB.replace("name: IBT", "name: IBTT"))
    assert found.key == "spec.deploySpec.hardExampleMining.name"
    assert "IBT" in found.hint
    assert "CrossEntropy" in found.hint


def test_parameters_that_the_miner_refuses_are_named() -> None:
    (unknown,) = diagnostics(JOB.replace("threshold_img", "threshold_image"))
    assert unknown.key == "spec.deploySpec.hardExampleMining.parameters"
    assert "threshold_img" in unknown.hint
    (wrong,) = diagnostics(JOB.replace('"0.9"', '"much"'))
    assert "much" in wrong.message
    both = JOB.replace("key: threshold_img,", "key: threshhold, value: 1}, {key: threshold_img,").replace("0.9", "two")
    unknown, wrong = diagnostics(both)
    assert unknown.message == "unknown parameter 'threshhold'"
    assert "two" in wrong.message


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: [1, 2", 1, "expected ',' or ']'"),
        ("kind: Job\nkind: Job", 2, "already given"),
        ("- 1\n- 2", 1, "expected an object"),
        ("just words", 1, "expected an object"),
        ("", None, "nothing is described"),
        ("# a comment\n---\n", None, "nothing is described"),
        ("kind: Dataset\nmetadata: {name: a}\nspec: {url: /x, format: txt}", 1, "apiVersion is missing"),
        ("metadata: {}", 1, "kind is missing"),
        ('{"kind": "Dataset", "kind": "Model"}', None, "given twice"),
        ('{"kind": ', 1, "not JSON"),
        (b"\xff\xfe\x00", None, "not UTF-8"),
    ],
)
def test_what_is_no_description_is_said(text: str | bytes, line: int | None, said: str) -> None:
    (found,) = diagnostics(text)
    place = f"job.yaml:{line}" if line else "job.yaml"
    assert found.where.startswith(place)
    assert said in found.message


def test_json_and_lists_are_read() -> None:
    one = {
        "apiVersion": "sedna.io/v1alpha1", "kind": "Dataset", "metadata": {"name": "a"},
        "spec": {"url": "/a.txt", "format": "txt"},
    }  # fmt: skip
    two = {**one, "metadata": {"name": "b"}}
    assert len(parse_manifests(json.dumps([one, two]).encode(), "x")) == 2
    assert len(parse_manifests(json.dumps({"kind": "List", "items": [one, two]}).encode(), "x")) == 2
    (found,) = diagnostics(json.dumps({"kind": "List", "items": [one, {**two, "spec": {"url": "/b"}}]}))
    assert found.key == "items[1].spec.format"


def test_the_same_resource_twice_is_refused() -> None:
    (found,) = diagnostics(JOB + "---\n" + JOB)
    assert "described twice" in found.message


def test_limits_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError):
        parse_manifests(b" " * (MAX_BYTES + 1), "x")
    with pytest.raises(NotFoundError, match=r"none\.yaml"):
        read_manifests(tmp_path / "none.yaml")
    (tmp_path / "job.yaml").write_text(JOB)
    assert len(read_manifests(tmp_path / "job.yaml")) == 1


@pytest.mark.parametrize("sample", ["helmet", "dog"])
def test_upstream_shaped_jobs_are_read_unchanged(sample: str) -> None:
    """A pod template instead of an algorithm, string parameters, unquoted times."""
    miner = {"helmet": ("IBT", "threshold_img", "0.9"), "dog": ("Random", "random_ratio", "0.3")}[sample]
    text = f"""
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {{name: {sample}-demo}}
spec:
  initialModel: {{name: initial-model}}
  dataset: {{name: incremental-dataset, trainProb: 0.8}}
  trainSpec:
    template:
      spec:
        nodeName: cloud
        containers:
          - image: registry.example/{sample}:v1
            name: train-worker
            args: [train.py]
            env: [{{name: batch_size, value: "32"}}]
    trigger:
      checkPeriodSeconds: 60
      timer: {{start: 02:00, end: 20:00}}
      condition: {{operator: ">", threshold: 500, metric: num_of_samples}}
  evalSpec:
    template: {{spec: {{containers: [{{image: "x", name: eval-worker, args: [eval.py]}}]}}}}
  deploySpec:
    model: {{name: deploy-model, hotUpdateEnabled: true, pollPeriodSeconds: 60}}
    trigger: {{condition: {{operator: ">", threshold: 0.1, metric: precision_delta}}}}
    hardExampleMining:
      name: {miner[0]}
      parameters: [{{key: {miner[1]}, value: "{miner[2]}"}}]
    template: {{spec: {{containers: [{{image: "x", name: infer-worker, args: [inference.py]}}]}}}}
  outputDir: /output
"""
    (job,) = parse_manifests(text.encode(), "x")
    assert job.key.name == f"{sample}-demo"


def test_what_people_hand_in_does_not_come_from_an_object_of_a_cluster() -> None:
    """`kubectl get -o yaml` prints the uid; by it the operator knows its own jobs."""
    text = b"apiVersion: sedna.io/v1alpha1\nkind: Model\nmetadata: {name: m, uid: u, labels: {a: b}}\n"
    (model,) = parse_manifests(text + b"spec: {url: /m, format: onnx}\n", "body")
    assert without_uid(model).metadata.model_dump(exclude_unset=True) == {"name": "m", "labels": {"a": "b"}}
