import json
from pathlib import Path

import pytest
from sqlalchemy import delete

from fixtures_gm import KEY, job_spec, png
from globalmanager.db import samples
from globalmanager.db.tables import ImportedFolder
from globalmanager.db.values import SampleFilter
from globalmanager.engine.seams import EngineSeams
from globalmanager.ingest import dataset_watch, label_source
from globalmanager.ingest.sources import LocalFolder
from globalmanager.labelling import label_sample
from sedna.common.types import Annotation, sample_id


@pytest.fixture
def stream(world):
    """A job fed by a txt index alone, which never trains by itself."""
    spec = job_spec()
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 1000
    world.apply(spec)

    def add(*numbers, name="stream.txt", mode="a", boxes=" 1,1,5,5,0"):
        for number in numbers:
            (world.folder / f"{number}.png").write_bytes(png(number))
        with (world.folder / name).open(mode) as file:
            file.write("".join(f"{number}.png{boxes}\n" for number in numbers))

    world.add = add
    return world


def job_of(world):
    return world.job().spec.model_dump(by_alias=True, exclude_unset=True)


def listed(world, **wanted):
    with world.db.read() as session:
        page = samples.list_page(session, world.job().id, SampleFilter(**wanted), limit=1000, newest_first=False)
    return page.items


def test_lines_become_labelled_samples_once(stream):
    stream.add(1, 2, 3)
    stream.tick(2)
    stream.tick(3)
    rows = listed(stream)
    assert [row.source for row in rows] == ["1.png", "2.png", "3.png"]
    assert {row.record.picked for row in rows} == {"import"}
    assert {row.label.author for row in rows} == {"dataset/stream"}
    assert {row.part for row in rows} == {"train", "eval"}
    assert stream.store.get(f"default/boards/samples/{rows[0].record.sample_id}.png") == png(1)
    assert [event.data["samples"] for event in stream.events("DatasetImported")] == [3]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda add: add(4), 4),
        (lambda add: add(1, 2, 3, 4, mode="w"), 4),
        (lambda add: add(4, 5, mode="w"), 5),
        (lambda add: add(2, mode="w"), 3),
        (lambda add: add(9, 8, 7, 1, 2, 3, mode="w"), 6),
    ],
    ids=["appended", "rewritten", "rotated", "shrunk", "put in front"],
)
def test_a_changed_file_brings_what_is_new_in_it(stream, change, expected):
    stream.add(1, 2, 3)
    stream.tick(2)
    change(stream.add)
    stream.tick(2)
    assert len(listed(stream)) == expected


def test_a_line_with_another_label_labels_again(stream):
    stream.add(1)
    stream.tick(2)
    stream.add(1, boxes="")
    stream.tick(2)
    [row] = listed(stream)
    assert row.label.annotation.boxes == ()
    with stream.db.read() as session:
        assert len(samples.story(session, stream.job().id, row.record.sample_id).labels) == 2


def test_a_label_that_goes_back_to_an_earlier_one_is_news_too(stream):
    labels = []
    for boxes in (" 1,1,5,5,0", " 0", " 1,1,5,5,0", " 0"):
        stream.add(1, 2, mode="w", boxes=boxes)
        stream.tick(2)
        labels.append([row.label.annotation.label for row in listed(stream)])
    assert labels == [[None, None], [0, 0], [None, None], [0, 0]]
    with stream.db.read() as session:
        told = samples.story(session, stream.job().id, listed(stream)[0].record.sample_id).labels
    assert [label.annotation.label for label in told] == [None, 0, None, 0]


def test_an_unchanged_line_does_not_come_back_over_a_persons_label(stream):
    stream.add(1, boxes=" 0")
    stream.tick(2)
    [row] = listed(stream)
    label_sample(stream.db, KEY, row.record.sample_id, Annotation(label=1), "ann", stream.clock.now())
    stream.add(2, boxes=" 0")  # the file changes, and says about image 1 what it said before
    stream.tick(3)
    assert [row.label.annotation.label for row in listed(stream)] == [1, 0]


def test_of_several_lines_about_one_image_the_last_counts(stream):
    stream.add(1, boxes=" 0")
    stream.add(1, boxes=" 1")
    stream.add(1, boxes=" 0")
    stream.tick(3)
    assert [row.label.annotation.label for row in listed(stream)] == [0]
    stream.add(1, boxes=" 1,1,5,5,0")
    (stream.folder / "stream.txt").write_text("1.png 1\n1.png 1,1,2,2,0\n1.png 0\n")
    stream.tick(3)
    assert [row.label.annotation.label for row in listed(stream)] == [0]


