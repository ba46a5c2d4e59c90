"""From a pod template, or none, to a process."""

from pathlib import Path

import pytest

from fixtures_orders import Orders
from sedna.common.errors import SpecError
from sedna.core.staging.command import command_of, has_working_dir

WORK = Path("/work-dir")


@pytest.fixture
def command(tmp_path):
    def of(template=None, kind="train", **changes):
        return command_of(Orders(tmp_path).make(kind, template=template, **changes), "/py", WORK)

    return of


def template(**container):
    return {"spec": {"containers": [container]}}


def test_without_a_template_the_built_in_worker_runs(command):
    made = command()
    assert made.argv == ("/py", "-m", "sedna.core.incremental_learning.worker", "train")
    assert made.cwd == WORK
    assert made.env["MODEL_URL"] == "/work-dir/output"


def test_a_training_gets_upstreams_variables(command):
    env = command().env
    assert env["TRAIN_DATASET_URL"] == "/work-dir/train.txt"
    assert env["ORIGINAL_DATASET_URL"] == "/data/boards/index.txt", "where its author has it: programs look beside it"
    assert env["BASE_MODEL_URL"] == "/work-dir/models/base/net.bin"
    assert env["DATA_PATH_PREFIX"] == "/"
    assert env["CLASS_NAMES"] == '["good", "bad"]'
    assert "TEST_DATASET_URL" not in env


def test_an_evaluation_gets_both_models_in_upstreams_order(command):
    env = command(kind="eval").env
    assert env["MODEL_URLS"] == "/work-dir/models/candidate/net.bin;/work-dir/models/champion/net.bin"
    assert env["TEST_DATASET_URL"] == "/work-dir/test.txt"
    assert "MODEL_URL" not in env


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("/data/a b.txt", "/data/a b.txt"),
        ("file:///data/a%20b.txt", "/data/a b.txt"),
        ("s3://bucket/boards/index.txt", "/work-dir/train.txt"),
        ("", "/work-dir/train.txt"),
    ],
)
def test_the_original_dataset_is_named_as_programs_can_take_its_folder(command, url, value):
    assert command(original_dataset_url=url).env["ORIGINAL_DATASET_URL"] == value


def test_a_dataset_of_an_object_store_is_named_to_programs_alone(command):
    """Our own worker would look for its samples there, without a key, although all of them are here."""
    url = "s3://bucket/boards/index.txt"
    assert command(template(args=["t"]), original_dataset_url=url).env["ORIGINAL_DATASET_URL"] == url


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({"args": ["train.py", "--x"]}, ("/py", "train.py", "--x")),
        ({"command": ["python"], "args": ["train.py"]}, ("/py", "train.py")),
        ({"command": ["/bin/sh", "-c"], "args": ["true"]}, ("/bin/sh", "-c", "true")),
    ],
    ids=["args only", "python", "shell"],
)
def test_command_and_args_as_in_a_container(command, container, argv):
    assert command(template(image="some:v1", **container)).argv == argv


def test_the_contract_wins_over_the_environment_of_the_template(command):
    container = {
        "args": ["t"],
        "workingDir": "/code",
        "env": [{"name": "A", "value": "1"}, {"name": "MODEL_URL", "value": "2"}],
    }
    made = command(template(**container))
    assert (made.env["A"], made.env["MODEL_URL"]) == ("1", "/work-dir/output")
    assert made.cwd == Path("/code")
    assert has_working_dir(template(**container))
    assert not has_working_dir(template(args=["t"]))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"spec": {}}, "no container"),
        (template(image="only:image"), "neither command nor args"),
        (template(args=["x"], env=[{"name": "A", "valueFrom": {}}]), "env.0.valueFrom"),
    ],
    ids=["empty", "image only", "value from"],
)
def test_a_template_that_no_process_can_run_names_the_place(command, broken, words):
    with pytest.raises(SpecError, match=words) as caught:
        command(broken)
    assert "default/pcb: trainSpec.template.spec.containers[0]" in str(caught.value)
