import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fixtures_orders import Orders
from globalmanager.runtimes import ProcessRuntime, RunPhase
from globalmanager.runtimes.base import WorkerSpec
from sedna.common.errors import SpecError, TemporaryError
from sedna.core.staging.stage_out import load_end, load_failure, load_result
from sedna.loop.spec import Limits

DEADLINE = 30


@dataclass
class Desk:
    """A folder store with orders, and the runtime that runs them."""

    folder: Path

    def __post_init__(self):
        self.orders = Orders(self.folder)
        self.runtime = self.make_runtime(grace_seconds=0.3)

    def make_runtime(self, **options):
        return ProcessRuntime(self.folder / "work", self.folder / "cache", store_url=self.orders.store.url, **options)

    def spec(self, code, *, timeout=60.0, memory=None, **changes):
        limits = Limits(timeout_seconds=timeout, memory_mib=memory)
        return WorkerSpec(order=self.orders.make(code=code, limits=limits, **changes), token="secret-token")

    @property
    def notes(self):
        """Folder of the supervisor of the first attempt's worker."""
        return self.folder / "work" / "train-worker-1"

    @property
    def own(self):
        """Folder of that worker."""
        return self.notes / "work"


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def runtime(desk):
    return desk.runtime


def wait_for(seen):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = seen()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("not seen in time")


def result(runtime, handle):
    def ended():
        status = runtime.observe(handle)
        return status if status.phase is not RunPhase.RUNNING else None

    return wait_for(ended)


def worker_pid(folder):
    return json.loads((folder / "supervisor.json").read_bytes())["worker_pid"]


def log_of(runtime, desk):
    return runtime.read_log(runtime.handle("train-worker-1"), 0, 10**6).data.decode()


def gone(pid):
    return wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_worker_runs_in_its_folder_with_its_environment_and_nothing_secret(runtime, desk, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import os, json; json.dump(dict(os.environ), open('env.json', 'w')); print('hello')"
    status = result(runtime, runtime.start(desk.spec(code)))
    assert status.phase is RunPhase.SUCCEEDED
    assert status.exit_code == 0
    assert status.usage is not None
    env = json.loads((desk.own / "env.json").read_text())
    assert env["MODEL_URL"] == str(desk.own / "output")
    assert env["LC_SERVER"].startswith("http://127.0.0.1:")
    assert "AWS_SECRET_ACCESS_KEY" not in env
    assert "secret-token" not in env.values(), "the program of a user gets no token"
    assert "hello\n" in log_of(runtime, desk)


@pytest.mark.parametrize(
    ("code", "exit_code", "retryable", "words"),
    [
        ("print('why'); raise SystemExit(3)", 3, False, "exit code 3"),
        ("raise SystemExit(75)", 75, True, "exit code 75"),
        ("import os; os.kill(os.getpid(), 9)", -9, True, "SIGKILL"),
    ],
    ids=["permanent", "temporary", "killed"],
)
def test_how_a_worker_ended(runtime, desk, code, exit_code, retryable, words):
    status = result(runtime, runtime.start(desk.spec(code)))
    assert (status.phase, status.exit_code, status.retryable) == (RunPhase.FAILED, exit_code, retryable)
    assert words in status.reason
    assert ("why" in status.log_tail) == ("why" in code)


def test_a_command_that_does_not_exist(runtime, desk):
    template = {"spec": {"containers": [{"command": ["/no/such/program"]}]}}
    status = result(runtime, runtime.start(desk.spec(None, template=template)))
    assert (status.phase, status.exit_code, status.retryable) == (RunPhase.FAILED, 2, False)
    assert "/no/such/program: it could not be started" in status.log_tail
    failure = load_failure(desk.orders.store, desk.orders.make(code="").prefix)
    assert "/no/such/program" in failure["ownerInfo"]["error"]["message"]


def test_a_template_that_no_process_can_run_is_refused_at_once(runtime, desk):
    with pytest.raises(SpecError, match="neither command nor args"):
        runtime.start(desk.spec(None, template={"spec": {"containers": [{"image": "only:image"}]}}))


def test_started_twice_it_is_one_worker(runtime, desk):
    asked = desk.spec("import time; open('count', 'a').write('x'); time.sleep(0.5)")
    first, second = runtime.start(asked), runtime.start(asked)
    assert first == second
    assert result(runtime, first).phase is RunPhase.SUCCEEDED
    runtime.start(asked)
    assert (desk.own / "count").read_text() == "x"


def test_a_start_that_takes_long_is_no_failure_and_is_found_at_the_next_try(tmp_path, desk):
    """The supervisor lives on where nobody waited for it, and starts the worker: to give up would leave both alone."""
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *supervisor.py) {sys.executable} "$@" & exec sleep 60 ;; *) exec {sys.executable} "$@" ;; esac\n'
    )
    python.chmod(0o755)
    runtime = desk.make_runtime(python=str(python), start_seconds=0.5)
    asked = desk.spec("open('count', 'a').write('x')")
    with pytest.raises(TemporaryError, match="did not start within"):
        runtime.start(asked)
    wait_for(lambda: runtime.adopt(runtime.handle("train-worker-1")))
    assert result(runtime, runtime.start(asked)).phase is RunPhase.SUCCEEDED
    assert (desk.own / "count").read_text() == "x"


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_the_time_limit_ends_a_worker_that_ignores_sigterm(runtime, desk):
    status = result(runtime, runtime.start(desk.spec(STUBBORN, timeout=5)))
    assert status.exit_code == -signal.SIGKILL
    assert not status.retryable
    assert "time limit" in status.reason
    assert status.log_tail.endswith("up")