@pytest.mark.parametrize("restart", [False, True])
def test_an_entry_that_becomes_usable_late_does_not_replace_a_later_one(stream, restart):
    """The last line about an image counts, and so does what a person says after it."""
    (stream.folder / "stream.txt").write_text("1.png 1,1,50,5,0\n1.png 0\n2.png 1,1,50,5,0\n2.png 0\n")
    for number in (1, 2):
        (stream.folder / f"{number}.png").write_bytes(png(number))
    stream.tick(3)
    assert [row.label.annotation.label for row in listed(stream)] == [0, 0]
    label_sample(stream.db, KEY, sample_id(png(2)), Annotation(label=1), "ann", stream.clock.now())
    spec = job_of(stream)
    for number in (1, 2):
        (stream.folder / f"{number}.png").write_bytes(png(number + 100, (60, 60)))  # the first lines are possible now
    if restart:
        stream.crash()
    stream.apply(spec)
    stream.tick(5)
    assert [row.label.annotation.label for row in listed(stream)] == [0, 1]


def test_images_that_are_missing_or_damaged_are_told_once_and_tried_again(stream):
    stream.add(1, 2, 3, 4)
    (stream.folder / "2.png").unlink()
    (stream.folder / "3.png").write_bytes(png(3)[:45])
    with (stream.folder / "stream.txt").open("a") as file:
        file.write("4.png 1,1,50,5,0\n4.png 1,1\n4.png 1,1,5,5,7\n")
    stream.tick(4)
    assert [row.source for row in listed(stream)] == ["1.png", "4.png"]
    [problem] = stream.events("DatasetProblem")
    assert (problem.level, problem.data["entries"], problem.data["unusable"]) == ("warning", 7, 5)
    examples = [kind["example"] for kind in problem.data["problems"]]
    assert "line 2" in examples[0]
    assert "there is no such file" in examples[0]
    assert "damaged" in examples[1]
    assert "outside the image" in examples[2]
    assert "is no box" in examples[3]
    assert "class 7 is not known" in examples[4]
    assert all(example in problem.message for example in examples)
    (stream.folder / "2.png").write_bytes(png(2))
    stream.tick(2)
    assert len(listed(stream)) == 3
    assert len(stream.events("DatasetProblem")) == 1
    assert stream.job().degraded is None


def test_hold_out_samples_are_never_trained_on(stream):
    spec = job_spec()
    stream.apply(spec, holdoutUrl=str(stream.folder / "holdout.txt"))
    stream.add(1, 2, 3, name="holdout.txt")
    stream.add(*range(1, 12))
    stream.until(lambda job: job.state.champion == 2)
    held = listed(stream, part="holdout")
    assert {row.source for row in held} == {"1.png", "2.png", "3.png"}
    train, evaluate = stream.trainer.runs
    ids = {row.record.sample_id for row in held}
    from pathlib import Path

    trained = Path(train.env["TRAIN_DATASET_URL"]).read_text()
    assert not any(sample in trained for sample in ids)
    assert stream.round(1).evaluation.holdout == ids
    assert stream.round(1).verdict.outcome == "better"
    assert stream.job().totals.holdout == 3
    assert all(sample in Path(evaluate.env["TEST_DATASET_URL"]).read_text() for sample in ids)


def test_a_hold_out_of_many_batches_is_through_before_the_training_file_gets_its_turn(stream):
    both = range(1, 151)
    stream.add(*both, name="holdout.txt")
    stream.add(*reversed(both))
    stream.apply(job_of(stream), holdoutUrl=str(stream.folder / "holdout.txt"))
    stream.tick(10)
    assert {row.part for row in listed(stream)} == {"holdout"}
    assert stream.job().totals.holdout == 150
    assert stream.events("DatasetProblem") == []


def test_a_hold_out_that_cannot_be_read_keeps_the_training_file_waiting(stream):
    spec = job_of(stream)
    spec["trainSpec"]["trigger"]["checkPeriodSeconds"] = 60
    stream.apply(spec, holdoutUrl=str(stream.folder / "holdout.txt"))
    stream.add(1, 2, 3)
    assert "there is no such file" in stream.tick(15).degraded
    assert listed(stream) == ()
    stream.add(3, name="holdout.txt")
    stream.until(lambda job: job.degraded is None)
    assert {row.source: row.part for row in listed(stream)}["3.png"] == "holdout"
    assert len(listed(stream)) == 3


