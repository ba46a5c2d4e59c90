"""Every command against a running service, and what it prints."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml
from pydantic import SecretStr

import sedna
from fixtures_service import eventually
from globalmanager.cli.commands.up import page_line
from globalmanager.db import edges
from globalmanager.engine.desired import heartbeat
from sedna.common.token_file import read_token_file
from sedna.common.types import JobKey
from sedna.edge import EdgeSettings, EdgeWorker
from sedna.edge.protocol import EdgeHeartbeat, EdgeJobStatus
from sedna.store.layout import sample_key

if TYPE_CHECKING:
    from conftest import Cli


def plain(text: str) -> str:
    """Times, sample ids and columns made equal, so that the rest can be compared."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "SAMPLE", text)
    return "\n".join(re.sub(r" {2,}", "  ", line) for line in text.splitlines())


def test_jobs_in_a_table(cli: Cli) -> None:
    assert plain(cli.out("job", "list")) == (
        "NAMESPACE  NAME  PHASE  ROUND  MODEL  SERVED BY  SAMPLES  LABELLED  CLASSES  CREATED\n"
        "default  pcb  Waiting  -  2  -  8  8  open, short  TIME"
    )  # fmt: skip
    assert cli.run("job", "list", "-n", "other").stdout == ""
    assert cli.run("job", "list", "-n", "other").stderr == "no jobs\n"


def test_tables_have_no_colour_and_no_trailing_blanks_when_piped(cli: Cli) -> None:
    text = cli.out("round", "list", "pcb")
    assert "\x1b" not in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_one_job_for_people_and_for_programs(cli: Cli) -> None:
    text = cli.out("job", "get", "default/pcb")
    assert "Phase:                      Waiting" in text
    assert "Model in service:           2" in text
    assert re.search(r"Last round: +1 train: Deployed, ", text)
    as_json = json.loads(cli.out("job", "get", "pcb", "-o", "json"))
    as_yaml = yaml.safe_load(cli.out("job", "get", "pcb", "-o", "yaml"))
    assert as_json == as_yaml
    assert as_json["spec"]["dataset"] == {"name": "boards", "trainProb": 0.5}


def test_apply_again_and_as_a_dry_run(cli: Cli) -> None:
    path = cli.folder / "job.yaml"
    assert plain(cli.out("job", "apply", "-f", str(path))) == (
        "KIND  NAMESPACE  NAME  ACTION\n"
        "Dataset  default  boards  unchanged\n"
        "Model  default  base  unchanged\n"
        "IncrementalLearningJob  default  pcb  unchanged"
    )
    other = cli.folder / "other.yaml"
    other.write_text(path.read_text().replace("name: pcb", "name: second"))
    assert "second  created" in plain(cli.out("job", "apply", "-f", str(other), "--dry-run"))
    assert "second" not in cli.out("job", "list")


def test_apply_notes_what_a_process_does_not_have(cli: Cli) -> None:
    path = cli.folder / "template.yaml"
    text = re.sub(r"algorithm: .*", "template: {spec: {containers: [{args: [train.py]}]}}", cli.boards.job())
    path.write_text(text.replace("  deploySpec:", "  evalSpec: {algorithm: {name: FPN}}\n  deploySpec:"))
    result = cli.run("job", "apply", "-f", str(path), "--dry-run")
    assert "IncrementalLearningJob  default  pcb  updated" in plain(result.stdout)
    target, note = result.stderr.splitlines()
    assert target == f"service: {cli.service.url} (the last one started)"
    assert note.startswith(
        "note: IncrementalLearningJob default/pcb: spec.trainSpec.template.spec.containers[0].workingDir: "
    )


def test_apply_several_files_and_delete(cli: Cli) -> None:
    first, second = cli.folder / "a.yaml", cli.folder / "b.yaml"
    documents = cli.boards.job().replace("name: pcb", "name: short-lived").split("---\n")
    first.write_text("---\n".join(documents[:2]))
    second.write_text(documents[2])
    assert "short-lived  created" in plain(cli.out("job", "apply", "-f", str(first), "-f", str(second)))
    result = cli.run("job", "delete", "short-lived", code=1, input="n\n")
    assert "Stop job short-lived?" in result.stdout
    cli.run("job", "delete", "short-lived", "--yes")
    assert "short-lived" not in cli.out("job", "list")


