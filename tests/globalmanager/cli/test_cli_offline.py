"""What the command line does without a service: help, validation, settings, exit codes."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
import yaml

import sedna
from fixtures_api import JOB_YAML, png, sample_record
from fixtures_service import Boards
from globalmanager.cli.app import app
from globalmanager.cli.client import Client, connect
from globalmanager.cli.contexts import save_context
from globalmanager.cli.errors import ExitCode, exit_code_of
from globalmanager.cli.options import parse_pairs
from sedna.common import errors
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.types import SampleRecord
from sedna.edge import Spool

if TYPE_CHECKING:
    from conftest import Cli


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", {})
    return [path, *(found for name, entry in below.items() for found in commands(entry, (*path, name)))]


@pytest.mark.parametrize("path", commands(typer.main.get_command(app)), ids=lambda path: " ".join(path) or "sedna")
def test_every_command_explains_itself(nowhere: Cli, path: tuple[str, ...]) -> None:
    assert "Usage:" in nowhere.out(*path, "--help")


def groups() -> dict[str, set[str]]:
    """The commands of each group that talks to the service; ``bench`` is the algorithms' own."""
    command: Any = typer.main.get_command(app)
    found = {name: set(entry.commands) for name, entry in command.commands.items() if hasattr(entry, "commands")}
    del found["bench"]
    return found


@pytest.mark.parametrize("group", sorted(groups()))
def test_the_help_of_a_group_says_the_verbs_that_it_has(nowhere: Cli, group: str) -> None:
    command: Any = typer.main.get_command(app)
    words = set(re.findall(r"[a-z]+(?:-[a-z]+)*", command.commands[group].help.lower()))
    verbs = groups()
    assert verbs[group] <= words
    assert not (words & set().union(*verbs.values())) - verbs[group], "a verb of another group"


def test_the_commands_that_the_documentation_names(nowhere: Cli) -> None:
    known = {" ".join(path) for path in commands(typer.main.get_command(app))}
    assert known >= {
        "up", "validate", "events", "version", "job apply", "job list", "job get", "job delete", "trigger explain",
        "sample list", "sample show", "sample label", "sample import", "model list", "model show", "model promote",
        "model rollback", "edge list", "edge register", "edge serve", "edge remove",
        "edge rejected", "round list", "round show",
        "token create", "token link", "token list", "token revoke", "repair", "backup", "restore", "export",
    }  # fmt: skip
    assert nowhere.out("version") == nowhere.out("--version") == f"{sedna.__version__}\n"


