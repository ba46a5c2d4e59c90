"""One bad line stops nothing: neither the good ones of its batch, nor triggers, the first model, or the service."""

import json
import os
import threading
from dataclasses import replace

import pytest

from fixtures_gm import KEY, job_spec, png
from globalmanager.db import lines, requests, samples
from globalmanager.db.values import SampleFilter
from globalmanager.engine import Engine
from globalmanager.ingest import ImportWish, dataset_reading, import_labels, sources
from globalmanager.ingest.dataset_watch import DatasetWatch
from sedna.common.errors import DataError, StoreUnavailableError
from sedna.loop.observation import ManualRequest
from sedna.loop.state import RoundKind

HALF = "\ud800"


@pytest.fixture
def stream(world):
    """A job fed by an index alone, with four pictures, which never trains by itself."""
    for number in range(4):
        (world.folder / f"{number}.png").write_bytes(png(number))
    spec = job_spec()
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 1000
    world.spec = spec
    return world


def sources_of(world):
    with world.db.read() as session:
        page = samples.list_page(session, world.job().id, SampleFilter(), limit=1000, newest_first=False)
    return [row.source for row in page.items]


def write(world, data, name="stream.txt"):
    (world.folder / name).write_bytes(data)


NUL = b"0.png 0\n\0\0\0\0\0\0\n1.png 0\nnew1\0.png 0\n2.png 0\n"
JSONL = [
    {"x": "0.png", "y": 0},
    {"x": "new1\0.png", "y": 0},
    {"x": f"half{HALF}.png", "y": 0},
    {"x": "1.png", "y": 0},
    {"x": "pipe", "y": 0},
    {"x": "x" * 300, "y": 0},
    {"x": "/dev/zero", "y": 0},
    {"x": "2.png", "y": 0},
]


@pytest.mark.parametrize(
    ("fmt", "data", "told"),
    [
        ("txt", NUL, ["NUL character"]),
        ("txt", NUL.replace(b"\n", b"\r\n"), ["NUL character"]),
        (
            "jsonl",
            "\n".join(json.dumps(row) for row in JSONL).encode(),
            ["NUL character", "half a character", "named pipe", "name too long", "a device"],
        ),
        ("csv", b"x,y\n0.png,0\nnew\0.png,0\n1.png,0\n2.png,0\n", ["NUL character"]),
    ],
    ids=["txt", "txt-crlf", "jsonl", "csv"],
)
def test_the_good_lines_go_in_beside_any_other(stream, fmt, data, told):
    os.mkfifo(stream.folder / "pipe")
    write(stream, data, f"index.{fmt}")
    stream.apply(stream.spec, url=str(stream.folder / f"index.{fmt}"), format=fmt)
    job = stream.tick(3)
    assert sources_of(stream) == ["0.png", "1.png", "2.png"]
    assert job.degraded is None
    (event,) = stream.events("DatasetProblem")
    for words in told:
        assert words in json.dumps(event.data), words


def test_coco_with_odd_names(stream):
    names = ["0.png", "new1\0.png", f"half{HALF}.png", "1.png"]
    content = {
        "images": [{"id": n, "file_name": name, "width": 8, "height": 8} for n, name in enumerate(names, 1)],
        "categories": [{"id": 1, "name": "good"}],
        "annotations": [],
    }
    write(stream, json.dumps(content).encode(), "coco.json")
    stream.apply(stream.spec, url=str(stream.folder / "coco.json"), format="coco")
    stream.tick(3)
    assert sources_of(stream) == ["0.png", "1.png"]
    wish = ImportWish(label_format="coco", mode="clip", author="cvat")
    report = import_labels(stream.db, KEY, json.dumps(content).encode(), wish, stream.clock.now())
    assert (report.labelled, report.unchanged, len(report.problems)) == (0, 2, 2)
    assert report.model_dump_json()  # an answer can carry it
    with pytest.raises(DataError, match="half a character"):
        import_labels(stream.db, KEY, json.dumps(content).encode(), replace(wish, mode="strict"), stream.clock.now())


def test_utf_16_without_its_mark_says_so(stream):
    write(stream, "0.png 0\n1.png 0\n".encode("utf-16-le"))
    stream.apply(stream.spec)
    job = stream.tick(2)
    assert "if the file is UTF-16, save it as UTF-8" in job.degraded
    assert "internal error" not in job.degraded
    write(stream, b"0.png 0\n1.png 0\n")
    job = stream.tick(2)
    assert job.degraded is None
    assert sources_of(stream) == ["0.png", "1.png"]


def test_whatever_a_line_raises_is_its_own_fault(stream, monkeypatch, caplog):
    """A defect of ours, found by one picture."""
    decode = dataset_reading.decode

    def fail(data, **options):
        if options["where"] == "1.png":
            raise RuntimeError("a defect")
        return decode(data, **options)

    monkeypatch.setattr(dataset_reading, "decode", fail)
    write(stream, b"0.png 0\n1.png 0\n2.png 0\n")
    stream.apply(stream.spec)
    job = stream.tick(3)
    assert sources_of(stream) == ["0.png", "2.png"]
    assert job.degraded is None
    (event,) = stream.events("DatasetProblem")
    assert "line 2: cannot be taken: RuntimeError: a defect" in event.message
    assert "a defect" in caplog.text