def test_a_hold_out_that_the_dataset_names_no_longer_is_not_looked_at(stream):
    spec = job_of(stream)
    spec["trainSpec"]["trigger"]["checkPeriodSeconds"] = 60
    stream.apply(spec, holdoutUrl=str(stream.folder / "holdout.txt"))
    stream.add(1, name="holdout.txt")
    watch = dataset_watch.DatasetWatch()
    seams = EngineSeams(
        db=stream.db, store=stream.store, clock=stream.clock, settings=stream.settings, token=1, runtime=stream.runtime
    )
    stream.tick()
    watch.look(seams, stream.job())
    stream.apply(spec)
    stream.clock.advance(60)
    assert watch.wants_a_look(stream.job(), stream.clock.now())
    watch.look(seams, stream.job())
    assert not watch.wants_a_look(stream.job(), stream.clock.now())
    stream.clock.advance(60)
    assert watch.wants_a_look(stream.job(), stream.clock.now())


def test_a_sample_that_was_trained_on_cannot_become_hold_out(stream):
    stream.add(1)
    stream.tick(2)
    stream.add(1, name="holdout.txt")
    stream.apply(
        stream.job().spec.model_dump(by_alias=True, exclude_unset=True), holdoutUrl=str(stream.folder / "holdout.txt")
    )
    stream.tick(5)
    [row] = listed(stream)
    assert row.part in ("train", "eval")
    [problem] = stream.events("DatasetProblem")
    assert "cannot become hold-out" in problem.message
    assert stream.job().degraded is None


def test_a_sample_from_an_edge_that_nobody_has_labelled_can_become_hold_out(stream):
    stream.images = 49
    stream.sample(label=None)
    stream.apply(
        stream.job().spec.model_dump(by_alias=True, exclude_unset=True), holdoutUrl=str(stream.folder / "holdout.txt")
    )
    stream.add(50, name="holdout.txt")
    stream.tick(3)
    [row] = listed(stream)
    assert (row.part, row.record.picked) == ("holdout", "hard")


def test_a_coco_file_is_watched_as_well(stream):
    (stream.folder / "1.png").write_bytes(png(1))
    (stream.folder / "2.png").write_bytes(png(2, size=(9, 9)))
    coco = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 8, "height": 8} for n in (1, 2)],
        "categories": [{"id": 5, "name": "bad"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4], "iscrowd": 0}],
    }
    (stream.folder / "coco.json").write_text(json.dumps(coco))
    spec = stream.job().spec.model_dump(by_alias=True, exclude_unset=True)
    stream.apply(spec, url=str(stream.folder / "coco.json"), format="json")
    stream.tick(3)
    [row] = listed(stream)
    [box] = row.label.annotation.boxes
    assert (box.x1, box.y1, box.x2, box.y2, box.label) == (1, 2, 4, 6, 1)
    [problem] = stream.events("DatasetProblem")
    assert "the file says the image is 8 x 8, it is 9 x 9" in problem.message


def index_in(world, folder, numbers, *, name="stream.txt", labels=" 0", first=0):
    """An index in a folder of its own, and what image it calls n.png."""
    path = world.folder / folder
    path.mkdir(exist_ok=True)
    for number in numbers:
        (path / f"{number}.png").write_bytes(png(number + first))
    (path / name).write_text("".join(f"{number}.png{labels}\n" for number in numbers))
    return path / name


def test_in_another_folder_the_same_lines_are_about_other_images(stream):
    first = index_in(stream, "day1", (1, 2, 3))
    stream.apply(job_of(stream), url=str(first))
    stream.tick(3)
    second = index_in(stream, "day2", (1, 2, 3), first=100)
    stream.apply(job_of(stream), url=f"file://{second}")
    stream.tick(3)
    assert [row.record.sample_id for row in listed(stream)] == [sample_id(png(n)) for n in (1, 2, 3, 101, 102, 103)]


