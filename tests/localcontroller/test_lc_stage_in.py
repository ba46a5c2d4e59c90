"""The model is where a program looks for it before it starts, and stays the one in service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lc_cloud import JOB, Cloud

from localcontroller.hot_update import CONFIG_NAME, STATE_NAME
from localcontroller.model_pull import ModelPull
from localcontroller.settings import HotUpdate
from localcontroller.stage_in import stage_in
from sedna.common.clock import SettableClock
from sedna.common.errors import ModelError
from sedna.core.report import WorkerReport
from sedna.edge.protocol import EdgeJobStatus


class Node:
    """The volumes of one Pod: the program's folder of models, and the folder of hot updates."""

    def __init__(self, root: Path, cloud: Cloud, **more: Any) -> None:
        self.cloud = cloud
        self.hot = root / "hot"
        self.initial = root / "downloads" / "bkt" / "deploy" / "model.pb"
        self.update = HotUpdate.model_validate(
            {"job": JOB, "folder": self.hot, "initial": self.initial, "format": "pb", **more}
        )
        self.clock = SettableClock(auto_advance=True)

    def stage_in(self) -> None:
        stage_in(self.cloud, "pod.ns", (self.update,), self.clock)

    def pull(self) -> ModelPull:
        return ModelPull(self.cloud, "pod.ns", (self.update,), self.clock)

    def sync(self, pull: ModelPull) -> EdgeJobStatus:
        pull.heartbeat()
        pull.fetch()
        pull.heartbeat()
        return self.cloud.heard[-1].jobs[0]

    @property
    def config(self) -> dict[str, str] | None:
        path = self.hot / CONFIG_NAME
        return json.loads(path.read_text())["model_config"] if path.exists() else None


def answer(pull: ModelPull, status: str) -> None:
    pull.receive(WorkerReport(name="w", owner_name=JOB.name, kind="deploy", status=status), JOB)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def node(tmp_path: Path, cloud: Cloud) -> Node:
    return Node(tmp_path, cloud)


def test_the_model_is_there_before_the_program(cloud: Cloud, node: Node) -> None:
    cloud.publish(3, {"model_finetune.pb": b"three"})
    node.stage_in()
    assert node.initial.read_bytes() == b"three", "under the name of the Model's URL"
    assert cloud.heard[0].jobs[0].state == "loading"
    assert node.config is None, "nothing to update to"
    status = node.sync(node.pull())
    assert (status.state, status.model_version) == ("serving", 3)
    assert node.config is None, "what is there is not fetched again"


def test_it_waits_for_the_cloud_and_for_the_first_model(cloud: Cloud, node: Node) -> None:
    cloud.publish(1, {"m.pb": b"one"})
    cloud.desired, cloud.away = None, 3
    started = node.clock.monotonic()
    beat, said = cloud.heartbeat, []

    def wait_for_five(heartbeat: Any) -> Any:
        said.append(heartbeat)
        cloud.desired = 1 if len(said) >= 8 else None
        return beat(heartbeat)

    cloud.heartbeat = wait_for_five  # type: ignore[method-assign]
    node.stage_in()
    assert len(said) == 8
    assert node.clock.monotonic() > started
    assert node.initial.read_bytes() == b"one"


def test_a_program_that_starts_anew_begins_with_the_model_in_service(cloud: Cloud, node: Node) -> None:
    cloud.publish(1, {"m.pb": b"one"})
    node.stage_in()
    pull = node.pull()
    node.sync(pull)
    cloud.publish(2, {"m.pb": b"two"})
    assert node.sync(pull).model_version == 1, "until the program says that it has it"
    assert node.config is not None
    assert node.initial.read_bytes() == b"one"
    answer(pull, "completed")
    assert node.sync(pull).model_version == 2
    assert node.initial.read_bytes() == b"two"


def test_a_refused_update_leaves_the_program_with_what_it_began_with(cloud: Cloud, node: Node) -> None:
    cloud.publish(1, {"m.pb": b"one"})
    node.stage_in()
    pull = node.pull()
    node.sync(pull)
    cloud.publish(2, {"m.pb": b"two"})
    node.sync(pull)
    answer(pull, "failed")
    status = node.sync(pull)
    assert (status.state, status.model_version, status.failed_version) == ("serving", 1, 2)
    assert node.config is None
    assert node.initial.read_bytes() == b"one"


