"""A training on several machines: here two, at two addresses of loopback."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from fixtures_orders import Orders
from sedna.common.clock import SettableClock
from sedna.common.errors import LinkUnavailableError
from sedna.core.staging import WorkerAccess
from sedna.core.staging.command import command_of
from sedna.core.staging.helper import Helper
from sedna.core.staging.launch import group_environment
from sedna.core.staging.nodes import Nodes, wait_for_name
from sedna.core.staging.stage_out import load_end, load_result
from sedna.loop.spec import Distributed

SECOND = Nodes("w-0.tr.ns.svc", "attempt-7", "w-1.tr.ns.svc", 1)

PROGRAM = """
import json, os, pathlib
out = pathlib.Path(os.environ['MODEL_URL'], 'model.txt'); out.write_text('of rank ' + os.environ['RANK'])
told = {name: os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'GROUP_RANK', 'MASTER_ADDR')}
body = {'name': os.environ['WORKER_NAME'], 'kind': 'train', 'status': 'completed',
        'results': [{'format': 'txt', 'url': str(out), 'metrics': told}]}
pathlib.Path(os.environ['REPORT_PATH']).write_text(json.dumps(body))
print('ranks', os.environ['RANK'], os.environ['GROUP_RANK'], flush=True)
"""


def test_torchrun_is_told_where_the_others_are(tmp_path):
    order = Orders(tmp_path).make(distributed=Distributed(workers=2, processes_per_worker=3))
    argv = command_of(order, "/py", tmp_path, SECOND).argv
    for argument in (
        "--nnodes=2", "--nproc-per-node=3", "--rdzv-backend=c10d", "--rdzv-endpoint=w-0.tr.ns.svc:29400",
        "--rdzv-id=attempt-7", "--rdzv-conf=is_host=0", "--local-addr=w-1.tr.ns.svc",
    ):  # fmt: skip
        assert argument in argv
    assert "--standalone" not in argv
    assert "--rdzv-conf=is_host=1" in Nodes("a", "r", "a", 0).torchrun(2)


def test_threads_are_those_of_one_machine(tmp_path):
    order = Orders(tmp_path).make(distributed=Distributed(workers=4, processes_per_worker=2))
    made = group_environment(order, {"OMP_NUM_THREADS": "8"}, {}, SECOND)
    assert made["OMP_NUM_THREADS"] == "4"
    assert "GLOO_SOCKET_IFNAME" not in made, "loopback reaches nobody"


def test_access_says_which_machine_this_is(tmp_path):
    given = {"SEDNA_STORE_URL": str(tmp_path), "SEDNA_WORK_DIR": "/w", "SEDNA_CACHE_DIR": "/c"}
    assert WorkerAccess.from_env(given).nodes is None
    more = {"SEDNA_RENDEZVOUS": SECOND.first, "SEDNA_RENDEZVOUS_ID": SECOND.run, "SEDNA_NODE_ADDRESS": SECOND.own}
    assert WorkerAccess.from_env(given | more | {"SEDNA_NODE_RANK": "1"}).nodes == SECOND


def test_a_name_is_waited_for(monkeypatch):
    clock = SettableClock(datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(clock, "sleep", clock.advance)
    asked = []

    def lookup(name, port, **_):
        asked.append(name)
        if len(asked) < 4:
            raise socket.gaierror("not known")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    wait_for_name("w-0.tr", clock)
    assert asked == ["w-0.tr"] * 4
    asked.clear()
    with pytest.raises(LinkUnavailableError, match=r"w-0\.tr: the first Pod of this training has no address for 1 s"):
        wait_for_name("w-0.tr", clock, seconds=1)


def test_of_another_machine_nothing_is_kept(orders, folder):
    order = orders.make(code="")
    before = {info.key for info in orders.store.list()}
    helper = Helper(order, orders.store, folder, None, counts=False)
    folder.output.mkdir(parents=True)
    folder.checkpoints.mkdir()
    for path in (folder.output / "m.bin", folder.checkpoints / "c.bin"):
        path.write_bytes(b"x")
    try:
        helper.receive({"name": order.worker, "kind": "train", "status": "completed", "results": []})
        helper.receive({"name": order.worker, "kind": "train", "status": "failed"})
        helper.leave()
        assert helper.finish(1) is False
    finally:
        helper.close()
    assert {info.key for info in orders.store.list()} == before


def test_two_machines_make_one_result(orders):
    order = orders.make(code=PROGRAM, distributed=Distributed(workers=2, processes_per_worker=1))
    started = []
    for rank in (1, 0):
        folder = orders.folder / f"machine-{rank}"
        access = WorkerAccess(
            order=order.key, store_url=orders.store.url, work_dir=folder / "work", cache_dir=folder / "cache",
            rendezvous="127.0.0.1", rendezvous_id="one", node_address=f"127.0.0.{rank + 1}", node_rank=rank,
        )  # fmt: skip
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **access.to_env()}
        command = [sys.executable, "-m", "sedna.core.staging"]
        started.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    second, first = [process.communicate(timeout=250)[0].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0], second + first
    assert ("ranks 1 1" in second, "ranks 0 0" in first) == (True, True)
    made = load_result(orders.store, order.prefix)
    assert [orders.store.get(file.key) for file in made.output] == [b"of rank 0"]
    told = made.report["results"][0]["metrics"]
    assert (told["WORLD_SIZE"], told["LOCAL_RANK"], told["MASTER_ADDR"]) == ("2", "0", "127.0.0.1")
    assert load_end(orders.store, order.prefix).exit_code == 0