def test_the_memory_limit_counts_children(runtime, desk):
    child = "x = bytearray(200 * 2**20); import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    status = result(runtime, runtime.start(desk.spec(code, memory=100)))
    assert "memory limit" in status.reason
    assert not status.retryable
    assert status.usage.peak_rss_bytes > 100 * 2**20


def test_stop_lets_a_worker_finish_and_takes_its_children_along(runtime, desk):
    code = (
        "import signal, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "def end(*_): open('checkpoint', 'w').write(str(child.pid)); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    handle = runtime.start(desk.spec(code))
    wait_for(lambda: "up\n" in log_of(runtime, desk))
    runtime.stop(handle, grace_seconds=20)
    runtime.stop(handle, grace_seconds=20)
    status = result(runtime, handle)
    assert (status.exit_code, status.retryable) == (143, False)
    assert "stopped" in status.reason
    gone(int((desk.own / "checkpoint").read_text()))
    runtime.stop(handle, grace_seconds=20)
    assert runtime.observe(handle) == status


def test_a_worker_outlives_the_service_that_started_it(runtime, desk):
    asked = desk.spec("import time; time.sleep(1.0); print('done')")
    program = (
        "import os, signal, sys\n"
        "from globalmanager.runtimes import ProcessRuntime, WorkerSpec\n"
        "from sedna.core.staging import WorkOrder\n"
        "from pathlib import Path\n"
        "work, cache, store, order = sys.argv[1:]\n"
        "runtime = ProcessRuntime(Path(work), Path(cache), store_url=store)\n"
        "runtime.start(WorkerSpec(order=WorkOrder.model_validate_json(order), token='t'))\n"
        "os.killpg(0, signal.SIGKILL)\n"
    )
    service = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            str(desk.folder / "work"),
            str(desk.folder / "cache"),
            desk.orders.store.url,
            asked.order.model_dump_json(),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
        check=False,
    )
    assert service.returncode == -signal.SIGKILL
    handle = runtime.start(asked)
    assert runtime.adopt(handle)
    assert result(runtime, handle).phase is RunPhase.SUCCEEDED
    assert log_of(runtime, desk).endswith("done\n")


def test_a_killed_supervisor_leaves_a_lost_worker_and_no_orphan(runtime, desk):
    handle = runtime.start(desk.spec("import time; time.sleep(60)"))
    pid = worker_pid(desk.notes)
    os.kill(json.loads((desk.notes / "supervisor.json").read_bytes())["pid"], signal.SIGKILL)
    status = result(runtime, handle)
    assert (status.phase, status.retryable) == (RunPhase.LOST, True)
    assert gone(pid)
    assert not runtime.adopt(handle)


DAEMON = (
    "import os, subprocess, sys, time\n"
    "code = 'import time; held = bytearray({size} * 2**20); time.sleep(60)'\n"
    "child = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
    "open('pid', 'w').write(str(child.pid))\n"
    "{then}\n"
)


def test_a_daemon_ends_with_its_worker(runtime, desk):
    status = result(runtime, runtime.start(desk.spec(DAEMON.format(size=1, then="os._exit(0)"))))
    assert status.phase is RunPhase.SUCCEEDED
    assert gone(int((desk.own / "pid").read_text()))


def test_the_memory_limit_counts_daemons(runtime, desk):
    status = result(runtime, runtime.start(desk.spec(DAEMON.format(size=300, then="time.sleep(60)"), memory=250)))
    assert "memory limit" in status.reason
    assert gone(int((desk.own / "pid").read_text()))


def test_a_program_that_outlived_its_worker_and_its_supervisor_is_ended(runtime, desk):
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    handle = runtime.start(desk.spec(code))
    pid = int(wait_for(lambda: (desk.own / "pid").exists() and (desk.own / "pid").read_text()))
    notes = json.loads((desk.notes / "supervisor.json").read_bytes())
    for number in (notes["pid"], notes["worker_pid"]):
        os.kill(number, signal.SIGKILL)
    gone(notes["worker_pid"])
    assert psutil.pid_exists(pid)
    assert result(runtime, handle).phase is RunPhase.LOST
    assert gone(pid)


