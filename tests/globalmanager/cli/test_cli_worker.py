"""``sedna worker``: an order by hand, and around a program that is not ours."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures_orders import ALGORITHM, Orders
from sedna.core.staging import load_result
from sedna.core.staging.run import alone
from sedna.core.staging.stage_out import load_end
from sedna.service.client import LCClient

if TYPE_CHECKING:
    from conftest import Cli


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    return Orders(tmp_path)


def where(orders: Orders) -> tuple[str, ...]:
    return ("--store", str(orders.store.root), "--work-dir", str(orders.folder / "work"))


def test_an_order_runs_by_hand(nowhere: Cli, orders: Orders) -> None:
    path = orders.folder / "counter.py"
    path.write_text(ALGORITHM)
    order = orders.make(**orders.algorithm(path, "Counter"))
    nowhere.run("worker", "run", order.key, *where(orders))
    made = load_result(orders.store, order.prefix)
    assert made is not None
    assert made.entry == "model_finetune_.json"


def test_the_exit_code_is_that_of_the_program(nowhere: Cli, orders: Orders) -> None:
    order = orders.make(code="raise SystemExit(9)")
    nowhere.run("worker", "run", order.key, *where(orders), code=9)


def test_an_order_that_is_not_there_is_told(nowhere: Cli, orders: Orders) -> None:
    key = "default/pcb/rounds/7/train-1/order.json"
    result = nowhere.run("worker", "run", key, *where(orders), code=2)
    assert f"{key}: there is no such object" in result.output


def test_without_a_way_to_the_inputs_nothing_begins(nowhere: Cli, orders: Orders) -> None:
    result = nowhere.run("worker", "run", "x", "--work-dir", str(orders.folder / "w"), code=2)
    assert "no way to the inputs" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-", "--store", "STORE"), "no order is named"),
        (("-", "--service", "notaurl", "--token-file", "TOKEN"), "'notaurl' is no address"),
        (("KEY", "--store", "/no/such/store"), "no such store"),
        (("KEY", "--store", "STORE", "--work-dir", "TOKEN"), "this is no folder"),
    ],
    ids=["no order", "no address", "no store", "a file"],
)
def test_arguments_that_cannot_be_are_told(
    nowhere: Cli, orders: Orders, arguments: tuple[str, ...], words: str
) -> None:
    token = orders.folder / "token"
    token.write_text("secret")
    names = {"STORE": str(orders.store.root), "TOKEN": str(token), "KEY": orders.make(code="").key}
    given = [names.get(argument, argument) for argument in arguments]
    if "--work-dir" not in given:
        given += ["--work-dir", str(orders.folder / "work")]
    result = nowhere.run("worker", "run", *given, code=2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert words in result.output
    assert not Path("/no/such/store").exists()


def test_an_env_file_in_no_folder_is_told_before_anything_is_staged(nowhere: Cli, orders: Orders) -> None:
    order = orders.make(code="")
    nowhere.run("worker", "stage-in", order.key, *where(orders), "--env-file", "/no/such/folder/env", code=4)
    assert not (orders.folder / "work").exists()


def test_nothing_is_staged_under_a_program_that_runs(nowhere: Cli, orders: Orders) -> None:
    order = orders.make(code="")
    with alone(orders.folder / "work"):
        result = nowhere.run("worker", "stage-in", order.key, *where(orders), code=2)
    assert "another worker is at work in this folder" in result.output


def test_a_program_that_is_not_ours_is_staged_around(nowhere: Cli, orders: Orders) -> None:
    """Inputs before it with its variables in a file, results after it: what a container of somebody else gets."""
    order = orders.make(code="never run")
    env_file = orders.folder / "env"
    nowhere.run("worker", "stage-in", order.key, *where(orders), "--env-file", str(env_file))
    env = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
    assert Path(env["TRAIN_DATASET_URL"]).is_file()
    model = Path(env["MODEL_URL"]) / "theirs.bin"
    model.write_bytes(Path(env["BASE_MODEL_URL"]).read_bytes() + b", better")
    body = {"name": order.worker, "kind": "train", "status": "completed", "results": [{"url": str(model)}]}
    Path(env["REPORT_PATH"]).write_text(json.dumps(body))
    nowhere.run("worker", "stage-out", order.key, *where(orders))
    made = load_result(orders.store, order.prefix)
    assert made is not None
    assert (made.entry, orders.store.get(made.output[0].key)) == ("theirs.bin", b"weights of the base, better")
    end = load_end(orders.store, order.prefix)
    assert end is not None
    assert end.exit_code == 0


def test_staging_out_what_never_reported_is_an_error(nowhere: Cli, orders: Orders) -> None:
    order = orders.make(code="never run")
    nowhere.run("worker", "stage-in", order.key, *where(orders))
    result = nowhere.run("worker", "stage-out", order.key, *where(orders), code=2)
    assert "left no report" in result.output
    nowhere.run("worker", "stage-out", order.key, *where(orders), "--exit-code", "3")


def test_beside_a_program_the_report_is_answered_when_everything_is_stored(orders: Orders) -> None:
    order = orders.make(code="never run")
    command = [sys.executable, "-m", "globalmanager.cli", "worker"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*command, "stage-in", order.key, *where(orders)], env=env, check=True, stdout=subprocess.DEVNULL)
    port = free_port()
    beside = subprocess.Popen(
        [*command, "stage-out", order.key, *where(orders), "--listen", str(port)], env=env, stdout=subprocess.PIPE
    )
    try:
        assert beside.stdout is not None
        server = beside.stdout.readline().decode().strip().removeprefix("LC_SERVER=")
        assert server == f"http://127.0.0.1:{port}"
        (orders.folder / "work" / "output" / "m.bin").write_bytes(b"m")
        answer = LCClient.send(server, order.worker, {"name": order.worker, "kind": "train", "status": "completed"})
        assert answer["Status"] == 200
        assert load_result(orders.store, order.prefix) is not None
        assert load_end(orders.store, order.prefix) is None, "the program has not ended yet"
        beside.send_signal(signal.SIGTERM)
        assert beside.wait(30) == 0
        assert load_end(orders.store, order.prefix) is not None
    finally:
        beside.kill()
        beside.communicate()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