def test_rounds(cli: Cli) -> None:
    assert plain(cli.out("round", "list", "pcb", "--limit", "1")).splitlines()[0] == (
        "ROUND  KIND  STATE  CANDIDATE  CHAMPION  DATASET  STARTED  ENDED  EVALUATION  REASON"
    )
    text = plain(cli.out("round", "show", "pcb", "1"))
    assert text.splitlines()[1].startswith("1  train  Deployed  2  1  1  TIME  TIME  ")
    assert "\nStages\n" in text
    assert re.search(r"\nTraining  1  TIME  ", text)
    assert re.search(r"\nGate: better \(\d samples\)\n", text)
    assert json.loads(cli.out("round", "show", "pcb", "1", "-o", "json"))["round"]["outcome"] == "Deployed"


def test_models_are_promoted_and_rolled_back(cli: Cli) -> None:
    lines = plain(cli.out("model", "list", "pcb")).splitlines()
    assert lines[0] == "VERSION  IN SERVICE  ROUND  PARENT  DATASET  RUNTIME  FORMAT  BYTES  CREATED  NOTE"
    assert lines[1].startswith("2  yes  1  1  1  python  json  ")
    assert lines[2].startswith("1  no  -  -  -  python  json  ")
    shown = yaml.safe_load(cli.out("model", "show", "pcb", "2"))
    text = cli.out("model", "module", "pcb", "2")
    assert hashlib.sha256(text.encode()).hexdigest() == shown["manifest"]["module"]["sha256"]
    cli.run("model", "module", "pcb", "2", "-o", str(cli.folder / "again.py"))
    assert (cli.folder / "again.py").read_text() == text == (cli.boards.folder / "tiny.py").read_text()
    assert f"tiny.py sha256 {shown['manifest']['module']['sha256']}" in cli.out(
        "model", "show", "pcb", "2", "-o", "table"
    )
    assert shown["manifest"]["files"][0]["size"] == shown["size"]
    back = cli.run("model", "rollback", "pcb", "--reason", "try the old one", "--wait")
    assert "Deployed" in back.stdout
    assert json.loads(cli.out("job", "get", "pcb", "-o", "json"))["champion"] == 1
    promoted = cli.run("model", "promote", "pcb", "2", "--reason", "and back", "--wait")
    assert "Deployed" in promoted.stdout
    assert json.loads(cli.out("job", "get", "pcb", "-o", "json"))["champion"] == 2


def test_a_refused_request_is_a_failure(cli: Cli) -> None:
    result = cli.run("model", "promote", "pcb", "2", "--reason", "it is there already", "--wait", code=1)
    assert "the request was refused" in result.stderr
    assert "model 2 is already in service" in result.stderr


def test_a_model_that_is_not_there_is_not_found(cli: Cli) -> None:
    result = cli.run("model", "promote", "pcb", "99", "--reason", "no such model", code=4)
    assert "there is no model version 99" in result.stderr
    assert "known: " in result.stderr


def test_a_failed_round_is_a_failure(cli: Cli) -> None:
    command = ("trigger", "pcb", "train", "--reason", "no gain", "--param", "gain=-1", "--wait")
    result = cli.run(*command, code=1)
    assert "Failed" in result.stdout
    assert "no gain from this" in cli.out("round", "show", "pcb", result.stdout.split()[3])


def test_a_request_with_a_key_is_made_once(cli: Cli) -> None:
    command = ("trigger", "request", "pcb", "deploy", "--version", "2", "--reason", "again", "--idempotency-key", "k")
    first = json.loads(cli.out(*command, "-o", "json"))
    assert json.loads(cli.out(*command, "-o", "json"))["id"] == first["id"]


