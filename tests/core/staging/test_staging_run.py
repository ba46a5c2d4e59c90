"""A whole order: killed anywhere and started again, it ends with the same result."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from fixtures_orders import ALGORITHM
from sedna.common.errors import SpecError
from sedna.core.staging import Attempt, WorkerAccess, run
from sedna.core.staging.order import load_order
from sedna.core.staging.stage_out import load_end, load_failure, load_result
from sedna.store import FolderStore


@pytest.fixture
def algorithm(orders, tmp_path):
    path = tmp_path / "counter.py"
    path.write_text(ALGORITHM)
    return lambda **parameters: orders.algorithm(path, "Counter", **parameters)


def access(orders, order, name="machine"):
    folder = orders.folder / name
    return WorkerAccess(
        order=order.key, store_url=orders.store.url, work_dir=folder / "work", cache_dir=folder / "cache"
    )


def contents(orders, order):
    made = load_result(orders.store, order.prefix)
    return None if made is None else ({f.name: orders.store.get(f.key) for f in made.output}, made.report["results"])


def test_a_training_without_a_program_ends_with_its_model_in_the_store(orders, algorithm):
    order = orders.make(**algorithm())
    assert run(access(orders, order)) == 0
    files, results = contents(orders, order)
    assert b'"before": "weights of the base"' in files["model_finetune_.json"]
    assert len(files["extra.bin"]) == 300_000
    assert results[0]["metrics"] == {"loss": 0.5}
    assert load_end(orders.store, order.prefix).exit_code == 0


def test_an_evaluation_measures_both_models(orders, algorithm):
    order = orders.make("eval", **algorithm())
    assert run(access(orders, order)) == 0
    _, results = contents(orders, order)
    assert [len(result["metrics"]["per_sample"]) for result in results] == [2, 2]
    values = [result["metrics"]["per_sample"][0]["value"] for result in results]
    assert values == [len("weights of the candidate"), len("weights of the champion")]


def test_what_was_done_is_not_done_again(orders, algorithm):
    order = orders.make(**algorithm())
    assert run(access(orders, order)) == 0
    before = {info.key: info.modified for info in orders.store.list()}
    assert run(access(orders, order, "another")) == 0
    assert {info.key: info.modified for info in orders.store.list()} == before
    assert not (orders.folder / "another" / "cache").exists()


def test_the_error_of_a_program_is_its_exit_code_and_its_report(orders, algorithm):
    order = orders.make(**algorithm(colour="red"))
    assert run(access(orders, order)) == 2
    assert "colour" in load_failure(orders.store, order.prefix)["ownerInfo"]["error"]["message"]
    assert contents(orders, order) is None
    assert load_end(orders.store, order.prefix).exit_code == 2


def test_inputs_that_are_gone_are_reported_in_the_place_of_the_program(orders, algorithm):
    order = orders.make(**algorithm())
    orders.store.delete(order.model("base").files[0].key)
    assert run(access(orders, order)) == 2
    told = load_failure(orders.store, order.prefix)["ownerInfo"]["error"]
    assert (told["kind"], told["type"]) == ("user", "NotFoundError")
    assert load_end(orders.store, order.prefix) is None


def test_after_a_failure_the_same_order_runs_again(orders, algorithm):
    order = orders.make(**algorithm())
    key = order.model("base").files[0].key
    data = orders.store.get(key)
    orders.store.delete(key)
    assert run(access(orders, order)) == 2
    orders.store.put(key, data)
    assert run(access(orders, order)) == 0
    assert contents(orders, order) is not None


def test_a_program_that_reports_and_then_fails_has_failed(orders):
    code = (
        "import json, os, pathlib\n"
        "out = pathlib.Path(os.environ['MODEL_URL'], 'm.bin'); out.write_text('m')\n"
        "body = {'name': os.environ['WORKER_NAME'], 'kind': 'train', 'status': 'completed', 'results': []}\n"
        "pathlib.Path(os.environ['REPORT_PATH']).write_text(json.dumps(body))\n"
        "raise SystemExit(7)\n"
    )
    order = orders.make(code=code)
    assert run(access(orders, order)) == 7
    assert load_end(orders.store, order.prefix).exit_code == 7


def test_one_worker_a_folder(orders, algorithm):
    order = orders.make(code="import time; print('up', flush=True); time.sleep(60)")
    first = start(access(orders, order))
    try:
        assert b"up" in iter_until(first, b"up")
        assert run(access(orders, order)) == 2
    finally:
        first.kill()
        first.wait()
    # The program is left alone now and still holds the folder: a second one beside it would mix their results.
    assert run(access(orders, order)) == 2
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()


def test_no_order_is_told(orders):
    order = orders.make(code="")
    wrong = access(orders, order).model_copy(update={"order": "default/pcb/rounds/9/train-1/order.json"})
    assert run(wrong) == 2
    orders.store.put(order.key, b'{"half')
    with pytest.raises(SpecError, match="no work order"):
        Attempt(access(orders, order))


def test_an_order_of_a_newer_program_is_refused(orders):
    order = orders.make(code="")
    text = order.model_dump_json().replace('"order_format":1', '"order_format":2')
    with pytest.raises(SpecError, match="order_format"):
        load_order(text.encode(), order.key)


# --- signals and kills ---------------------------------------------------------------------------------------------


def start(access_, **env):
    path = os.pathsep.join([*sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "sedna.core.staging"],
        env={**os.environ, "PYTHONPATH": path, **access_.to_env(), **env},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def iter_until(process, word):
    seen = b""
    while word not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    return seen


def test_sigterm_is_passed_on_and_the_checkpoint_comes_home(orders, algorithm):
    order = orders.make(**algorithm(pause="0.5"))
    process = start(access(orders, order))
    checkpoint = orders.folder / "machine" / "work" / "checkpoints" / "step.txt"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 143, output
    assert load_end(orders.store, order.prefix).exit_code == 143
    again = orders.make(attempt=2, **algorithm())
    assert run(access(orders, again, "another")) == 0
    assert (orders.folder / "another" / "work" / "checkpoints" / "step.txt").read_text() == "4"


def test_a_signal_that_ends_the_program_is_seen_by_who_started_us(orders):
    order = orders.make(code="import os; os.kill(os.getpid(), 9)")
    process = start(access(orders, order))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert load_end(orders.store, order.prefix).exit_code == -signal.SIGKILL


def test_killed_at_any_time_and_started_again_it_gives_the_same_result(orders, algorithm):
    """Kill -9 of everything that belongs to the worker, a little later each time, until it comes to its end."""
    plain = orders.make(attempt=9, worker="train-worker", **algorithm(pause="0.1"))
    assert run(access(orders, plain, "plain")) == 0
    expected = contents(orders, plain)
    order = orders.make(attempt=1, worker="train-worker", **algorithm(pause="0.1"))
    kills = 0
    for delay in (0.1 * n for n in range(3, 200)):
        process = start(access(orders, order))
        try:
            process.communicate(timeout=delay)
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
        end = load_end(orders.store, order.prefix)
        assert end is None or end.exit_code == 0
    assert process.returncode == 0
    assert kills > 1, "too fast to be killed"
    files, results = contents(orders, order)
    assert (files, [entry["metrics"] for entry in results]) == (expected[0], [e["metrics"] for e in expected[1]])


class Crash(BaseException):
    """As SIGKILL: no handler catches it."""


def test_wherever_its_writes_break_off_nothing_half_written_is_a_result(orders, algorithm):
    """Every single write to the store in turn is the last one that a start comes to."""
    order = orders.make(**algorithm())
    assert run(access(orders, order)) == 0
    whole = load_result(orders.store, order.prefix)
    keys = sorted(info.key for info in orders.store.list(order.prefix))

    class Dying(FolderStore):
        left = 0

        def _count(self):
            if self.left == 0:
                raise Crash
            self.left -= 1

        def put(self, key, data):
            self._count()
            return super().put(key, data)

        def put_if_absent(self, key, data):
            self._count()
            return super().put_if_absent(key, data)

    for writes in range(5):
        for key in keys:
            if key != order.key:
                orders.store.delete(key)
        attempt = Attempt(access(orders, order))
        attempt.store = Dying(orders.store.root)
        attempt.store.left = writes
        helper = attempt.helper()
        with pytest.raises(Crash) if writes < 4 else contextlib.nullcontext():
            helper.receive(whole.report)
            helper.finish(0)
        found = load_result(orders.store, order.prefix)
        assert found in (None, whole)
        if found is not None:
            assert {file.name for file in found.output} == {"model_finetune_.json", "extra.bin"}
            assert all(orders.store.stat(file.key) for file in found.output)
        helper.close()
        assert run(access(orders, order)) == 0
        assert load_result(orders.store, order.prefix) == whole
        assert sorted(info.key for info in orders.store.list(order.prefix)) == keys


# --- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SEDNA_WORK_DIR": "/w", "SEDNA_CACHE_DIR": "/c"}, "no way to the inputs"),
        ({"SEDNA_CACHE_DIR": "/c"}, "SEDNA_WORK_DIR"),
        ({"SEDNA_WORK_DIR": "/w", "SEDNA_CACHE_DIR": "/c", "SEDNA_STORE_URL": "s3://bucket"}, "holds no keys"),
        ({"SEDNA_WORK_DIR": "/w", "SEDNA_CACHE_DIR": "/c", "SEDNA_CACHE_BYTES": "big"}, "SEDNA_CACHE_BYTES"),
        ({"SEDNA_WORK_DIR": "/w", "SEDNA_CACHE_DIR": "/c", "SEDNA_SERVICE_URL": "http://x"}, "no way to the inputs"),
    ],
)
def test_a_setting_that_is_wrong_or_missing_is_named(environment, words):
    with pytest.raises(SpecError, match=words):
        WorkerAccess.from_env(environment)


def test_settings_travel_by_environment_and_the_program_gets_none_of_them(tmp_path):
    given = WorkerAccess(
        store_url="file:///store", service_url="http://x", worker_token="secret", work_dir=tmp_path, cache_dir=tmp_path
    )
    env = given.to_env()
    assert WorkerAccess.from_env(env) == given
    assert WorkerAccess.without({**env, "PATH": "/bin"}) == {"PATH": "/bin"}
    assert "secret" not in repr(given)


# --- programs that leave odd things ----------------------------------------------------------------------------------


REPORT = "body = {'name': os.environ['WORKER_NAME'], 'kind': 'train', 'status': 'completed', 'results': []}\n"
WRITE = "pathlib.Path(os.environ['REPORT_PATH']).write_text(json.dumps(body))\n"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("out = pathlib.Path(os.environ['MODEL_URL']); out.rmdir(); out.symlink_to('/etc')\n" + REPORT + WRITE, "link"),
        ("pathlib.Path(os.environ['REPORT_PATH']).mkdir()", "no file"),
        ("os.mkfifo(os.environ['REPORT_PATH'])", "no file"),
        ("pathlib.Path(os.environ['REPORT_PATH']).write_text('[' * 100000)", "nested too deeply"),
        (REPORT + "body['name'] = 'another'\n" + WRITE, "of worker 'another'"),
        (REPORT + "body['kind'] = 'eval'\n" + WRITE, "of kind 'eval'"),
        (REPORT + "body['note'] = '\\ud800'; body['results'] = [{'x': '\\ud800'}]\n" + WRITE, "cannot be"),
        (
            REPORT + WRITE + "open(os.path.join(os.environ['MODEL_URL'].encode(), b'\\xff.bin'), 'w').close()",
            "is no name",
        ),
    ],
    ids=["output link", "report folder", "report pipe", "deep", "another", "other kind", "surrogate", "odd name"],
)
def test_what_no_result_can_be_made_of_is_a_failure_with_its_reason(orders, code, words):
    order = orders.make(code=f"import json, os, pathlib\n{code}")
    assert run(access(orders, order)) == 2
    assert words in load_failure(orders.store, order.prefix)["ownerInfo"]["error"]["message"]
    assert load_result(orders.store, order.prefix) is None


def test_progress_in_a_pipe_or_a_folder_is_no_progress_and_stops_nothing(orders):
    for make in ("os.mkfifo", "os.mkdir"):
        order = orders.make(code=f"import os; {make}(os.environ['PROGRESS_PATH'])", attempt=1 + (make == "os.mkdir"))
        assert run(access(orders, order, make)) == 0


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"args": ["-c", "pass"], "workingDir": "/no/such"}, "workingDir /no/such: there is no such folder"),
        ({"command": ["/no/such/program"]}, "could not be started: No such file or directory"),
        ({"args": ["-c", "a\x00b"]}, "containers[0]: args.1"),
        ({"args": ["-c", "pass"], "env": [{"name": "A=B", "value": "1"}]}, "containers[0]: env.0.name"),
    ],
)
def test_a_program_that_cannot_be_started_is_the_users_to_mend(orders, container, words):
    order = orders.make(template={"spec": {"containers": [container]}})
    assert run(access(orders, order)) == 2
    assert words in load_failure(orders.store, order.prefix)["ownerInfo"]["error"]["message"]


def test_an_order_without_its_models_is_no_order(orders):
    order = orders.make(code="")
    text = order.model_copy(update={"models": ()}).model_dump_json()
    with pytest.raises(SpecError, match="an order to train names a base model"):
        load_order(text.encode(), order.key)


def test_an_order_at_another_place_than_its_own_is_refused(orders):
    order = orders.make(code="")
    orders.store.put("elsewhere/order.json", order.model_dump_json().encode())
    with pytest.raises(SpecError, match=f"belongs at {order.key}"):
        Attempt(access(orders, order).model_copy(update={"order": "elsewhere/order.json"}))


def test_a_model_is_opened_inside_its_folder(orders):
    order = orders.make(code="")
    text = order.model_dump_json().replace('"entry":"net.bin"', '"entry":"../../../etc/passwd"')
    with pytest.raises(SpecError, match="no file or folder of a model"):
        load_order(text.encode(), order.key)