@pytest.mark.parametrize("folder", ["day1", "moved"], ids=["renamed", "moved"])
def test_an_index_that_has_only_moved_does_not_come_back_over_a_persons_label(stream, folder):
    stream.apply(job_of(stream), url=str(index_in(stream, "day1", (1, 2))))
    stream.tick(3)
    label_sample(stream.db, KEY, sample_id(png(1)), Annotation(label=1), "ann", stream.clock.now())
    told = stream.job().totals
    for url in (index_in(stream, folder, (1, 2), name="other.txt"), stream.folder / "day1" / "stream.txt"):
        stream.apply(job_of(stream), url=str(url))
        stream.tick(3)
        assert [row.label.annotation.label for row in listed(stream)] == [1, 0]
    assert stream.job().totals == told
    assert len(stream.events("DatasetImported")) == (1 if folder == "day1" else 3)
    index_in(stream, "day1", (1, 2), labels=" 1,1,5,5,0")
    stream.tick(3)
    assert [row.label.author for row in listed(stream)] == ["dataset/stream"] * 2, "that is news again"


def test_lines_known_before_folders_were_noted_belong_to_the_first_one_seen(stream):
    stream.apply(job_of(stream), url=str(index_in(stream, "day1", (1, 2, 3))))
    stream.tick(3)
    with stream.db.write() as session:
        session.execute(delete(ImportedFolder))  # as an upgrade finds it
    stream.crash()
    stream.tick(3)
    assert len(stream.events("DatasetImported")) == 1
    stream.apply(job_of(stream), url=str(index_in(stream, "day2", (1, 2, 3), first=100)))
    stream.tick(3)
    assert len(listed(stream)) == 6


TABLES = {
    "csv": (
        'camera,x,y\nleft,1.png,1\nleft,2.png,"1,1,5,5,0 2,2,4,4,1"\n\nright,3.png,\n'
        "left,4.png,1,1,5,5,0\nleft,,1\nleft,5.png,ugly\nleft,missing.png,1\nleft,6.png,7\n"
    ),
    "jsonl": """\
{"x": "1.png", "y": 1, "camera": "left"}
{"x": "2.png", "y": [[1, 1, 5, 5, 0], [2, 2, 4, 4, 1]]}

{"x": "3.png", "y": []}
{"x": "4.png"}
no json
{"x": "5.png", "y": "ugly"}
{"x": "missing.png", "y": 1}
{"x": "6.png", "y": 7}
""",
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_watched_as_well(stream, kind):
    for number in range(1, 7):
        (stream.folder / f"{number}.png").write_bytes(png(number))
    path = stream.folder / f"table.{kind}"
    path.write_text(TABLES[kind])
    stream.apply(job_spec(), url=str(path), format=kind.upper())
    stream.tick(3)
    shown = {row.source: row.label.annotation for row in listed(stream)}
    assert shown.keys() == {"1.png", "2.png", "3.png"}
    assert shown["1.png"].label == 1
    assert [(box.x1, box.y1, box.x2, box.y2, box.label) for box in shown["2.png"].boxes] == [
        (1, 1, 5, 5, 0),
        (2, 2, 4, 4, 1),
    ]
    assert shown["3.png"] == Annotation()
    [problem] = stream.events("DatasetProblem")
    problems = [kind["example"] for kind in problem.data["problems"]]
    assert len(problems) == 5
    first = {"csv": 6, "jsonl": 5}[kind]
    for number, problem in enumerate(problems, start=first):
        assert f"{path}: line {number}: " in problem
    for words, problem in zip(PROBLEMS[kind], problems, strict=True):
        assert words in problem
    with path.open("a") as file:
        file.write({"csv": "left,4.png,0\n", "jsonl": '{"x": "4.png", "y": "0"}\n'}[kind])
    stream.tick(2)
    assert listed(stream)[-1].label.annotation.label == 0
    assert len(stream.events("DatasetProblem")) == 1
    assert stream.job().degraded is None


PROBLEMS = {
    "csv": ["7 values under a header of 3", "x is empty", "'ugly'", "no such file", "class 7 is not known"],
    "jsonl": ["there is no key y", "this is no JSON", "'ugly'", "no such file", "class 7 is not known"],
}


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ({"url": "/no/such/index.txt", "format": "txt"}, "there is no such file"),
        ({"url": "stream.txt", "format": "txt"}, "is relative"),
        ({"url": "http://host/index.txt", "format": "txt"}, "cannot be read"),
        ({"format": "csv"}, "no column 'x'"),
        ({"format": "json"}, "this is no JSON"),
    ],
)
def test_a_dataset_that_cannot_be_read_degrades_the_job_and_the_loop_goes_on(stream, dataset, words):
    stream.add(100)
    stream.apply(job_spec(), **dataset)
    stream.samples(8)
    job = stream.tick(4)
    assert "dataset: " in job.degraded
    assert words in job.degraded
    assert job.state.champion == 2
    assert len(stream.events("Degraded")) == 1
    stream.apply(job_spec())
    stream.until(lambda job: job.degraded is None)
    assert any(row.source == "100.png" for row in listed(stream))


