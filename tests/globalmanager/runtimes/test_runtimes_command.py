from pathlib import Path

import pytest

from globalmanager.runtimes.base import WorkerSpec
from globalmanager.runtimes.command import command_of
from sedna.common.errors import SpecError
from sedna.common.types import JobKey


def spec(template=None, **env):
    return WorkerSpec(
        name="w",
        job=JobKey(name="j"),
        round=1,
        attempt=1,
        kind="train",
        template=template,
        env=env,
        work_dir=Path("/work-dir"),
        timeout_seconds=10,
    )


def template(**container):
    return {"spec": {"containers": [container]}}


def test_without_a_template_the_built_in_worker_runs():
    command = command_of(spec(MODEL_URL="m"), "/py")
    assert command.argv == ("/py", "-m", "sedna.core.incremental_learning.worker", "train")
    assert command.cwd == Path("/work-dir")
    assert command.env == {"MODEL_URL": "m"}


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({"args": ["train.py", "--x"]}, ("/py", "train.py", "--x")),
        ({"command": ["python"], "args": ["train.py"]}, ("/py", "train.py")),
        ({"command": ["/bin/sh", "-c"], "args": ["true"]}, ("/bin/sh", "-c", "true")),
    ],
    ids=["args only", "python", "shell"],
)
def test_command_and_args_as_in_a_container(container, argv):
    assert command_of(spec(template(image="some:v1", **container)), "/py").argv == argv


def test_the_contract_wins_over_the_environment_of_the_template():
    container = {
        "args": ["t"],
        "workingDir": "/code",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }
    command = command_of(spec(template(**container), B="ours"), "/py")
    assert command.env == {"A": "1", "B": "ours"}
    assert command.cwd == Path("/code")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"spec": {}}, "no container"),
        (template(image="only:image"), "neither command nor args"),
        (template(args=["x"], env=[{"name": "A", "valueFrom": {}}]), "env.0.valueFrom"),
    ],
    ids=["empty", "image only", "value from"],
)
def test_a_template_that_no_process_can_run_names_the_place(broken, words):
    with pytest.raises(SpecError, match=words) as caught:
        command_of(spec(broken), "/py")
    assert "default/j: trainSpec.template.spec.containers[0]" in str(caught.value)