def test_help_is_light() -> None:
    heavy = [
        "fastapi",
        "httpx",
        "sqlalchemy",
        "torch",
        "numpy",
        "uvicorn",
        "yaml",
        "globalmanager.api",
        "globalmanager.db",
    ]
    program = (
        "import sys\nfrom globalmanager.cli import main\nsys.argv = ['sedna', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    paths = [str(Path(str(sedna.__file__)).parents[1]), str(Path(__file__).parents[3] / "controllers")]
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(paths)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "Usage:" in result.stdout
    assert result.stderr.strip() == "[]"


JOB = """\
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {name: boards}
spec:
  url: /x.txt
  frmat: txt
"""


def test_validate_lists_every_mistake_and_exits_2(nowhere: Cli) -> None:
    good, bad, broken = (nowhere.folder / name for name in ("good.yaml", "bad.yaml", "broken.yaml"))
    good.write_text(JOB.replace("frmat", "format"))
    bad.write_text(JOB)
    broken.write_text("a: [")
    assert nowhere.out("validate", str(good)) == f"{good}: Dataset default/boards is valid\n"
    formats = "Format of the labels: txt, csv, json, jsonl, coco, voc, yolo, cvat or labelstudio."
    result = nowhere.run("validate", str(good), str(bad), str(broken), code=2)
    assert result.stderr.splitlines() == [
        f"error: {bad}:4: spec.format: is required ({formats})",
        f"error: {bad}:6: spec.frmat: unknown key 'frmat' (did you mean format?)",
        f"error: {broken}:1: while parsing a flow node, expected the node content, but found '<stream end>'",
    ]
    missing = nowhere.run("validate", str(nowhere.folder / "none.yaml"), code=4)
    assert "no such file" in missing.stderr


@pytest.mark.parametrize("command", [["validate"], ["job", "apply", "--url", "http://x", "--token", "x", "-f"]])
def test_a_kind_of_sedna_that_is_not_run_here_is_refused_by_name(nowhere: Cli, command: list[str]) -> None:
    path = nowhere.folder / "other.yaml"
    path.write_text("apiVersion: sedna.io/v1alpha1\nkind: JointInferenceService\nmetadata: {name: x}\nspec: {}\n")
    result = nowhere.run(*command, str(path), code=2)
    assert "'JointInferenceService' is a kind of Sedna that this service does not run" in result.stderr
    assert "it runs IncrementalLearningJob" in result.stderr


def test_validate_notes_what_a_process_does_not_have(nowhere: Cli) -> None:
    path = nowhere.folder / "job.yaml"
    pod = "template: {spec: {containers: [{image: x, args: [train.py]}]}}"
    text = JOB_YAML.replace("algorithm: {name: FPN}", pod)
    path.write_text(text.replace("  deploySpec:", "  evalSpec: {algorithm: {name: FPN}}\n  deploySpec:"))
    result = nowhere.run("validate", str(path))
    assert result.stdout.splitlines()[-1] == f"{path}: IncrementalLearningJob default/pcb is valid"
    (note,) = result.stderr.splitlines()
    assert note.startswith(
        f"note: {path}: IncrementalLearningJob default/pcb: spec.trainSpec.template.spec.containers[0].workingDir: "
    )


def test_without_a_service_the_way_to_one_is_told(nowhere: Cli) -> None:
    result = nowhere.run("job", "list", code=2)
    assert "sedna up" in result.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = nowhere.run("job", "list", "--url", f"http://127.0.0.1:{port}", "--token", "x", code=75)
    assert "the service does not answer" in result.stderr
    result = nowhere.run("job", "list", "--url", "localhost", "--token", "x", code=2)
    assert "is not an address" in result.stderr


def test_usage_errors_are_exit_code_2(nowhere: Cli) -> None:
    assert "No such command" in nowhere.run("jbo", code=2).stderr
    assert nowhere.run("trigger", "pcb", "fly", "--reason", "x", code=2).stderr
    assert nowhere.run("trigger", "pcb", "train", code=2).stderr
    assert (
        "is not the name of a job"
        in nowhere.run("job", "get", "A/B/C", "--url", "http://x", "--token", "x", code=2).stderr
    )


def test_the_saved_context_is_private_and_used_for_its_own_address_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEDNA_CONFIG_DIR", str(tmp_path / "config"))
    path = tmp_path / "config" / "client.json"
    save_context(path, "http://127.0.0.1:1", "secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert isinstance(connect(None, None), Client)
    assert isinstance(connect("http://127.0.0.1:1/", None), Client)
    with pytest.raises(errors.SpecError, match="no token"):
        connect("http://other.example", None)
    path.write_text("{}")
    with pytest.raises(errors.SpecError, match="damaged"):
        connect(None, None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SpecError("x"), ExitCode.USAGE),
        (errors.AuthError("x"), ExitCode.USAGE),
        (errors.NotFoundError("x"), ExitCode.NOT_FOUND),
        (errors.ModelError("x"), ExitCode.PERMANENT),
        (errors.StorageFullError("x"), ExitCode.TEMPORARY),
        (errors.SednaError("x"), ExitCode.FAILURE),
    ],
)
def test_exit_codes(error: errors.SednaError, code: ExitCode) -> None:
    assert exit_code_of(error) is code


def test_parameters_are_json_or_text() -> None:
    assert parse_pairs(["a=1", "b=true", "c=text", "d=[1, 2]", "e=x=y"]) == {
        "a": 1, "b": True, "c": "text", "d": [1, 2], "e": "x=y",
    }  # fmt: skip
    with pytest.raises(errors.SpecError, match="KEY=VALUE"):
        parse_pairs(["a"])
    with pytest.raises(errors.SpecError, match="twice"):
        parse_pairs(["a=1", "a=2"])


