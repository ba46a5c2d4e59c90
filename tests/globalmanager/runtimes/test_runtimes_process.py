import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from globalmanager.runtimes import ProcessRuntime, RunPhase
from globalmanager.runtimes.base import WorkerSpec
from sedna.common.errors import TemporaryError
from sedna.common.types import JobKey

DEADLINE = 30


def spec(folder, code, *, timeout=60.0, memory=None, env=None):
    folder.mkdir(exist_ok=True)
    template = {"spec": {"containers": [{"args": ["-c", code]}]}}
    return WorkerSpec(
        name="w",
        job=JobKey(name="j"),
        round=1,
        attempt=1,
        kind="train",
        template=template,
        env=env or {},
        work_dir=folder,
        timeout_seconds=timeout,
        memory_mib=memory,
    )


@pytest.fixture
def runtime():
    return ProcessRuntime(grace_seconds=0.3)


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


def gone(pid):
    return wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_worker_runs_in_its_folder_with_its_environment_and_nothing_secret(runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import os, json; json.dump(dict(os.environ), open('env.json', 'w')); print('hello')"
    status = result(runtime, runtime.start(spec(tmp_path / "w", code, env={"MODEL_URL": "here"})))
    assert status.phase is RunPhase.SUCCEEDED
    assert status.exit_code == 0
    assert status.usage is not None
    env = json.loads((tmp_path / "w" / "env.json").read_text())
    assert env["MODEL_URL"] == "here"
    assert "AWS_SECRET_ACCESS_KEY" not in env
    assert (tmp_path / "w" / "worker.log").read_text() == "hello\n"


@pytest.mark.parametrize(
    ("code", "exit_code", "retryable", "words"),
    [
        ("print('why'); raise SystemExit(3)", 3, False, "exit code 3"),
        ("raise SystemExit(75)", 75, True, "exit code 75"),
        ("import os; os.kill(os.getpid(), 9)", -9, True, "SIGKILL"),
    ],
    ids=["permanent", "temporary", "killed"],
)
def test_how_a_worker_ended(runtime, tmp_path, code, exit_code, retryable, words):
    status = result(runtime, runtime.start(spec(tmp_path / "w", code)))
    assert (status.phase, status.exit_code, status.retryable) == (RunPhase.FAILED, exit_code, retryable)
    assert words in status.reason
    assert ("why" in status.log_tail) == ("why" in code)


def test_a_command_that_does_not_exist(runtime, tmp_path):
    asked = spec(tmp_path / "w", "")
    asked = asked.model_copy(update={"template": {"spec": {"containers": [{"command": ["/no/such/program"]}]}}})
    status = result(runtime, runtime.start(asked))
    assert status.phase is RunPhase.FAILED
    assert "/no/such/program" in status.reason
    assert not status.retryable


def test_started_twice_it_is_one_worker(runtime, tmp_path):
    asked = spec(tmp_path / "w", "import time; open('count', 'a').write('x'); time.sleep(0.5)")
    first, second = runtime.start(asked), runtime.start(asked)
    assert first == second
    assert result(runtime, first).phase is RunPhase.SUCCEEDED
    runtime.start(asked)
    assert (tmp_path / "w" / "count").read_text() == "x"


def test_a_start_that_takes_long_is_no_failure_and_is_found_at_the_next_try(tmp_path):
    """The supervisor lives on where nobody waited for it, and starts the worker: to give up would leave both alone."""
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *supervisor.py) {sys.executable} "$@" & exec sleep 60 ;; *) exec {sys.executable} "$@" ;; esac\n'
    )
    python.chmod(0o755)
    runtime = ProcessRuntime(python=str(python), start_seconds=0.5)
    asked = spec(tmp_path / "w", "open('count', 'a').write('x')")
    with pytest.raises(TemporaryError, match="did not start within"):
        runtime.start(asked)
    wait_for(lambda: runtime.adopt(runtime.handle("w", tmp_path / "w")))
    assert result(runtime, runtime.start(asked)).phase is RunPhase.SUCCEEDED
    assert (tmp_path / "w" / "count").read_text() == "x"


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_the_time_limit_ends_a_worker_that_ignores_sigterm(runtime, tmp_path):
    status = result(runtime, runtime.start(spec(tmp_path / "w", STUBBORN, timeout=0.5)))
    assert status.exit_code == -signal.SIGKILL
    assert not status.retryable
    assert "time limit" in status.reason
    assert status.log_tail == "up"


