"""Models reach an upstream-style worker through its folder, and its answer reaches the cloud."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lc_cloud import JOB, Cloud

from localcontroller.hot_update import CONFIG_NAME, STATE_NAME
from localcontroller.model_pull import ModelPull
from localcontroller.settings import HotUpdate
from sedna.common.clock import SettableClock
from sedna.common.errors import DataError, LinkUnavailableError
from sedna.common.types import JobKey
from sedna.core.report import WorkerReport
from sedna.edge.protocol import EdgeJobStatus


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def make(cloud: Cloud, folder: Path, **options: str) -> ModelPull:
    update = HotUpdate.model_validate({"job": JOB, "folder": folder, **options})
    return ModelPull(cloud, "node-1", (update,), SettableClock())


def sync(pull: ModelPull, cloud: Cloud) -> EdgeJobStatus:
    """One exchange, and what the cloud hears in the next one."""
    pull.heartbeat()
    pull.fetch()
    pull.heartbeat()
    return cloud.heard[-1].jobs[0]


def config(folder: Path) -> dict[str, str]:
    content: dict[str, dict[str, str]] = json.loads((folder / CONFIG_NAME).read_text())
    return content["model_config"]


def answer(pull: ModelPull, status: str) -> None:
    report = WorkerReport(name="inferworker-abcde", owner_name=JOB.name, kind="deploy", status=status)
    pull.receive(report, JOB)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait, in real time, for what another thread does."""
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 5 seconds")


def test_a_model_is_offered_in_the_form_of_upstream(cloud: Cloud, tmp_path: Path) -> None:
    pull = make(cloud, tmp_path, mount_path="/model-hot-update")
    assert sync(pull, cloud).state == "empty"
    assert not (tmp_path / CONFIG_NAME).exists()

    cloud.publish(2, {"saved_model.pb": b"two"})
    assert sync(pull, cloud) == EdgeJobStatus(job=JOB, state="loading")
    found = config(tmp_path)
    assert set(found) == {"model_path", "model_update_time", "sha256"}
    assert found["model_path"] == "/model-hot-update/saved_model-v2.pb"
    assert (tmp_path / "saved_model-v2.pb").read_bytes() == b"two"
    assert found["sha256"] == hashlib.sha256(b"two").hexdigest()

    answer(pull, "completed")
    assert sync(pull, cloud) == EdgeJobStatus(job=JOB, state="serving", model_version=2)
    assert cloud.opened == 1, "what is offered is not fetched again"