def test_the_shutdown_of_the_machine_is_no_fault_of_the_worker(runtime, desk):
    handle = runtime.start(desk.spec("import time; time.sleep(60)"))
    os.kill(json.loads((desk.notes / "supervisor.json").read_bytes())["pid"], signal.SIGTERM)
    status = result(runtime, handle)
    assert (status.phase, status.exit_code, status.retryable) == (RunPhase.FAILED, -signal.SIGTERM, True)


def test_the_log_is_bounded_and_keeps_the_newest_lines(desk):
    runtime = desk.make_runtime(log_bytes=200_000)
    code = "for i in range(100_000): print(f'line {i}')"
    assert result(runtime, runtime.start(desk.spec(code))).phase is RunPhase.SUCCEEDED
    sizes = [file.stat().st_size for file in (desk.notes).glob("worker.log*")]
    assert sum(sizes) <= 200_000
    assert (desk.notes / "worker.log").read_text().endswith("line 99999\n")


def test_a_log_is_read_in_parts_by_places_that_stay(desk):
    runtime = desk.make_runtime(log_bytes=20_000)
    code = "for i in range(10_000): print(f'line {i}')"
    handle = runtime.start(desk.spec(code))
    result(runtime, handle)
    tail = runtime.read_log(handle, -100, 1000)
    assert (tail.data[-11:], tail.next_offset - tail.offset) == (b"\nline 9999\n", 100)
    whole = runtime.read_log(handle, 0, 10**6)
    assert whole.offset > 20_000, "the oldest lines are gone, and their places with them"
    assert whole.next_offset == tail.next_offset
    parts = [runtime.read_log(handle, whole.offset, 777)]
    while parts[-1].data:
        parts.append(runtime.read_log(handle, parts[-1].next_offset, 777))
    assert b"".join(part.data for part in parts) == whole.data
    assert runtime.read_log(runtime.handle("nobody"), 0, 100).data == b""


def test_what_is_forgotten_is_gone_unless_it_runs(runtime, desk):
    handle = runtime.start(desk.spec("import time; print('up', flush=True); time.sleep(60)"))
    wait_for(lambda: "up\n" in log_of(runtime, desk))
    runtime.forget(handle)
    assert runtime.adopt(handle)
    runtime.stop(handle, grace_seconds=0)
    result(runtime, handle)
    wait_for(lambda: runtime.forget(handle) or not desk.notes.exists())
    runtime.forget(handle)


def test_a_worker_that_came_to_its_end_has_left_everything_in_the_store(runtime, desk):
    report = {"name": "train-worker-1", "kind": "train", "status": "completed", "results": [{"format": "bin"}]}
    code = (
        "import json, os, urllib.request\n"
        "env = os.environ\n"
        "path = os.path.join(env['MODEL_URL'], 'net.bin')\n"
        "open(path, 'w').write(open(env['BASE_MODEL_URL']).read() + ', better')\n"
        f"body = {report!r}\n"
        "body['results'][0]['url'] = path\n"
        "url = f\"{env['LC_SERVER']}/sedna/workers/{env['WORKER_NAME']}/info\"\n"
        "request = urllib.request.Request(url, json.dumps(body).encode(), method='POST')\n"
        "print(urllib.request.urlopen(request).read().decode())\n"
    )
    asked = desk.spec(code)
    status = result(runtime, runtime.start(asked))
    assert status.phase is RunPhase.SUCCEEDED, log_of(runtime, desk)
    made = load_result(desk.orders.store, asked.order.prefix)
    assert (made.entry, made.forms) == ("net.bin", {"bin": "net.bin"})
    assert desk.orders.store.get(made.output[0].key) == b"weights of the base, better"
    assert load_end(desk.orders.store, asked.order.prefix).exit_code == 0


FIRST_PROCESS = """
import ctypes, pathlib, sys, time
sys.path[:0] = {path!r}
import psutil
from globalmanager.runtimes import ProcessRuntime, RunPhase
from globalmanager.runtimes.base import WorkerSpec
from fixtures_orders import Orders

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0  # orphans become ours, as those of a container do
orders = Orders(pathlib.Path({folder!r}))
runtime = ProcessRuntime(orders.folder / "work", orders.folder / "cache", store_url=orders.store.url)
for number in range(1, 5):
    spec = WorkerSpec(order=orders.make(code="pass", attempt=number), token="t")
    handle = runtime.start(spec)
    while runtime.observe(handle).phase is RunPhase.RUNNING:
        time.sleep(0.02)
    time.sleep(0.3)
print(sum(child.status() == psutil.STATUS_ZOMBIE for child in psutil.Process().children()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_the_first_process_of_a_container_does_not_collect_ended_supervisors(tmp_path):
    """One a worker: some months of rounds would use up the container's process numbers."""
    program = FIRST_PROCESS.format(path=sys.path, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 1, "only the last may still wait for its turn"
