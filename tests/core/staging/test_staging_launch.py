"""Orders that several processes work on, started by torchrun: real processes, and one report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fixtures_orders import Orders
from sedna.common.errors import SpecError
from sedna.core.staging import WorkerAccess, run
from sedna.core.staging.command import command_of
from sedna.core.staging.launch import group_environment, prepare_group
from sedna.core.staging.member import follower_environment
from sedna.core.staging.stage_out import load_end, load_failure, load_result
from sedna.loop.spec import Distributed

TWO = Distributed(workers=2, processes_per_worker=1)


def access(orders, order):
    folder = orders.folder / "machine"
    return WorkerAccess(
        order=order.key, store_url=orders.store.url, work_dir=folder / "work", cache_dir=folder / "cache"
    )


def template(**container):
    return {"spec": {"containers": [container]}}


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("distributed", [None, Distributed(), Distributed(workers=1, processes_per_worker=1)])
def test_one_process_is_started_as_ever(tmp_path, distributed):
    made = command_of(Orders(tmp_path).make(distributed=distributed), "/py", Path("/w"))
    assert made.argv == ("/py", "-m", "sedna.core.incremental_learning.worker", "train")
    assert "SEDNA_GROUP_DIR" not in made.env


@pytest.mark.parametrize(
    ("container", "program"),
    [
        (None, ("/py", "-m", "sedna.core.incremental_learning.worker", "train")),
        ({"args": ["-u", "train.py", "--x"]}, ("/py", "-u", "train.py", "--x")),
        ({"command": ["python3"], "args": ["train.py"]}, ("/py", "train.py")),
    ],
    ids=["built in", "args", "python"],
)
def test_torchrun_starts_the_same_program_several_times(tmp_path, container, program):
    changes = {} if container is None else {"template": template(**container)}
    order = Orders(tmp_path).make(distributed=Distributed(workers=2, processes_per_worker=3), **changes)
    made = command_of(order, "/py", Path("/w"))
    assert made.argv[:4] == ("/py", "-P", "-m", "sedna.core.staging.torchrun")
    assert "--nproc-per-node=6" in made.argv, "on one machine all processes are there"
    assert made.argv[-len(program) :] == program
    assert made.env["SEDNA_GROUP_DIR"] == "/w/group"


def test_an_evaluation_is_one_process(tmp_path):
    assert "torchrun" not in " ".join(command_of(Orders(tmp_path).make("eval"), "/py", Path("/w")).argv)


def test_a_program_that_is_no_python_is_refused(tmp_path):
    order = Orders(tmp_path).make(distributed=TWO, template=template(command=["/bin/sh", "-c"], args=["true"]))
    with pytest.raises(SpecError, match=r"/bin/sh is no Python program.*leave out trainSpec.distributed"):
        command_of(order, "/py", Path("/w"))


def test_an_interpreter_without_torch_is_named(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with pytest.raises(SpecError, match="several processes need PyTorch, which is not installed"):
        prepare_group(tmp_path / "group", sys.executable, env)


def test_threads_are_divided_and_what_a_program_sets_itself_stays(tmp_path):
    order = Orders(tmp_path).make(distributed=TWO)
    given = {"OMP_NUM_THREADS": "6", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "many"}
    made = group_environment(order, given, {"GLOO_SOCKET_IFNAME": "eth7"})
    assert (made["OMP_NUM_THREADS"], made["MKL_NUM_THREADS"]) == ("3", "1")
    assert int(made["OPENBLAS_NUM_THREADS"]) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert "GLOO_SOCKET_IFNAME" not in made


def test_what_other_ranks_write_and_report_goes_nowhere(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step.txt").write_text("7")
    given = {
        "REPORT_PATH": "/w/report.json", "PROGRESS_PATH": "/w/progress.jsonl", "MODEL_URL": "/w/output",
        "CHECKPOINT_DIR": str(tmp_path / "checkpoints"), "LC_SERVER": "http://127.0.0.1:9100/", "OTHER": "stays",
    }  # fmt: skip
    own = tmp_path / "rank-2"
    made = follower_environment(given, own, 2)
    assert made == {
        "REPORT_PATH": f"{own}/report.json", "PROGRESS_PATH": f"{own}/progress.jsonl", "MODEL_URL": f"{own}/output",
        "CHECKPOINT_DIR": f"{own}/checkpoints", "LC_SERVER": "http://127.0.0.1:9100/rank/2", "OTHER": "stays",
    }  # fmt: skip
    assert (own / "checkpoints" / "step.txt").read_text() == "7", "whoever resumes on all ranks can"
    assert follower_environment({}, own, 1) == {}


# --- real groups ----------------------------------------------------------------------------------------------------

NAIVE = """
import json, os, pathlib, urllib.request
out = pathlib.Path(os.environ['MODEL_URL'], 'model.txt'); out.write_text('of rank ' + os.environ['RANK'])
with open(os.environ['PROGRESS_PATH'], 'a') as file: file.write('{"iteration": 1}' + chr(10))
names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
body = {'name': os.environ['WORKER_NAME'], 'kind': 'train', 'status': 'completed',
        'results': [{'format': 'txt', 'url': str(out), 'metrics': {name: os.environ[name] for name in names}}]}