def test_done_again_it_brings_what_is_wanted_then(cloud: Cloud, node: Node) -> None:
    """The init containers of a Pod run again after its node was started anew; its volumes are as they were."""
    cloud.publish(1, {"m.pb": b"one"})
    node.stage_in()
    pull = node.pull()
    cloud.publish(2, {"m.pb": b"two"})
    node.sync(pull)
    answer(pull, "completed")
    (node.hot / f"{CONFIG_NAME}.applied").write_text("{}")
    cloud.publish(3, {"m.pb": b"three"})
    node.stage_in()
    assert node.initial.read_bytes() == b"three"
    assert node.config is None
    assert [path.name for path in node.hot.iterdir()] == [STATE_NAME]
    assert node.sync(node.pull()).model_version == 3


def test_a_pinned_version_is_served_whatever_else_is_wanted(tmp_path: Path, cloud: Cloud) -> None:
    node = Node(tmp_path, cloud, pinned=1)
    cloud.publish(1, {"m.pb": b"one"})
    cloud.publish(2, {"m.pb": b"two"})
    node.stage_in()
    assert node.initial.read_bytes() == b"one"
    status = node.sync(node.pull())
    assert (status.state, status.model_version) == ("serving", 1)
    assert node.config is None


def test_a_model_that_the_program_cannot_read_is_told(cloud: Cloud, node: Node) -> None:
    cloud.publish(1, {"a.pb": b"a", "b.pb": b"b"})
    with pytest.raises(ModelError, match="not clear"):
        node.stage_in()
    status = cloud.heard[-1].jobs[0]
    assert (status.state, status.failed_version) == ("failed", 1)
    assert "not clear" in status.reason


def test_the_form_that_the_model_names_is_chosen(cloud: Cloud, node: Node) -> None:
    cloud.publish(1, {"model.pb": b"pb", "ckpt/a": b"a", "ckpt/b": b"b"}, form="ckpt", entries={"pb": "model.pb"})
    node.stage_in()
    assert node.initial.read_bytes() == b"pb"
    assert [path.name for path in node.initial.parent.iterdir()] == ["model.pb"]


def test_a_model_of_several_files_comes_whole(cloud: Cloud, node: Node) -> None:
    cloud.publish(1, {"net.pb": b"one", "net.pb.data": b"weights", "other.txt": b"x"})
    node.stage_in()
    assert node.initial.read_bytes() == b"one"
    assert node.initial.with_name("net.pb.data").read_bytes() == b"weights", "the model names it so"
    pull = node.pull()
    node.sync(pull)
    cloud.publish(2, {"net.pb": b"two", "net.pb.data": b"more", "other.txt": b"x"})
    node.sync(pull)
    assert node.config is not None
    offered = Path(node.config["model_path"])
    assert offered == node.hot / "v2" / "net.pb"
    assert offered.with_name("net.pb.data").read_bytes() == b"more"
    answer(pull, "completed")
    assert node.initial.with_name("net.pb.data").read_bytes() == b"more"
    cloud.publish(3, {"net.pb": b"three", "net.pb.data": b"most", "other.txt": b"x"})
    node.sync(pull)
    answer(pull, "completed")
    assert not (node.hot / "v2").exists()


def test_a_model_that_is_a_folder(cloud: Cloud, node: Node) -> None:
    cloud.publish(1, {"saved/a": b"1", "saved/b": b"1", "x.txt": b""}, entries={"pb": "saved"})
    node.stage_in()
    assert (node.initial / "a").read_bytes() == b"1"
    pull = node.pull()
    node.sync(pull)
    cloud.publish(2, {"saved/a": b"2", "x.txt": b""}, entries={"pb": "saved"})
    node.sync(pull)
    assert node.config is not None
    assert "sha256" not in node.config
    assert (Path(node.config["model_path"]) / "a").read_bytes() == b"2"
    answer(pull, "completed")
    assert sorted(path.name for path in node.initial.iterdir()) == ["a"], "nothing of the old one stays"