def test_a_job_without_class_names_takes_any_label(stream):
    spec = job_spec()
    del spec["classNames"]
    stream.apply(spec)
    stream.add(*range(1, 9), boxes=" 41")
    stream.until(lambda job: job.state.champion == 2)
    assert {row.label.annotation.label for row in listed(stream)} == {41}


def test_many_lines_are_taken_in_batches_and_survive_a_crash(stream):
    stream.add(*range(1, 151))
    stream.clock.advance(1)
    assert stream.engine().tick()
    assert len(listed(stream)) == 64
    stream.crash()
    stream.tick(3)
    assert len(listed(stream)) == 150
    assert stream.job().totals.samples == 150


def test_a_source_is_opened_once_and_closed_when_another_takes_its_place(stream, monkeypatch):
    opened = []

    class Counting(LocalFolder):
        def close(self):
            opened.remove(self)

    def counting(url, where, s3=None, patience=None):
        opened.append(Counting(Path(url).parent))
        return opened[-1], Path(url).name

    monkeypatch.setattr(label_source, "open_source", counting)
    stream.add(1)
    stream.tick(5)
    stream.add(2)
    stream.tick(5)
    assert len(opened) == 1
    stream.add(3, name="other.txt")
    stream.apply(stream.job().spec.model_dump(by_alias=True, exclude_unset=True), url=str(stream.folder / "other.txt"))
    stream.tick(3)
    assert len(opened) == 1
    assert [row.source for row in listed(stream)] == ["1.png", "2.png", "3.png"]


def test_a_slip_of_the_keyboard_does_not_make_a_job_count_to_a_billion(stream):
    """Without class names the classes are counted up to the largest label."""
    spec = job_spec()
    del spec["classNames"]
    stream.apply(spec)
    stream.add(1, boxes=" 1000000000000")
    stream.add(2, boxes=" 1,1,5,5,1000000000000")
    stream.add(3, boxes=" 99999")
    stream.tick(3)
    assert [row.source for row in listed(stream)] == ["3.png"]
    [problem] = stream.events("DatasetProblem")
    assert [kind["count"] for kind in problem.data["problems"]] == [2]
    assert "label 1000000000000 is too large" in problem.message


def test_a_dataset_of_which_nothing_is_usable_degrades_the_job_until_something_is(stream):
    """Rows of a table instead of pictures: one event however many lines, and no going on and off between tries."""
    lines = [f"{number / 10},{number % 7}.5,red" for number in range(200)]
    (stream.folder / "stream.txt").write_text("\n".join([*lines, "a.png 1,2", ""]))
    job = stream.tick(8)
    assert "dataset: Dataset default/stream: url: none of the 201 entries can be used" in job.degraded
    assert "200 like " in job.degraded
    assert "line 1: " in job.degraded
    assert "there is no such file" in job.degraded
    assert "1 like " in job.degraded
    assert "'1,2' is no box" in job.degraded
    assert "an entry names a picture and says what it shows" in job.degraded
    assert len(job.degraded) < 1500
    with (stream.folder / "stream.txt").open("a") as file:
        file.write("b.png 1,2\n")
    assert "none of the 202 entries" in stream.tick(8).degraded
    job = stream.tick(60)
    assert len(stream.events("Degraded")) == 2, "one a reading that brought something new"
    assert stream.events("Recovered") == []
    assert stream.events("DatasetProblem") == []
    stream.crash()
    stream.tick(20)
    assert stream.job().degraded == job.degraded
    stream.add(1)
    stream.until(lambda job: job.degraded is None)
    stream.tick(30)
    assert [row.source for row in listed(stream)] == ["1.png"]
    assert stream.job().degraded is None