url = os.environ['LC_SERVER'] + '/sedna/workers/' + body['name'] + '/info'
request = urllib.request.Request(url, json.dumps(body).encode(), {'Content-Type': 'application/json'})
assert json.load(urllib.request.urlopen(request))['Message'] == 'OK'
pathlib.Path(os.environ['REPORT_PATH']).write_text(json.dumps(body))
"""
"""A program that was written for one process, and knows nothing of the SDK either."""


def test_a_program_written_for_one_process_reports_once(orders):
    order = orders.make(code=NAIVE, distributed=TWO)
    assert run(access(orders, order)) == 0
    made = load_result(orders.store, order.prefix)
    assert [orders.store.get(file.key) for file in made.output] == [b"of rank 0"]
    told = made.report["results"][0]["metrics"]
    assert (told["RANK"], told["WORLD_SIZE"], told["LOCAL_RANK"]) == ("0", "2", "0")
    assert (told["MASTER_ADDR"], told["MASTER_PORT"].isdecimal()) == ("127.0.0.1", True)
    progress = orders.folder / "machine" / "work" / "progress.jsonl"
    assert progress.read_text().count("iteration") == 1


def test_an_error_that_no_restart_can_help_is_reported_once_with_its_exit_code(orders, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(
        "import os, pathlib\n"
        "from sedna.common.class_factory import ClassFactory, ClassType\n"
        "from sedna.common.errors import DataError\n"
        "@ClassFactory.register(ClassType.GENERAL, alias='Broken')\n"
        "class Broken:\n"
        "    def train(self, train_data, **kwargs):\n"
        f"        with open({str(tmp_path / 'starts')!r}, 'a') as file: file.write(os.environ['RANK'])\n"
        "        raise DataError('is upside down', where='p3.png')\n"
        "    def load(self, model_url): pass\n"
    )
    order = orders.make(distributed=TWO, **orders.algorithm(path, "Broken"))
    assert run(access(orders, order)) == 2
    told = load_failure(orders.store, order.prefix)["ownerInfo"]["error"]
    assert (told["kind"], told["message"]) == ("user", "p3.png: is upside down")
    assert load_end(orders.store, order.prefix).exit_code == 2
    assert set((tmp_path / "starts").read_text()) <= {"0", "1"}
    assert len((tmp_path / "starts").read_text()) <= 2, "no process was started again"


FPN = {
    "onnx": False, "input_channels": 1, "fpn_channels": 8, "head_convs": 1, "input_size": 64, "crop_size": 64,
    "batch_size": 2, "max_iteration": 40, "checkpoint_interval": 5, "warmup_iterations": 2, "bf16": "off",
    "optimizer": "sgd", "device": "cpu",
}  # fmt: skip


def start(access_):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **access_.to_env()}
    return subprocess.Popen(
        [sys.executable, "-m", "sedna.core.staging"],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def of_rank(process, rank):
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if child.environ().get("RANK") == rank:
                return child
        except psutil.Error:  # it is about to begin, or has ended
            continue
    return None


def wait_for(progress, process, steps):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        lines = progress.read_text().splitlines() if progress.exists() else []
        if lines and json.loads(lines[-1])["iteration"] >= steps:
            return
        time.sleep(0.02)
    raise AssertionError(process.communicate()[0].decode())


@pytest.mark.timeout(600)  # torch is started four times
def test_a_process_that_is_killed_is_started_again_and_training_goes_on_from_the_checkpoint(orders):
    fields = {"algorithm": {"name": "FPN", "parameters": FPN}, "distributed": TWO}
    order = orders.make(**fields, models=(initial(orders),))
    work = orders.folder / "machine" / "work"
    process = start(access(orders, order))
    wait_for(work / "progress.jsonl", process, 10)
    os.kill(of_rank(process, "1").pid, signal.SIGKILL)
    output = process.communicate(timeout=240)[0].decode()
    assert process.returncode == 0, output
    lines = [json.loads(line) for line in (work / "progress.jsonl").read_text().splitlines()]
    notes = [line["note"] for line in lines if line["note"]]
    assert [note.split(" at")[0] for note in notes] == ["resumed", "finished"], output
    assert int(notes[0].split()[-1]) >= 5, "not from the beginning"
    made = load_result(orders.store, order.prefix)
    assert made.report["results"][0]["metrics"]["iterations"] == 40
    assert load_end(orders.store, order.prefix).exit_code == 0
    assert made.entry.endswith(".safetensors")


@pytest.mark.timeout(600)
def test_sigterm_ends_a_group_at_a_checkpoint(orders):
    fields = {"algorithm": {"name": "FPN", "parameters": {**FPN, "max_iteration": 100_000}}, "distributed": TWO}
    order = orders.make(**fields, models=(initial(orders),))
    work = orders.folder / "machine" / "work"
    process = start(access(orders, order))
    wait_for(work / "progress.jsonl", process, 10)
    members = [of_rank(process, rank) for rank in ("0", "1")]
    process.terminate()
    output = process.communicate(timeout=240)[0].decode()
    assert load_end(orders.store, order.prefix).exit_code in (143, -signal.SIGTERM), output
    assert "stopped at a checkpoint" in output
    assert not any(member.is_running() for member in members)
    assert any("checkpoints" in info.key for info in orders.store.list()), "it came home"


def initial(orders):
    from sedna.algorithms.detection.fpn import BaseModel
    from sedna.core.staging.order import OrderedModel

    fields = {key: FPN[key] for key in ("onnx", "input_channels", "fpn_channels", "head_convs", "input_size")}
    model = BaseModel(**fields, class_names=("good", "bad"), device="cpu")
    path = Path(model.save(orders.folder / "initial.safetensors"))
    return OrderedModel(role="base", entry="m.safetensors", files=(orders.file("m.safetensors", path.read_bytes()),))