def test_a_model_that_the_worker_cannot_load_is_taken_back(cloud: Cloud, tmp_path: Path) -> None:
    pull = make(cloud, tmp_path)
    cloud.publish(1, {"m.pb": b"one"})
    sync(pull, cloud)
    answer(pull, "completed")
    good = config(tmp_path)
    cloud.publish(2, {"m.pb": b"two"})
    sync(pull, cloud)
    assert config(tmp_path)["model_path"].endswith("m-v2.pb")
    assert (tmp_path / "m-v1.pb").exists(), "the model in service stays until the new one serves"
    answer(pull, "failed")
    assert config(tmp_path) == good, "with its own update time: a worker that has it does not load it twice"
    status = sync(pull, cloud)
    assert (status.state, status.model_version, status.failed_version) == ("serving", 1, 2)
    assert cloud.opened == 2, "a failed version is not tried again"

    cloud.publish(3, {"m.pb": b"three"})
    sync(pull, cloud)
    answer(pull, "completed")
    status = sync(pull, cloud)
    assert (status.state, status.model_version, status.failed_version) == ("serving", 3, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([CONFIG_NAME, STATE_NAME, "m-v3.pb"])


def test_repeated_and_stray_answers_change_nothing(cloud: Cloud, tmp_path: Path) -> None:
    pull = make(cloud, tmp_path)
    answer(pull, "completed")
    cloud.publish(1, {"m.pb": b"one"})
    sync(pull, cloud)
    answer(pull, "running")
    pull.receive(WorkerReport(name="w", kind="train", status="completed"), JOB)
    pull.receive(WorkerReport(name="w", kind="deploy", status="completed"), JobKey(name="other"))
    assert sync(pull, cloud).state == "loading"
    answer(pull, "completed")
    answer(pull, "failed")
    assert sync(pull, cloud).model_version == 1


def test_the_state_survives_a_restart_and_an_absent_cloud(cloud: Cloud, tmp_path: Path) -> None:
    pull = make(cloud, tmp_path)
    cloud.publish(1, {"m.pb": b"one"})
    sync(pull, cloud)
    answer(pull, "completed")
    (tmp_path / CONFIG_NAME).unlink()

    cloud.away = True
    again = make(cloud, tmp_path)
    assert config(tmp_path)["model_path"].endswith("m-v1.pb"), "offered again without the cloud"
    with pytest.raises(LinkUnavailableError):
        again.heartbeat()
    cloud.away = False
    assert sync(again, cloud).model_version == 1
    assert cloud.opened == 1


def test_wrong_bytes_are_never_offered(cloud: Cloud, tmp_path: Path) -> None:
    pull = make(cloud, tmp_path)
    cloud.publish(1, {"m.pb": b"one"})
    cloud.files[1, "m.pb"] = b"eno"
    status = sync(pull, cloud)
    assert (status.state, status.failed_version) == ("failed", 1)
    assert "sha256" in status.reason
    assert not (tmp_path / CONFIG_NAME).exists()


@pytest.mark.parametrize(
    ("files", "options", "chosen"),
    [
        ({"a.bin": b"a", "b.pb": b"b"}, {}, "b-v1.pb"),
        ({"a.pb": b"a", "b.pb": b"b"}, {"file": "a.pb"}, "a-v1.pb"),
        ({"deep/er.pb": b"a"}, {}, "er-v1.pb"),
        ({"a.pb": b"a", "b.pb": b"b"}, {}, None),
        ({"a.pb": b"a"}, {"file": "z.pb"}, None),
    ],
)
def test_which_file_the_worker_loads(
    cloud: Cloud, tmp_path: Path, files: dict[str, bytes], options: dict[str, str], chosen: str | None
) -> None:
    pull = make(cloud, tmp_path, **options)
    cloud.publish(1, files)
    status = sync(pull, cloud)
    if chosen is None:
        assert status.failed_version == 1
        assert "not clear" in status.reason
    else:
        assert (tmp_path / chosen).exists()
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_damaged_state_file_is_named(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / STATE_NAME).write_text("{")
    with pytest.raises(DataError, match=STATE_NAME):
        make(cloud, tmp_path)


def test_the_threads_do_all_this_by_themselves(cloud: Cloud, tmp_path: Path) -> None:
    cloud.publish(1, {"m.pb": b"one"})
    pull = make(cloud, tmp_path)
    pull.start()
    try:
        eventually(lambda: pull.offered_version(JOB) == 1)
        answer(pull, "completed")
        eventually(lambda: cloud.heard[-1].jobs[0].model_version == 1)  # told at once, not at the next beat
    finally:
        pull.stop()


def test_a_model_that_a_worker_could_not_load_is_offered_again_when_somebody_asks(cloud: Cloud, tmp_path: Path) -> None:
    pull = make(cloud, tmp_path)
    cloud.publish(1, {"m.pb": b"one"})
    sync(pull, cloud)
    answer(pull, "failed")
    assert sync(pull, cloud).failed_version == 1
    read = cloud.opened
    assert sync(pull, cloud).failed_version == 1
    assert cloud.opened == read, "it is not tried again by itself"
    cloud.asked = 7
    pull.heartbeat()
    pull.heartbeat()
    assert cloud.heard[-1].jobs[0].failed_version is None, "what it said before is no answer to that"
    assert sync(pull, cloud).state == "loading"
    answer(pull, "completed")
    assert sync(pull, cloud).model_version == 1
