"""Processes: isolation, parallel cases, failures, resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from ianvs_bench import Bench, alive, pid_in, wait_for

NEEDS_MODEL = "./algorithm/basemodel.py"
HEAD = "from sedna.common.class_factory import ClassFactory, ClassType\n"


def algorithm(bench: Bench, name: str, code: str, **keys: Any) -> dict[str, str]:
    """Another algorithm: the stump with ``code`` put after its class."""
    folder = bench.folder / name
    folder.mkdir()
    text = (bench.folder / "algorithm" / "basemodel.py").read_text()
    (folder / "basemodel.py").write_text(f"{text}\n{code}")
    (folder / "reading.py").write_text((bench.folder / "algorithm" / "reading.py").read_text())
    import yaml

    described = {
        "paradigm_type": "incrementallearning",
        "initial_model_url": "./initial_model/model.json",
        "modules": [
            {"type": "basemodel", "name": "Stump", "url": f"./{name}/basemodel.py"},
            {
                "type": "hard_example_mining",
                "name": "Close",
                "url": "./algorithm/miner.py",
                "hyperparameters": [{"distance": {"values": [0.3]}}],
            },
        ],
        **keys,
    }
    (folder / "algorithm.yaml").write_text(yaml.safe_dump({"algorithm": described}))
    return {"name": name, "url": f"./{name}/algorithm.yaml"}


MISTAKES = {
    "untrained": ("BaseModel.train = None\n", "has no method train or fit"),
    "wordless": ("BaseModel.predict = lambda self, data, **kw: 7\n", "predict answered 7"),
    "silent": ("BaseModel.save = lambda self, path: None\n", "save wrote nothing"),
    "listless": ("BaseModel.evaluate = lambda self, data, **kw: [1]\n", "evaluate answered [1]"),
    "unmeasured": ("BaseModel.evaluate = lambda self, data, **kw: {'x': 1}\n", "without a number for 'accuracy'"),
    "quitter": ("import sys\nBaseModel.train = lambda self, train_data, **kw: sys.exit(3)\n", "ended the process: 3"),
    "crasher": ("BaseModel.train = lambda self, train_data, **kw: os._exit(9)\n", "ended with code 9"),
    "killed": (
        "BaseModel.train = lambda self, train_data, **kw: os.kill(os.getpid(), 9)\n",
        "SIGKILL (out of memory?)",
    ),
    "unloadable": ("raise ImportError('no such framework')\n", "no such framework"),
    "unnamed": ("ClassFactory.__registry__['general'].pop('Stump')\n", "no class 'Stump'"),
}


def test_a_failing_case_harms_no_other_and_is_told(bench: Bench) -> None:
    entries = [algorithm(bench, name, code) for name, (code, _) in MISTAKES.items()]
    fine = {"name": "fine", "url": "./algorithm/incremental.yaml"}
    bench.edit("benchmarkingjob.yaml", test_object__algorithms=[*entries[:5], fine, *entries[5:]])
    done = bench.run("-f", "benchmarkingjob.yaml", "--jobs", "2")
    assert done.returncode == 1
    assert [row[1] for row in bench.rank()[1:]] == ["fine", "fine"]
    failures = {
        json.loads((path.parent / "case.json").read_text())["algorithm"]: result["failure"]["message"]
        for path in bench.workspace.glob("*/*/result.json")
        if (result := json.loads(path.read_text()))["status"] == "failed"
    }
    assert set(failures) == set(MISTAKES)
    for name, (_, message) in MISTAKES.items():
        assert message in failures[name], name
        assert message in done.stderr
    assert "10 of 12 test cases" in done.stderr
    assert "no such framework" in (bench.workspace / "rank" / "report.html").read_text()


def test_two_basemodels_of_one_name_do_not_meet(bench: Bench) -> None:
    other = algorithm(
        bench, "other", "BaseModel.predict = lambda self, d, **k: {os.path.basename(p): [0, 9.0] for p in d}\n"
    )
    mine = algorithm(bench, "mine", "")
    bench.edit("benchmarkingjob.yaml", test_object__algorithms=[other, mine])
    assert bench.run().returncode == 0
    accuracy = {row[1]: row[2] for row in bench.rank()[1:]}
    assert accuracy == {"mine": "1.0", "other": "0.5"}


def test_a_metric_that_raises_is_told(bench: Bench) -> None:
    bench.edit("benchmarkingjob.yaml", test_object__algorithms=[algorithm(bench, "mine", "")])
    metric = bench.folder / "testenv" / "bad.py"
    metric.write_text(
        HEAD + "@ClassFactory.register(ClassType.GENERAL, alias='bad')\ndef bad(y_true, y_pred):\n    return 1 / 0\n"
    )
    metrics = [{"name": "bad", "url": "./testenv/bad.py"}, {"name": "samples_transfer_ratio"}]
    bench.edit("testenv/testenv.yaml", metrics=metrics)
    done = bench.run()
    assert done.returncode == 1
    assert "metric 'bad' raised ZeroDivisionError" in done.stderr


def test_an_unknown_system_metric_is_told_before_anything_runs(bench: Bench) -> None:
    bench.edit("testenv/testenv.yaml", metrics=[{"name": "charm"}])
    done = bench.run()
    assert done.returncode == 1
    assert "'charm' has no url and is no system metric" in done.stderr
    assert not bench.workspace.exists()


def test_data_that_is_not_there_is_told(bench: Bench) -> None:
    data = bench.own_data()
    next(iter(sorted((data / "train_data" / "x").iterdir()))).unlink()
    done = bench.run()
    assert done.returncode == 1
    assert "no file" in done.stderr


def test_a_piece_without_samples_to_judge_is_told(bench: Bench) -> None:
    bench.edit("algorithm/incremental.yaml", incremental_learning_data_setting={"train_ratio": 1.0})
    done = bench.run()
    assert done.returncode == 1
    assert "round 1 has no sample to judge its candidate with" in done.stderr


def test_every_result_is_there_before_the_next_one_and_resume_adds_the_rest(bench: Bench) -> None:
    """kill -9 in the second case: the first one's result stays, nothing is run or ranked twice."""
    slow = (
        "import time\n_train = BaseModel.train\n"
        "def train(self, train_data, valid_data=None, **kw):\n"
        "    trace('pid', os.getpid())\n"
        "    time.sleep(float(os.environ.get('SLEEP', '0')))\n"
        "    return _train(self, train_data, valid_data, **kw)\nBaseModel.train = train\n"
    )
    entries = [algorithm(bench, "quick", ""), algorithm(bench, "slow", slow)]
    bench.edit("benchmarkingjob.yaml", test_object__algorithms=entries)
    trace = bench.folder / "trace"
    process = subprocess.Popen(
        [sys.executable, "-m", "ianvs", "-f", "benchmarkingjob.yaml"],
        cwd=bench.folder,
        env={**os.environ, "SLEEP": "120", "TRACE_FILE": str(trace)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        child = wait_for(lambda: pid_in(trace))
        assert [row[1] for row in bench.rank()[1:]] == ["quick"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: not alive(child))
    trace.unlink()
    done = bench.run("-f", "benchmarkingjob.yaml", "--resume", TRACE_FILE=str(trace))
    assert done.returncode == 0, done.stderr
    assert "1 of 2 test cases have a result already" in done.stderr
    assert [line for line in trace.read_text().splitlines() if line.startswith("init")] == ["init []"]
    assert sorted(row[1] for row in bench.rank()[1:]) == ["quick", "slow"]
    again = bench.run("-f", "benchmarkingjob.yaml", "--resume")
    assert "2 of 2 test cases have a result already" in again.stderr
    assert sorted(row[1] for row in bench.rank()[1:]) == ["quick", "slow"]


def test_a_bad_number_of_jobs_is_refused(bench: Bench) -> None:
    done = bench.run("-f", "benchmarkingjob.yaml", "--jobs", "0")
    assert done.returncode == 1
    assert "--jobs: 0 test cases at a time (1 or more)" in done.stderr


def test_test_cases_side_by_side_share_the_cores(bench: Bench) -> None:
    cores = len(os.sched_getaffinity(0))
    model = bench.folder / "algorithm" / "basemodel.py"
    model.write_text(
        model.read_text().replace(
            'trace("init", sorted(kwargs))', 'trace("threads", os.environ.get("OMP_NUM_THREADS"))'
        )
    )
    for words, environment, expected in (
        (("--jobs", "2"), {}, str(max(1, cores // 2))),
        (("--jobs", "2"), {"OMP_NUM_THREADS": "7"}, "7"),
        ((), {"OMP_NUM_THREADS": "7"}, "7"),
    ):
        trace = bench.folder / "trace"
        trace.unlink(missing_ok=True)
        without = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        done = subprocess.run(
            [sys.executable, "-m", "ianvs", "-f", "benchmarkingjob.yaml", "--no-report", *words],
            cwd=bench.folder,
            env={**without, **environment, "TRACE_FILE": str(trace)},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0
        assert [line for line in trace.read_text().splitlines() if "threads" in line] == [f"threads {expected}"] * 2