def test_images_that_come_later_end_the_trouble(stream):
    stream.add(*range(1, 101))
    for number in range(1, 101):
        (stream.folder / f"{number}.png").unlink()
    assert "none of the 100 entries" in stream.tick(5).degraded
    (stream.folder / "90.png").write_bytes(png(90))
    stream.until(lambda job: job.degraded is None)
    assert [row.source for row in listed(stream)] == ["90.png"]


def test_a_hold_out_of_which_nothing_is_usable_keeps_the_training_file_waiting(stream):
    """Its images may be in the training file under their right names."""
    stream.add(1, 2)
    (stream.folder / "holdout.txt").write_text("wrong/1.png 0\nwrong/2.png 0\n")
    stream.apply(job_of(stream), holdoutUrl=str(stream.folder / "holdout.txt"))
    assert "holdoutUrl: none of the 2 entries" in stream.tick(15).degraded
    assert listed(stream) == ()
    (stream.folder / "holdout.txt").write_text("1.png 0\n")
    stream.until(lambda job: job.degraded is None)
    assert {row.source: row.part for row in stream_parts(stream)}["1.png"] == "holdout"


def stream_parts(stream):
    stream.tick(3)
    return listed(stream)


def test_of_a_file_with_many_bad_lines_the_events_are_few_and_short(stream):
    stream.add(1)
    with (stream.folder / "stream.txt").open("a") as file:
        file.write("".join(f"no/{number}/{'x' * 500}.png 0\n" for number in range(300)))
    stream.tick(10)
    [problem] = stream.events("DatasetProblem")
    assert "300 of 301 entries" in problem.message
    assert len(problem.message) < 1500
    assert len(stream.events("DatasetImported")) == 1
    assert stream.job().degraded is None
    with (stream.folder / "stream.txt").open("a") as file:
        file.write("2.png 1,2\n")
    stream.tick(10)
    _, problem = stream.events("DatasetProblem")
    assert "301 of 302 entries" in problem.message, "a new problem is told with what is still wrong"


def test_an_empty_index_is_no_trouble(stream):
    stream.tick(5)
    assert stream.job().degraded is None


@pytest.fixture
def yolo(stream):
    """A YOLO folder with two parts, of which the second is the hold-out."""
    root = stream.folder / "boards"

    def put(part, *numbers, box="1 0.5 0.5 0.5 0.5\n", picture=True):
        for number in numbers:
            for folder, suffix, data in (("images", "png", png(number)), ("labels", "txt", box.encode())):
                path = root / folder / part / f"{number}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                if suffix == "txt" or picture:
                    path.write_bytes(data)

    put("train", 1, 2)
    put("val", 3)
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [good, bad]\n")
    stream.put, stream.root = put, root
    return stream


def test_a_description_of_a_yolo_folder_names_training_file_and_hold_out(yolo):
    yolo.apply(job_of(yolo), url=str(yolo.root / "data.yaml"), holdoutUrl=str(yolo.root / "data.yaml"), format="yolo")
    yolo.tick(3)
    assert {row.source: row.part == "holdout" for row in listed(yolo)} == {
        "images/train/1.png": False,
        "images/train/2.png": False,
        "images/val/3.png": True,
    }
    [box] = listed(yolo)[0].label.annotation.boxes
    assert (box.x1, box.y1, box.x2, box.y2, box.label) == (2, 2, 6, 6, 1)


def test_of_a_folder_that_grows_only_what_is_new_is_taken(yolo):
    yolo.apply(job_of(yolo), url=str(yolo.root / "labels"), format="yolo")
    yolo.tick(3)
    label_sample(yolo.db, KEY, sample_id(png(1)), Annotation(), "ann", yolo.clock.now())
    yolo.put("train", 4)
    yolo.put("train", 5, picture=False)
    yolo.put("train", 6, box="7 0.5 0.5 0.5 0.5\n")
    yolo.tick(3)
    assert [event.data["samples"] for event in yolo.events("DatasetImported")] == [3, 1]
    [problem] = yolo.events("DatasetProblem")
    assert "2 of 6 entries" in problem.message
    assert "labels/train/5.txt: " in problem.message
    assert "there is no such file" in problem.message
    assert "class 7 has no name (the classes of the files: 0 good, 1 bad)" in problem.message
    assert listed(yolo)[0].label.author == "ann"
    yolo.put("train", 5)
    yolo.put("train", 1, box="0 0.5 0.5 0.5 0.5\n")
    yolo.tick(3)
    assert [row.source for row in listed(yolo)][-1] == "images/train/5.png"
    assert listed(yolo)[0].label.author == "dataset/stream"


