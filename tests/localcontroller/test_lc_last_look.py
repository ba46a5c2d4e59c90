"""What a program keeps until the end of its Pod is handed in before the folders go."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from lc_cloud import JOB, Cloud, png

from localcontroller.hard_examples import HardExampleWatch
from localcontroller.last_look import hand_in_the_rest, port_answers
from localcontroller.settings import Ending, HardExamples
from sedna.common.clock import SettableClock
from sedna.common.errors import AuthError

GRACE = Ending(seconds=60, program_seconds=30, program_port=8000)
UNKNOWN = Ending(seconds=60, program_seconds=30)


class Pod:
    """Its time is the clock's. ``at``: what happens at which second after the signal."""

    def __init__(self, root: Path) -> None:
        self.clock = SettableClock()
        self.cloud = Cloud()
        self.images = root / "he"
        self.images.mkdir()
        entry = HardExamples(job=JOB, folder=self.images)
        self.watch = HardExampleWatch(self.cloud, "pod.ns", (entry,), root / "data", self.clock, lambda _: 4)
        self.at: dict[float, Callable[[], object]] = {}
        self.port_open_until = 0.0
        self.began = self.clock.monotonic()
        self.clock.sleep = self.sleep  # type: ignore[method-assign]

    @property
    def elapsed(self) -> float:
        return self.clock.monotonic() - self.began

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for when in [when for when in self.at if when <= self.elapsed]:
            self.at.pop(when)()

    def write(self, name: str, data: bytes) -> None:
        path = self.images / name
        path.write_bytes(data)
        when = self.clock.now().timestamp()
        os.utime(path, (when, when))

    def end(self, ending: Ending = GRACE) -> None:
        hand_in_the_rest(
            self.watch, ending, self.clock, lambda port: port == 8000 and self.elapsed < self.port_open_until
        )

    def taken(self) -> list[bytes]:
        return sorted(data for _, data in self.cloud.samples.values())


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_written_just_before_the_signal_it_arrives(pod: Pod) -> None:
    pod.write("1.png", png(1))
    pod.end()
    assert pod.taken() == [png(1)]
    assert pod.elapsed < 10, "nobody answers any more: the Pod need not stay"


@pytest.mark.parametrize("open_until", [8.0, 25.0])
def test_written_by_a_program_that_still_answers_it_arrives(pod: Pod, open_until: float) -> None:
    pod.port_open_until = open_until
    pod.at = {2.0: lambda: pod.write("1.png", png(1)), open_until + 3: lambda: pod.write("2.png", png(2))}
    pod.end()
    assert pod.taken() == sorted([png(1), png(2)])
    assert open_until + 5 <= pod.elapsed <= open_until + 15


def test_a_program_that_heeds_no_signal_is_followed_until_the_end(pod: Pod) -> None:
    pod.port_open_until = 10**6
    pod.at = {float(second): lambda s=second: pod.write(f"{s}.png", png(s)) for second in range(1, 100, 3)}
    pod.end()
    assert pod.elapsed <= 60 - 3 + 0.5
    assert len(pod.taken()) == len([second for second in range(1, 100, 3) if second <= 52])


def test_nobody_knows_when_the_program_ends(pod: Pod) -> None:
    pod.at = {29.0: lambda: pod.write("1.png", png(1))}
    pod.end(UNKNOWN)
    assert pod.taken() == [png(1)]
    assert 34 <= pod.elapsed <= 40


def test_an_image_over_which_the_program_was_killed_is_no_sample(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    pod.port_open_until = 10**6
    pod.at = {52.0: lambda: (pod.write("1.png", png(1)[:60]), pod.write("2.png", png(2)))}
    pod.end()
    assert pod.taken() == [png(2)]
    assert "1.png is no sample" in caplog.text


def test_a_cloud_that_comes_back_in_time_gets_all(pod: Pod) -> None:
    pod.write("1.png", png(1))
    pod.cloud.away = 20
    pod.end()
    assert pod.taken() == [png(1)]


def test_a_cloud_that_stays_away_does_not_hold_the_pod(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    pod.write("1.png", png(1))
    pod.write("2.png", png(2))
    pod.cloud.refuse = AuthError("token")
    pod.end()
    assert pod.elapsed <= 60 - 3 + 0.5
    assert "2 hard examples are lost" in caplog.text


def test_no_time_is_one_look(pod: Pod) -> None:
    pod.write("1.png", png(1))
    pod.end(Ending(seconds=4, program_seconds=4))
    assert pod.taken() == [png(1)]


def test_a_port_answers_while_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port_answers(port)
    assert not port_answers(port)