def test_the_memory_limit_counts_children(runtime, tmp_path):
    child = "x = bytearray(200 * 2**20); import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    status = result(runtime, runtime.start(spec(tmp_path / "w", code, memory=100)))
    assert "memory limit" in status.reason
    assert not status.retryable
    assert status.usage.peak_rss_bytes > 100 * 2**20


def test_stop_lets_a_worker_finish_and_takes_its_children_along(runtime, tmp_path):
    code = (
        "import signal, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "def end(*_): open('checkpoint', 'w').write(str(child.pid)); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    handle = runtime.start(spec(tmp_path / "w", code))
    wait_for(lambda: (tmp_path / "w" / "worker.log").read_text() == "up\n")
    runtime.stop(handle, grace_seconds=20)
    runtime.stop(handle, grace_seconds=20)
    status = result(runtime, handle)
    assert (status.exit_code, status.retryable) == (143, False)
    assert "stopped" in status.reason
    gone(int((tmp_path / "w" / "checkpoint").read_text()))
    runtime.stop(handle, grace_seconds=20)
    assert runtime.observe(handle) == status


def test_a_worker_outlives_the_service_that_started_it(runtime, tmp_path):
    (tmp_path / "w").mkdir()
    asked = spec(tmp_path / "w", "import time; time.sleep(1.0); print('done')")
    program = (
        "import os, signal, sys\n"
        "from globalmanager.runtimes import ProcessRuntime, WorkerSpec\n"
        "ProcessRuntime().start(WorkerSpec.model_validate_json(sys.argv[1]))\n"
        "os.killpg(0, signal.SIGKILL)\n"
    )
    service = subprocess.run(
        [sys.executable, "-c", program, asked.model_dump_json()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
        check=False,
    )
    assert service.returncode == -signal.SIGKILL
    handle = runtime.start(asked)
    assert runtime.adopt(handle)
    assert result(runtime, handle).phase is RunPhase.SUCCEEDED
    assert (tmp_path / "w" / "worker.log").read_text() == "done\n"


def test_a_killed_supervisor_leaves_a_lost_worker_and_no_orphan(runtime, tmp_path):
    handle = runtime.start(spec(tmp_path / "w", "import time; time.sleep(60)"))
    pid = worker_pid(tmp_path / "w")
    os.kill(json.loads((tmp_path / "w" / "supervisor.json").read_bytes())["pid"], signal.SIGKILL)
    status = result(runtime, handle)
    assert (status.phase, status.retryable) == (RunPhase.LOST, True)
    assert gone(pid)
    assert not runtime.adopt(handle)


def test_the_shutdown_of_the_machine_is_no_fault_of_the_worker(runtime, tmp_path):
    handle = runtime.start(spec(tmp_path / "w", "import time; time.sleep(60)"))
    os.kill(json.loads((tmp_path / "w" / "supervisor.json").read_bytes())["pid"], signal.SIGTERM)
    status = result(runtime, handle)
    assert (status.phase, status.exit_code, status.retryable) == (RunPhase.FAILED, -signal.SIGTERM, True)


def test_the_log_is_bounded_and_keeps_the_newest_lines(tmp_path):
    runtime = ProcessRuntime(log_bytes=200_000)
    code = "for i in range(100_000): print(f'line {i}')"
    assert result(runtime, runtime.start(spec(tmp_path / "w", code))).phase is RunPhase.SUCCEEDED
    sizes = [file.stat().st_size for file in (tmp_path / "w").glob("worker.log*")]
    assert sum(sizes) <= 200_000
    assert (tmp_path / "w" / "worker.log").read_text().endswith("line 99999\n")


FIRST_PROCESS = """
import ctypes, pathlib, sys, time
sys.path[:0] = {path!r}
import psutil
from globalmanager.runtimes import ProcessRuntime, RunPhase
from globalmanager.runtimes.base import WorkerSpec
from sedna.common.types import JobKey

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0  # orphans become ours, as those of a container do
runtime = ProcessRuntime()
for number in range(4):
    folder = pathlib.Path({folder!r}) / str(number)
    folder.mkdir()
    template = {{"spec": {{"containers": [{{"args": ["-c", "pass"]}}]}}}}
    spec = WorkerSpec(name=str(number), job=JobKey(name="j"), round=1, attempt=number, kind="train", template=template,
                      env={{}}, work_dir=folder, timeout_seconds=60)
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