def test_a_folder_that_is_no_yolo_folder_degrades_the_job(yolo):
    (yolo.folder / "empty").mkdir()
    yolo.apply(job_of(yolo), url=str(yolo.folder / "empty"), format="yolo")
    assert yolo.tick(3).degraded is None, "labels may come later"
    yolo.apply(job_of(yolo), url=str(yolo.root / "images"), format="voc")
    assert "there is no VOC file" in yolo.tick(15).degraded
    yolo.apply(job_of(yolo), url=str(yolo.root), format="yolo")
    yolo.until(lambda job: job.degraded is None)
    assert len(listed(yolo)) == 3


def test_another_format_at_the_same_address_is_read_anew(yolo):
    (yolo.folder / "stream.txt").write_text('{"x": "boards/images/train/1.png", "y": 1}\n')
    assert "the only entry cannot be used" in yolo.tick(3).degraded
    yolo.apply(job_of(yolo), format="jsonl")
    yolo.until(lambda job: job.degraded is None)
    assert [row.label.annotation.label for row in listed(yolo)] == [1]


def test_a_training_list_changes_no_label_of_the_hold_out(stream):
    stream.add(1, 2)
    holdout = stream.folder / "holdout.txt"
    holdout.write_text("1.png 1,1,5,5,0\n")
    stream.apply(job_of(stream), holdoutUrl=str(holdout))
    stream.tick(3)
    with (stream.folder / "stream.txt").open("a") as file:
        file.write("1.png 2,2,7,7,1\n")
    stream.tick(3)
    [first, _] = listed(stream)
    assert first.part == "holdout"
    assert first.label.annotation.boxes[0].x2 == 5
    assert "it is frozen hold-out and has another label" in stream.events("DatasetProblem")[-1].message
    assert stream.events("HoldoutRelabelled") == []
    holdout.write_text("1.png 2,2,6,6,1\n")
    stream.tick(3)
    assert listed(stream)[0].label.annotation.boxes[0].x2 == 6
    assert [event.data["author"] for event in stream.events("HoldoutRelabelled")] == ["dataset/stream"]


def test_a_file_without_class_names_gives_them_and_another_order_changes_no_number(stream):
    spec = job_of(stream)
    del spec["classNames"]
    (stream.folder / "labels.json").write_text(coco_of(stream, ["b", "a"], "b"))
    (stream.folder / "holdout.json").write_text(coco_of(stream, ["a", "c", "b"], "b", number=2))
    stream.apply(
        spec, url=str(stream.folder / "labels.json"), holdoutUrl=str(stream.folder / "holdout.json"), format="coco"
    )
    stream.tick(3)
    assert stream.job().degraded is None
    assert stream.job().class_names == ("a", "c", "b"), "the hold-out is read first"
    assert [row.label.annotation.boxes[0].label for row in listed(stream)] == [2, 2]


def test_a_picture_of_which_all_is_skipped_is_not_taken_for_one_that_shows_nothing(stream):
    text = coco_of(stream, ["good", "bad"], "bad").replace('"iscrowd": 0', '"iscrowd": 1')
    (stream.folder / "labels.json").write_text(text)
    stream.apply(job_of(stream), url=str(stream.folder / "labels.json"), format="coco")
    assert "all of it was skipped: " in stream.tick(15).degraded
    assert listed(stream) == ()


def coco_of(world, names, name, number=1):
    """A COCO file about one picture with one box."""
    (world.folder / f"{number}.png").write_bytes(png(number))
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": f"{number}.png", "width": 8, "height": 8}],
            "categories": [{"id": place + 1, "name": one} for place, one in enumerate(names)],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": names.index(name) + 1, "bbox": [1, 1, 4, 4], "iscrowd": 0}
            ],
        }
    )


def test_an_algorithm_that_learns_boxes_gets_no_class_of_a_whole_image(stream):
    stream.add(1, 2)
    stream.apply(job_spec(algorithm={"name": "FPN"}))
    stream.tick(3)
    before = [row.label for row in listed(stream)]
    with (stream.folder / "stream.txt").open("a") as file:
        file.write("1.png 1\n")
    stream.tick(3)
    assert [row.label for row in listed(stream)] == before