def test_an_entry_that_cannot_be_stored_is_found_among_its_batch(stream, monkeypatch):
    take = lines.take

    def fail(session, job_id, holdout, name, digest):
        if name == "1.png":
            raise ValueError("the database cannot hold it")
        take(session, job_id, holdout, name, digest)

    monkeypatch.setattr(lines, "take", fail)
    write(stream, b"0.png 0\n1.png 0\n2.png 0\n")
    stream.apply(stream.spec)
    stream.tick(3)
    assert sources_of(stream) == ["0.png", "2.png"]
    assert "cannot be stored: ValueError" in stream.events("DatasetProblem")[0].message
    assert [event.data["samples"] for event in stream.events("DatasetImported")] == [2]


def test_entries_that_wait_go_when_the_file_changes(stream, monkeypatch):
    """They were put back unchanged until the service was started again."""
    stored = dataset_reading.store_sample

    def away(*_):
        raise StoreUnavailableError("the store is away")

    monkeypatch.setattr(dataset_reading, "store_sample", away)
    write(stream, b"0.png 0\n1.png 0\n")
    stream.apply(stream.spec)
    stream.tick(3)
    assert "the store is away" in stream.job().degraded
    write(stream, b"2.png 0\n3.png 0\n")
    stream.clock.advance(31)
    monkeypatch.setattr(dataset_reading, "store_sample", stored)
    stream.tick(40)
    assert sources_of(stream) == ["2.png", "3.png"]
    assert stream.job().degraded is None


def test_a_file_that_stays_is_not_read_before_each_batch(stream, monkeypatch):
    read = []
    reading = sources.LocalFolder.read

    def count(folder, name, max_bytes):
        read.append(name)
        return reading(folder, name, max_bytes)

    monkeypatch.setattr(sources.LocalFolder, "read", count)
    monkeypatch.setattr(dataset_reading, "BATCH", 1)
    write(stream, b"0.png 0\n1.png 0\n2.png 0\n3.png 0\n")
    stream.apply(stream.spec)
    stream.tick(4)
    assert sources_of(stream) == [f"{number}.png" for number in range(4)]
    assert read.count("stream.txt") == 1


def test_a_defect_of_the_watch_holds_back_neither_the_first_model_nor_a_trigger(stream, monkeypatch):
    def fail(*_):
        raise ValueError("embedded null byte")

    monkeypatch.setattr(DatasetWatch, "look", fail)
    stream.apply(stream.spec)
    stream.samples(4)
    job = stream.tick(2)
    assert "dataset: internal error: ValueError: embedded null byte" in job.degraded
    assert job.state.champion == 1
    wish = ManualRequest(id="", action=RoundKind.TRAIN, reason="now", requested_by="ann")
    with stream.db.write() as session:
        requests.add(session, stream.job(), wish, stream.clock.now())
    job = stream.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    with stream.db.read() as session:
        assert requests.oldest_open(session, job.id, deploy_only=False) is None


@pytest.fixture
def hung(monkeypatch):
    """Files below a folder ``share`` do not answer before the test is over."""
    gate = threading.Event()
    gate.asked = threading.Event()
    reading = sources.read_regular

    def read(path, max_bytes):
        if "share" in path.parts:
            gate.asked.set()
            gate.wait()
        return reading(path, max_bytes)

    monkeypatch.setattr(sources, "read_regular", read)
    yield gate
    gate.set()


@pytest.fixture
def shared(stream):
    (stream.folder / "share").mkdir()
    (stream.folder / "share" / "1.png").write_bytes(png(1))

    def patience(seconds):
        stream.settings = stream.settings.model_copy(update={"read_seconds": seconds})

    stream.patience = patience
    return stream


def test_a_picture_on_a_share_that_is_away_costs_its_own_lines_alone(shared, hung):
    shared.patience(0.2)
    write(shared, b"share/1.png 0\nshare/2.png 0\nshare/3.png 0\n0.png 0\n")
    shared.apply(shared.spec)
    shared.tick(2)
    assert sources_of(shared) == ["0.png"]
    (event,) = shared.events("DatasetProblem")
    assert "3 like" in event.message
    assert "it does not answer (is a network share away?)" in event.message
    hung.set()
    shared.until(lambda _: len(sources_of(shared)) == 2, ticks=200)
    assert sources_of(shared) == ["0.png", "share/1.png"]


def test_an_index_on_a_share_that_is_away_holds_up_no_end_of_the_service(shared, hung):
    shared.patience(3600)
    write(shared, b"0.png 0\n", "share/stream.txt")
    shared.apply(shared.spec, url=str(shared.folder / "share" / "stream.txt"))
    engine = Engine(shared.db, shared.store, shared.runtime, shared.clock, shared.settings)
    engine.start()
    while not hung.asked.wait(0.1):
        assert engine.running
    ending = threading.Thread(target=engine.stop)
    ending.start()
    ending.join(60)
    assert not ending.is_alive()
