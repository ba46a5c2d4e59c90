"""Images that a program keeps become samples, each once, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lc_cloud import JOB, Cloud, png

from fixtures_pictures import TAKEN
from localcontroller.hard_examples import HardExampleWatch
from localcontroller.settings import HardExamples
from sedna.common.clock import SettableClock
from sedna.common.errors import AuthError, DataError, LinkUnavailableError
from sedna.common.types import ORIENTATION_META, Picked

CLOCK = SettableClock()


class Desk:
    def __init__(self, root: Path) -> None:
        self.cloud = Cloud()
        self.images = root / "he"
        self.images.mkdir()
        self.data = root / "data"

    def add(self, name: str, data: bytes, age: float = 10.0) -> Path:
        path = self.images / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        when = CLOCK.now().timestamp() - age
        os.utime(path, (when, when))
        return path

    def watch(self) -> HardExampleWatch:
        entry = HardExamples(job=JOB, folder=self.images)
        return HardExampleWatch(self.cloud, "pod.ns", (entry,), self.data, CLOCK, lambda _: 4)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_image_becomes_a_sample_once(desk: Desk) -> None:
    path = desk.add("day/1.png", png(1))
    watch = desk.watch()
    assert watch.look() == 1
    ((record, data),) = desk.cloud.samples.values()
    assert data == path.read_bytes() == png(1)
    assert (record.picked, record.width, record.height) == (Picked.HARD, 32, 24)
    assert (record.edge, record.model_version, record.job) == ("pod.ns", 4, JOB)
    assert record.captured_at.timestamp() == pytest.approx(CLOCK.now().timestamp() - 10)
    assert watch.look() == 0
    assert desk.watch().look() == 0, "nor after a restart"
    desk.add("day/1.png", png(2), age=5)
    assert watch.look() == 1, "another image under the name of the first"
    assert path.exists(), "the folder is the program's"


def test_an_image_that_is_being_written_waits(desk: Desk) -> None:
    path = desk.add("1.png", png(1)[:40], age=0.5)
    watch = desk.watch()
    assert watch.look() == 0
    path.write_bytes(png(1))
    os.utime(path, (CLOCK.now().timestamp() - 3,) * 2)
    assert watch.look() == 1


def test_other_files_are_left_alone(desk: Desk) -> None:
    desk.add("notes.txt", b"x")
    desk.add("1.png", b"no picture")
    (desk.images / "folder.png").mkdir()
    assert desk.watch().look() == 0
    assert desk.cloud.samples == {}


def test_nothing_is_lost_while_the_cloud_is_away(desk: Desk) -> None:
    desk.add("1.png", png(1))
    desk.add("2.png", png(2), age=20)
    watch = desk.watch()
    desk.cloud.away = 1
    with pytest.raises(LinkUnavailableError):
        watch.look()
    desk.cloud.refuse = AuthError("token")
    with pytest.raises(AuthError):
        watch.look()
    desk.cloud.refuse = None
    assert watch.look() == 2


def test_a_refused_image_is_in_nobodys_way(desk: Desk) -> None:
    desk.add("1.png", png(1))
    watch = desk.watch()
    desk.cloud.refuse = DataError("too few pixels")
    assert watch.look() == 0
    desk.cloud.refuse = None
    desk.add("2.png", png(2))
    assert watch.look() == 1


def test_a_list_that_a_crash_cut_short_is_read(desk: Desk) -> None:
    desk.add("1.png", png(1))
    desk.add("2.png", png(2))
    desk.watch().look()
    done = desk.data / "hard_examples.jsonl"
    done.write_text(done.read_text()[:-9] + "\n")
    assert desk.watch().look() == 1, "the one whose line is damaged"
    assert len(desk.cloud.samples) == 2


def test_without_a_folder_there_is_nothing_to_do(desk: Desk) -> None:
    desk.images.rmdir()
    assert desk.watch().look() == 0


def test_hidden_names_and_pipes_are_no_images(desk: Desk) -> None:
    for name in (".1.png", "._1.png", ".ipynb_checkpoints/1.png", "__MACOSX/1.png"):
        desk.add(name, png(1))
    os.mkfifo(desk.images / "pipe.png")
    (desk.images / "zero.png").symlink_to("/dev/zero")
    assert desk.watch().look() == 0


@pytest.mark.parametrize("name", ["mpo", "tiff-orientation-6", "gif", "ppm", "tiff-int32"])
def test_an_image_is_handed_in_as_the_service_will_see_it(desk: Desk, name: str) -> None:
    """Of its depth the job decides, which only the service knows."""
    case = TAKEN[name]
    desk.add(f"a.{case.extension}", case.data)
    assert desk.watch().look() == 1
    ((record, data),) = desk.cloud.samples.values()
    assert data == case.data
    assert (record.height, record.width, record.extension) == (*case.pixels.shape[:2], case.extension)
    assert record.meta.get(ORIENTATION_META, 1) == case.orientation
