"""What an image gives a container and nobody gives a process is noted when a job is applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures_api import JOB_YAML, Api
from globalmanager.api.manifests import parse_manifests
from globalmanager.api.module_checks import ModuleCheck
from globalmanager.api.template_notes import notes_on

RUNS = {"image": "x", "workingDir": "/app", "args": ["train.py"], "env": [{"name": "A", "value": "1"}]}


def job(train: dict[str, Any] | None = None, **pod: Any) -> str:
    """The job of the fixtures with a template for training, and one for evaluation that leaves nothing open."""
    template = json.dumps({"spec": {"containers": [RUNS | (train or {})], **pod}})
    judge = json.dumps({"spec": {"containers": [RUNS]}})
    text = JOB_YAML.replace("algorithm: {name: FPN}", f"template: {template}")
    return text.replace("  deploySpec:", f"  evalSpec: {{template: {judge}}}\n  deploySpec:")


def notes(text: str) -> list[str]:
    *others, described = parse_manifests(text.encode(), "job.yaml")
    assert [notes_on(other) for other in others] == [(), ()]
    return list(notes_on(described))


def test_a_job_without_a_template_and_one_that_leaves_nothing_open_have_none() -> None:
    assert notes(JOB_YAML) == []
    assert notes(job()) == []


def test_a_module_that_imports_what_lies_beside_it_is_noted(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text("import json\nimport numpy\n\ndef later():\n    from helper_of_mine.inner import x\n")
    (tmp_path / "helper_of_mine").mkdir()
    (tmp_path / "json.py").write_text("")
    text = JOB_YAML.replace("algorithm: {name: FPN}", f"algorithm: {{name: Mine, module: {module}}}")
    *_, described = parse_manifests(text.encode(), "job.yaml", ModuleCheck(tried=False))
    (note,) = notes_on(described)
    assert note.startswith("spec.trainSpec.algorithm.module: imports helper_of_mine, which is beside it and not stored")
    module.unlink()
    assert notes_on(described) == ()


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"workingDir": None}, "containers[0].workingDir", "a process has no image that sets it"),
        ({"workingDir": ""}, "containers[0].workingDir", "workingDir: the folder that holds the program"),
        ({"args": []}, "containers[0]", "has neither command nor args"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}, "containers[0].env[0]", "plain values only"),
        ({"args": "train.py"}, "containers[0].args", "valid tuple"),
        ({"args": ["a\x00b"]}, "containers[0].args.0", "should match"),
        ({"env": [{"name": "A=B", "value": "1"}]}, "containers[0].env.0.name", "should match"),
        ({"env": [{"name": "A", "value": 5}]}, "containers[0].env.0.value", "valid string"),
    ],
)
def test_what_an_image_or_a_cluster_would_give(change: dict[str, Any], key: str, said: str) -> None:
    (note,) = notes(job(change))
    assert note.startswith(f"spec.trainSpec.template.spec.{key}: ")
    assert said in note


@pytest.mark.parametrize("pod", [{"containers": [RUNS, RUNS]}, {"initContainers": [RUNS]}])
def test_containers_that_no_process_stands_for(pod: dict[str, Any]) -> None:
    (note,) = notes(job(**pod))
    assert note.startswith("spec.trainSpec.template.spec: a process is one container")


def test_each_template_has_notes_of_its_own() -> None:
    text = job().replace('"workingDir": "/app", ', "")
    assert [note.partition(": ")[0] for note in notes(text)] == [
        "spec.trainSpec.template.spec.containers[0].workingDir",
        "spec.evalSpec.template.spec.containers[0].workingDir",
    ]


def test_the_answer_to_an_application_has_them(api: Api) -> None:
    applied = api.apply(job({"workingDir": None}))
    assert [len(entry["notes"]) for entry in applied] == [0, 0, 1]
    assert [entry["action"] for entry in applied] == ["created"] * 3, "a note is no mistake"
    assert [entry["notes"] for entry in api.apply(job())] == [[], [], []]
