"""kill -9 of everything, at the worst moment."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from e2e.boards import HOLDOUT, stream, write_job, write_labels
from e2e.house import House, Service
from fixtures_service import eventually

pytestmark = pytest.mark.e2e

STEPS = 200


def train_loop(house: House, service: Service, count: int) -> set[str]:
    """A job whose dataset file lists boards with their labels; the ids of those that are not held out."""
    boards = stream(count)
    index = house.folder / "boards.txt"
    index.write_text("".join(f"{board.line(str(board.path))}\n" for board in boards))
    job = write_job(house.folder, max_iteration=STEPS, checkpoint_interval=2)
    job.write_text(job.read_text().replace("url: ''", f"url: {index}", 1))
    house.cli("job", "apply", "-f", str(job))
    ids = {board.sample for board in boards}
    eventually(lambda: service.sample_ids("&labelled=true") >= ids)
    eventually(lambda: service.job()["champion"] == 1)
    return ids


def test_the_power_fails_three_times_in_the_middle_of_a_training(house: House) -> None:
    """Once more than a job has retries: what is lost with its machine costs none."""
    again = house.up()
    ids = train_loop(house, again, 12)
    house.cli("trigger", "pcb", "train", "--reason", "e2e")
    manifest = house.folder / "data/store/default/pcb/rounds/1/checkpoints-1/manifest.json"
    before: list[str] = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        eventually(lambda before=before: _read(manifest) not in ([], before), 120)
        assert again.end(number) == (0 if number == signal.SIGTERM else -number)
        assert house.kill_workers(), "a training was under way"
        before = _read(manifest)  # only now does nobody write any more
        again = house.up()

    history = eventually(lambda: again.job()["state"]["history"], 120)
    assert [(entry["id"], entry["outcome"]) for entry in history] == [(1, "Inconclusive")]
    workers = again.get("jobs/default/pcb/rounds/1")["workers"]
    assert [(row["stage"], row["attempt"], row["phase"], row["cause"]) for row in workers] == [
        *(("Training", attempt, "Failed", "WorkerLost") for attempt in (1, 2, 3)),
        ("Training", 4, "Succeeded", ""),
        ("Evaluating", 1, "Succeeded", ""),
    ]
    log = house.cli("round", "logs", "pcb", "1", "--stage", "train")
    assert "resumed at step" in log, "an attempt goes on where the one before it was"
    assert workers[3]["progress"]["iteration"] == STEPS
    rows = [row for row in again.samples() if row["part"] != "holdout"]
    assert {row["record"]["sample_id"] for row in rows} == ids
    assert [row["round_used"] for row in rows] == [1] * len(ids), "every sample went into this round, and only once"
    (version,) = again.get("jobs/default/pcb/datasets")["items"]
    parts = version["train"] + version["eval"], version["holdout"], version["new"]
    assert parts == (len(ids), HOLDOUT, len(ids) + HOLDOUT)
    assert again.end() == 0
    house.check_logs()


def _read(path: Path) -> list[str]:
    return [path.read_text()] if path.exists() else []


def test_a_killed_edge_delivers_everything_that_it_kept(house: House) -> None:
    service = house.up()
    house.cli("job", "apply", "-f", str(write_job(house.folder)))
    edge = house.edge("line-1", service)
    eventually(edge.is_ready)
    kept: set[str] = set()
    for board in stream(24):
        said = edge.infer(board.image).json()["parameters"]
        kept |= {said["sample_id"]} if said["kept"] else set()
    assert edge.end(signal.SIGKILL) == -signal.SIGKILL  # some are uploaded, some on the way, some only on the disk
    assert len(kept) >= 12

    again = house.edge("line-1", service)
    eventually(lambda: service.sample_ids("&edge=line-1") >= kept)
    assert service.sample_ids("&edge=line-1") == kept
    eventually(again.is_ready)
    assert again.infer(stream(1, start=30)[0].image).status_code == 200
    wanted = [board for board in stream(24) if board.sample in kept]
    labels = write_labels(house.folder / "labels.txt", wanted)
    done = house.cli("sample", "import", "pcb", str(labels), "--format", "txt", "-o", "json", as_json=True)
    boxes = sum(len(board.boxes) for board in wanted)
    assert done == {
        "labelled": len(kept), "unchanged": 0, "unknown": [], "problems": [], "skipped": [],
        "pictures": {"taken": len(kept), "skipped": 0, "refused": 0},
        "annotations": {"taken": boxes, "skipped": 0, "refused": 0},
        "holdout_changed": 0, "turned": 0, "class_names": ["open", "short", "mousebite", "spur", "copper", "pin-hole"],
    }  # fmt: skip
    assert (again.end(), service.end()) == (0, 0)
    house.check_logs()