def test_explain(cli: Cli) -> None:
    text = cli.out("trigger", "explain", "pcb")
    assert text.startswith("does not fire\n")
    assert "num_of_samples" in text
    assert json.loads(cli.out("trigger", "explain", "pcb", "-o", "json"))["fire"] is False


def test_samples(cli: Cli) -> None:
    lines = plain(cli.out("sample", "list", "pcb", "--limit", "2")).splitlines()
    assert lines[0] == "SAMPLE  PICKED  EDGE  MODEL  SCORE  LABEL  PART  ROUND  RECEIVED  STATE"
    assert len(lines) == 3
    assert "the newest 2; --limit shows more" in cli.run("sample", "list", "pcb", "--limit", "2").stderr
    assert cli.run("sample", "list", "pcb", "--limit", "8").stderr == ""
    row = json.loads(cli.out("sample", "list", "pcb", "--picked", "import", "--labelled", "-o", "json"))[0]
    name = row["record"]["sample_id"]
    story = yaml.safe_load(cli.out("sample", "show", "pcb", name[:12]))
    assert story["sample"]["record"]["sample_id"] == name
    assert story["dataset_versions"][0] == 1
    cli.run("sample", "label", "pcb", name, "--box", "1,1,8,9,short", "--author", "anna")
    labels = yaml.safe_load(cli.out("sample", "show", "pcb", name))["labels"]
    assert labels[-1]["author"] == "anna"
    assert labels[-1]["annotation"]["boxes"][0]["label"] == 1
    cli.run("sample", "label", "pcb", name, "--empty")
    labels_file = cli.folder / "labels.txt"
    labels_file.write_text(f"{name}.png 2,2,9,9,0\nunknown.png 1,1,2,2,0\n")
    result = cli.run("sample", "import", "pcb", str(labels_file), "--format", "txt", "--clip")
    assert plain(result.stdout).splitlines() == [
        "LABELLED  UNCHANGED  PICTURES  ANNOTATIONS  UNKNOWN IMAGES",
        "1  0  1 taken, 0 skipped, 1 refused  1 taken, 0 skipped, 1 refused  1",
    ]
    assert "classes: 0 open, 1 short\n" in result.stderr
    assert "warning: no sample for unknown.png" in result.stderr
    table = f'x,y\n{name}.png,"3,3,9,9,1"\n'
    assert plain(cli.run("sample", "import", "pcb", "-", "--format", "csv", input=table).stdout).splitlines()[1] == (
        "1  0  1 taken, 0 skipped, 0 refused  1 taken, 0 skipped, 0 refused  0"
    )
    yolo = cli.folder / "yolo" / "labels"
    yolo.mkdir(parents=True)
    (yolo / f"{name}.txt").write_text("")
    for source in (yolo.parent, yolo / f"{name}.txt"):
        assert "0" in cli.run("sample", "import", "pcb", str(source), "--format", "yolo").stdout
    labels = yaml.safe_load(cli.out("sample", "show", "pcb", name))["labels"]
    assert [len(label["annotation"]["boxes"]) for label in labels[-2:]] == [1, 0]
    assert cli.run("sample", "list", "pcb", "--unlabelled").stderr == "no such samples\n"
    assert cli.run("sample", "queue", "pcb", "--by", "k_center").stderr == "nothing is waiting for a label\n"


def test_a_class_of_a_whole_image_is_no_label_of_a_job_of_boxes(cli: Cli) -> None:
    row = json.loads(cli.out("sample", "list", "pcb", "-o", "json"))[0]
    name = row["record"]["sample_id"]
    result = cli.run("sample", "label", "pcb", name, "--class", "1", code=2)
    assert "the job's labels are boxes, and this is a class of the whole image" in result.stderr
    assert "--box X1,Y1,X2,Y2,CLASS" in result.stderr