def test_a_second_service_in_a_folder_is_a_usage_error(nowhere: Cli) -> None:
    from globalmanager.service.data_dir import DataDirLock

    with DataDirLock(nowhere.folder / "data"):
        result = nowhere.run("up", "--data", str(nowhere.folder / "data"), "--port", "0", code=2)
    assert "a service runs in this folder" in result.stderr


def test_a_wrong_option_of_up_names_the_setting(nowhere: Cli) -> None:
    result = nowhere.run("up", "--data", str(nowhere.folder / "data"), "--log-level", "LOUD", code=2)
    assert "setting log_level" in result.stderr


OWN_MINER = """\
from sedna.algorithms.hard_example_mining import BaseFilter
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.HEM, alias="OwnMiner")
class OwnMiner(BaseFilter):
    def __init__(self, level="1"):
        super().__init__()
"""


def test_a_miner_of_ones_own_is_known_once_its_module_is_named(nowhere: Cli) -> None:
    (nowhere.folder / "own.py").write_text(OWN_MINER)
    text = Boards(nowhere.folder / "boards", count=1).job()
    job = nowhere.folder / "job.yaml"
    job.write_text(text.replace("{name: IBT}", "{name: OwnMiner, parameters: [{key: level, value: '2'}]}"))
    refused = nowhere.run("validate", str(job), code=ExitCode.USAGE)
    assert "no miner 'OwnMiner' is registered" in refused.stderr
    assert "--module FILE" in refused.stderr
    try:
        accepted = nowhere.out("validate", str(job), "--module", str(nowhere.folder / "own.py"))
    finally:
        ClassFactory.__registry__[ClassType.HEM].pop("OwnMiner", None)
    assert "IncrementalLearningJob default/pcb is valid" in accepted


@pytest.mark.parametrize("command", ["up", "edge serve", "validate", "job apply"])
def test_a_module_that_cannot_be_loaded_ends_the_command_with_its_line(nowhere: Cli, command: str) -> None:
    module = nowhere.folder / "broken.py"
    module.write_text("\nimport sedna.no_such_room\n")
    description = nowhere.folder / "job.yaml"
    description.write_text("")
    arguments = {
        "up": ["--data", str(nowhere.folder / "data"), "--port", "0"],
        "edge serve": ["e", "--data", str(nowhere.folder / "e"), "--url", "http://127.0.0.1:1", "--token-file", "t"],
        "validate": [str(description)],
        "job apply": ["-f", str(description)],
    }[command]
    result = nowhere.run(*command.split(), *arguments, "--module", str(module), code=ExitCode.USAGE)
    assert f"{module}:2: cannot be loaded: ModuleNotFoundError" in result.stderr
    assert not (nowhere.folder / "data").exists()


def test_samples_that_an_edge_has_set_aside_are_listed_and_tried_again(nowhere: Cli) -> None:
    image = png(1)
    record = SampleRecord.model_validate(sample_record(image))
    folder = nowhere.folder / "line-3"
    nothing = nowhere.run("edge", "rejected", "--data", str(folder), code=ExitCode.NOT_FOUND)
    assert "no edge has kept samples here" in nothing.stderr
    with Spool(folder / "spool") as spool:
        spool.add(record, image)
        entry = spool.claim()
        assert entry is not None
        spool.reject(entry, "413 the body is too large")
        running = nowhere.run("edge", "rejected", "--data", str(folder), code=ExitCode.USAGE)
        assert "in use by process" in running.stderr
    (row,) = yaml.safe_load(nowhere.out("edge", "rejected", "--data", str(folder), "-o", "yaml"))
    assert (row["sample_id"], row["job"], row["state"]) == (record.sample_id, "default/pcb", "rejected")
    assert row["reason"] == "413 the body is too large"
    assert Path(row["path"]).read_bytes() == image
    assert "1 samples are sent again" in nowhere.run("edge", "rejected", "--data", str(folder), "--retry").stderr
    assert "no sample was set aside" in nowhere.run("edge", "rejected", "--data", str(folder)).stderr
    with Spool(folder / "spool") as spool:
        assert [entry.record for entry in spool.pending()] == [record]