def test_samples_are_taken_out_and_in_deleted_and_repaired(cli: Cli) -> None:
    rows = json.loads(cli.out("sample", "list", "pcb", "-o", "json"))
    record = rows[-1]["record"]
    name, image = record["sample_id"], cli.folder / "saved.png"
    key = sample_key(JobKey(name="pcb"), name, record["extension"])
    image.write_bytes(cli.service.api.store.get(key))
    result = cli.run("sample", "exclude", "pcb", name, "--reason", "a thumb", "--author", "anna")
    assert "a thumb" in result.stdout
    assert re.search(r"\ndataset version\(s\) 1(, \d)* hold it and say so; models that learnt from it", result.stderr)
    assert name not in cli.out("sample", "list", "pcb", "-o", "json")
    assert plain(cli.out("sample", "list", "pcb", "--excluded")).splitlines()[1].endswith("  excluded")
    again = cli.run("sample", "exclude", "pcb", name, "--reason", "too dark")
    assert "it was taken out before, for another reason, which stays: a thumb" in again.stderr
    assert "1 sample(s) of dataset version 1 were excluded or deleted" in cli.run("round", "show", "pcb", "1").stderr
    cli.run("sample", "include", "pcb", name[:12])
    assert cli.run("sample", "list", "pcb", "--excluded").stderr == "no such samples\n"

    cli.run("sample", "delete", "pcb", name, "--reason", "a face")
    assert cli.service.api.store.stat(key) is None
    assert "admin has deleted it" in cli.run("sample", "repair", "pcb", str(image), code=2).stderr
    cli.run("sample", "include", "pcb", name)
    assert plain(cli.out("sample", "list", "pcb", "--damaged")).splitlines()[1].endswith("  damaged")
    repaired = json.loads(cli.out("sample", "repair", "pcb", str(image), "-o", "json"))
    assert repaired == [{"sample_id": name, "created": False, "repaired": True}]
    assert cli.service.api.store.get(key) == image.read_bytes()
    assert cli.run("sample", "list", "pcb", "--damaged").stderr == "no such samples\n"
    story = yaml.safe_load(cli.out("sample", "show", "pcb", name))
    assert [(e["author"], e["deleted"], e["ended"]) for e in story["exclusions"]] == [
        ("anna", False, True),
        ("admin", True, True),
    ]
    image.write_bytes(b"other bytes")
    assert "the job has no sample of these bytes" in cli.run("sample", "repair", "pcb", str(image), code=2).stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--box", "1,2,3"), "X1,Y1,X2,Y2,CLASS"),
        (("--box", "1,1,9,9,shrt"), "classes: open, short"),
        (("--empty", "--class", "1"), "exactly one kind of label"),
        ((), "exactly one kind of label"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused(cli: Cli, options: tuple[str, ...], said: str) -> None:
    assert said in cli.run("sample", "label", "pcb", "a" * 64, *options, code=2).stderr


def test_edges(cli: Cli) -> None:
    made = json.loads(cli.out("edge", "register", "line-7", "-o", "json"))
    assert len(made["token"]) >= 43
    assert plain(cli.out("edge", "list")).splitlines()[1].startswith("line-7  never heard  -  -  -  TIME")
    again = cli.run("edge", "register", "line-7", code=2)
    assert "registered" in again.stderr
    assert cli.out("edge", "remove", "line-7", "--yes") == "edge line-7 is removed\n"
    cli.run("edge", "remove", "line-7", "--yes", code=4)


def test_a_registration_can_be_redirected_into_a_token_file(cli: Cli) -> None:
    made = cli.run("edge", "register", "line-8")
    (cli.folder / "line-8.token").write_text(made.stdout)
    token = read_token_file(cli.folder / "line-8.token")
    assert made.stdout == f"{token}\n"
    assert "line-8" in made.stderr
    assert token not in made.stderr
    settings = EdgeSettings(
        name="line-8", data_dir=cli.folder / "line-8", url=cli.service.url, token_file=cli.folder / "line-8.token"
    )
    worker = EdgeWorker(settings)
    try:
        assert worker.beat() == 5.0, "the service has answered"
    finally:
        worker.stop()
    cli.run("edge", "remove", "line-8", "--yes")
    own = cli.run("token", "create", "bea")
    assert "pcb" in cli.out("job", "list", "--url", cli.service.url, "--token", own.stdout.strip())
    cli.run("token", "revoke", "bea")


def test_tokens(cli: Cli) -> None:
    made = json.loads(cli.out("token", "create", "anna", "--days", "1", "-o", "json"))
    listed = cli.out("token", "list")
    assert "anna" in listed
    assert made["token"] not in listed
    assert "pcb" in cli.out("job", "list", "--url", cli.service.url, "--token", made["token"])
    assert cli.out("token", "revoke", "anna") == "token anna is revoked\n"
    refused = cli.run("job", "list", "--url", cli.service.url, "--token", made["token"], code=2)
    assert "the token is not valid" in refused.stderr


def sign_in(cli: Cli, link: str) -> httpx.Response:
    """What the page does with a link, seen from the browser."""
    address, _, code = link.strip().partition("#")
    assert address == f"{cli.service.url}/ui/login"
    url = f"{cli.service.url}/api/v1/session"
    return httpx.post(url, json={"code": code}, headers={"Origin": cli.service.url})


def test_a_link_signs_the_holder_of_a_token_in(cli: Cli) -> None:
    cli.run("token", "create", "lena", "--role", "labeller")
    made = cli.run("token", "link", "lena")
    answer = sign_in(cli, made.stdout)
    assert {"user": "lena", "role": "labeller"}.items() <= answer.json().items()
    assert sign_in(cli, made.stdout).status_code == 401, "once"
    told = json.loads(cli.out("token", "link", "lena", "-o", "json"))
    assert told["link"] == f"{cli.service.url}{told['path']}"
    cli.run("token", "revoke", "lena")
    assert "revoked" in cli.run("token", "link", "lena", code=2).stderr
    assert "no such token" in cli.run("token", "link", "nobody", code=4).stderr


def test_the_start_prints_a_link_or_how_to_get_the_page(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cli.folder / "page"
    folder.mkdir()
    monkeypatch.setitem(cli.service.api.__dict__, "page_dir", folder)
    assert page_line(cli.service, private=True).startswith("none: it was not built; 'make page'")
    (folder / "index.html").write_text("<title>page</title>")
    assert "#" not in page_line(cli.service, private=False), "what nobody watches stands in a log"
    line = page_line(cli.service, private=True)
    assert line.endswith("(opens it signed in: once, within five minutes)")
    assert sign_in(cli, line.split()[0]).json()["role"] == "admin"
    given = cli.service.settings.model_copy(update={"admin_token": SecretStr("given by somebody else")})
    monkeypatch.setattr(cli.service, "settings", given)
    assert "#" not in page_line(cli.service, private=True), "others read the log of such a service"


def test_events(cli: Cli) -> None:
    lines = cli.out("events", "--job", "pcb").splitlines()
    assert any("default/pcb" in line for line in lines)
    entries = [json.loads(line) for line in cli.out("events", "-o", "json").splitlines()]
    assert [entry["id"] for entry in entries] == sorted(entry["id"] for entry in entries)
    after = entries[3]["id"]
    assert json.loads(cli.out("events", "-o", "json", "--after", str(after)).splitlines()[0])["id"] > after
    assert yaml.safe_load(cli.out("events", "-o", "yaml"))[0]["id"] == entries[0]["id"]


def test_an_unknown_job_is_exit_code_4_with_a_suggestion(cli: Cli) -> None:
    result = cli.run("job", "get", "pbc", code=4)
    assert result.stderr == (
        "error: default/pbc: there is no such job\nhint: did you mean default/pcb? jobs: default/pcb\n"
    )


def test_a_wrong_description_is_refused_by_the_service_line_by_line(cli: Cli) -> None:
    result = cli.run("trigger", "pcb", "train", "--reason", " ", code=2)
    assert "body.reason" in result.stderr


def test_the_log_of_a_round(cli: Cli) -> None:
    text = cli.out("round", "logs", "pcb", "1", "--stage", "train")
    assert "samples and 1 models are here" in text
    assert cli.out("round", "logs", "pcb", "1", "--stage", "train", "--follow") == text
    assert text.endswith(cli.out("round", "logs", "pcb", "1", "--stage", "train", "--tail", "20"))
    assert cli.out("round", "logs", "pcb", "1") == cli.out("round", "logs", "pcb", "1", "--stage", "eval")
    assert "eval-worker-" in cli.out("round", "logs", "pcb", "1")
    assert "the job has no such round" in cli.run("round", "logs", "pcb", "7", code=4).output


def test_a_round_that_is_over_is_watched_to_its_end(cli: Cli) -> None:
    assert cli.out("round", "watch", "pcb", "1").startswith("round 1: Deployed: ")


def test_a_job_is_paused_and_resumed(cli: Cli) -> None:
    assert "--reason" in plain(cli.run("job", "pause", "pcb", code=2).stderr)
    result = cli.run("job", "pause", "pcb", "--reason", "new cameras")
    assert "new cameras" in result.stdout
    assert "Phase:                      Paused" in cli.out("job", "get", "pcb")
    refused = cli.run("trigger", "pcb", "train", "--reason", "now", code=2)
    assert "error: default/pcb: the job is paused by admin" in refused.stderr
    assert "hint: 'sedna job resume' lets rounds begin again" in refused.stderr
    again = cli.run("job", "pause", "pcb", "--reason", "another", code=2)
    assert "the job is paused by admin" in again.stderr
    assert "new cameras" in again.stderr
    cli.run("job", "resume", "pcb")
    assert "Paused" not in cli.out("job", "get", "pcb")


def test_status_shows_trouble_first_and_everything_at_a_glance(cli: Cli) -> None:
    cli.run("edge", "register", "line-9")
    try:
        text = plain(cli.out("status"))
        found = json.loads(cli.out("status", "-o", "json"))
    finally:
        cli.run("edge", "remove", "line-9", "--yes")
    lines = text.splitlines()
    troubles = [line for line in lines if line.startswith("TROUBLE  ")]
    others = lines[len(troubles) :]
    assert lines == [*troubles, *others], "first"
    assert "TROUBLE  edge line-9: has never been heard of" in troubles
    assert others[0] == f"service  {cli.service.url}, version {sedna.__version__}, ready"
    assert others[1] == "parts  database ok, disk ok, engine ok, store ok"
    assert re.search(r"^disk  .*/data: [\d.]+ GiB free$", text, re.MULTILINE)
    assert "default/pcb  Waiting  -  2  " in text
    assert "line-9  never heard  -  -" in text
    assert len(found["trouble"]) == len(troubles)
    assert [job["name"] for job in found["jobs"]] == ["pcb"]


def test_a_deleted_job_is_purged_and_its_name_is_free(cli: Cli) -> None:
    file = cli.folder / "second.yaml"
    file.write_text(cli.boards.job().replace("name: pcb", "name: second"))
    cli.run("job", "apply", "-f", str(file))
    eventually(lambda: '"champion": 1' in cli.out("job", "get", "second", "-o", "json"))
    assert "the job is in service" in cli.run("job", "purge", "second", "--yes", code=2).stderr
    cli.run("job", "delete", "second", "--yes")
    assert cli.run("job", "purge", "second", input="n\n", code=1)
    result = cli.run("job", "purge", "second", "--yes")
    assert re.fullmatch(r"job second is gone, with [1-9]\d* objects\n", result.stdout)
    assert "nor was there one" in cli.run("job", "purge", "second", "--yes", code=4).stderr
    assert "second  created" in plain(cli.out("job", "apply", "-f", str(file)))
    cli.run("job", "delete", "second", "--yes")


def test_apply_waits_until_a_new_job_has_its_model(cli: Cli) -> None:
    file = cli.folder / "third.yaml"
    file.write_text(cli.boards.job().replace("name: pcb", "name: third"))
    result = cli.run("job", "apply", "-f", str(file), "--wait")
    assert "job default/third: model 1 is in service; no edge is there" in result.stderr
    cli.run("job", "delete", "third", "--yes")
    file.write_text(cli.boards.job().replace("name: pcb", "name: fourth"))
    result = cli.run("job", "apply", "-f", str(file))
    assert "edges serve a new job in a moment; --wait waits for that" in result.stderr
    eventually(lambda: '"champion": 1' in cli.out("job", "get", "fourth", "-o", "json"))
    # An edge that is there and has not spoken of the job yet is waited for.
    cli.run("edge", "register", "line-7")
    with cli.service.api.db.write() as session:
        edges.seen(session, "line-7", "1.0", cli.service.api.clock.now())
    result = cli.run("job", "apply", "-f", str(file), "--wait", "--timeout", "0", code=75)
    assert "job default/fourth: not served after 0 s: line-7 of 1 edge(s) do not serve model 1 yet" in result.stderr
    # What every edge has refused is not waited for.
    api = cli.service.api
    gave_up = EdgeJobStatus(job=JobKey(name="fourth"), state="failed", failed_version=1, reason="no module named conv4")
    beat = EdgeHeartbeat(edge="line-7", software="1.0", at=api.clock.now(), jobs=(gave_up,))
    # In an hour's time: on a slow machine it would be silent again before the command asks.
    for _ in range(2):  # the second one speaks of what the first was told
        heartbeat(api.db, beat, api.clock.now() + timedelta(hours=1), api.engine_settings)
    result = cli.run("job", "apply", "-f", str(file), "--wait", "--timeout", "20", code=3)
    assert "model 1 is in service, and refused by line-7: no module named conv4" in result.stderr
    assert "'sedna model promote default/fourth 1', tries again" in result.stderr
    cli.run("edge", "remove", "line-7", "--yes")
    cli.run("job", "delete", "fourth", "--yes")


def test_the_picture_of_a_sample_is_written_once(cli: Cli) -> None:
    name = json.loads(cli.out("sample", "list", "pcb", "-o", "json"))[0]["record"]["sample_id"]
    file = cli.folder / "got.png"
    cli.run("sample", "get", "pcb", name[:12], "-o", str(file))
    assert hashlib.sha256(file.read_bytes()).hexdigest() == name
    assert "is there already" in cli.run("sample", "get", "pcb", name, "-o", str(file), code=2).stderr
    result = cli.run("sample", "get", "pcb", name, "-o", "-")
    assert result.stdout_bytes == file.read_bytes()


def test_labels_are_exported_and_imported_again(cli: Cli) -> None:
    file = cli.folder / "labels.zip"
    result = cli.run("labels", "export", "pcb", str(file), "--format", "yolo", "--pictures")
    counts = re.search(r"labelled=(\d+), negative=(\d+), unlabelled=0", result.stderr)
    assert counts is not None, result.stderr
    with zipfile.ZipFile(file) as archive:
        pictures = [name for name in archive.namelist() if name.startswith("images/")]
    assert len(pictures) == sum(map(int, counts.groups()))
    assert "this exists" in cli.run("labels", "export", "pcb", str(file), "--format", "coco", code=2).stderr
    assert "0  8" in plain(cli.run("sample", "import", "pcb", str(file), "--format", "yolo").stdout)
    table = cli.folder / "labels.csv"
    cli.run(
        "labels", "export", "pcb", str(table), "--format", "csv", "--where", "part=train", "--where", "state=labelled"
    )
    assert 1 < len(table.read_text().splitlines()) < 9
    for where, said in (
        ("part", "is no condition"),
        ("part=all", "'all' is no part"),
        ("colour=red", "is no condition"),
    ):
        other = str(cli.folder / "other.csv")
        refused = cli.run("labels", "export", "pcb", other, "--format", "csv", "--where", where, code=2)
        assert said in refused.stderr
    assert not list(cli.folder.glob(".*sedna-tmp")), "nothing half-written is left"
