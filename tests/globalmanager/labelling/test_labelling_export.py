"""What a job exports, another job with the same pictures imports as the same labels."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from fixtures_gm import BOX, KEY, new_world, png, record_of
from globalmanager.db import samples
from globalmanager.db.values import SampleFilter
from globalmanager.ingest import ImportWish, accept_sample, import_labels
from globalmanager.ingest.removal import exclude_sample
from globalmanager.labelling import label_sample
from globalmanager.labelling.export import ExportWish, prepare_export
from sedna.common.errors import DataError, NotFoundError
from sedna.common.label_format import ExportFormat, LabelFormat, PictureState
from sedna.common.types import Annotation, Box, Prediction
from sedna.store.layout import sample_key

BAD = Annotation(boxes=(Box(x1=2, y1=2.5, x2=8, y2=8, label=1),))


@pytest.fixture
def filled(world):
    """Samples in every state, one of them with its picture deleted, one frozen."""
    world.apply()
    world.boxed, world.other = world.sample(), world.sample(label=BAD)
    world.negative = world.sample(label=Annotation())
    guess = Prediction(boxes=(Box(x1=1, y1=1, x2=4, y2=4, label=1, score=0.55),))
    world.sure = world.sample(
        label=None, prediction=Prediction(boxes=(guess.boxes[0].model_copy(update={"score": 0.9}),))
    )
    world.bare = world.sample(label=None, prediction=guess)
    world.held, world.out, world.gone = world.sample(label=None), world.sample(), world.sample()
    with world.db.write() as session:
        samples.hold_out(session, world.job().id, world.held)
    label_sample(world.db, KEY, world.held, BOX, "ann", world.clock.now())
    for name, delete in ((world.out, False), (world.gone, True)):
        now = world.clock.now()
        exclude_sample(world.db, world.store, KEY, name, reason="no", author="ann", now=now, delete=delete)
    return world


def exported(world, export_format, **wish):
    found = prepare_export(world.db, world.store, KEY, ExportWish(export_format=ExportFormat(export_format), **wish))
    return found, b"".join(found.chunks())


def opened(data):
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def labels_of(world):
    with world.db.read() as session:
        page = samples.list_page(session, world.job().id, SampleFilter(labelled=True), limit=100)
    return {row.record.sample_id: row.label.annotation for row in page.items}


def copied(world, other):
    other.apply()
    for number in range(1, world.images + 1):
        accept_sample(other.db, other.store, record_of(png(number)), png(number), other.clock.now())


@pytest.mark.parametrize("pictures", [False, True], ids=["labels", "pictures"])
@pytest.mark.parametrize("export_format", ExportFormat)
def test_labels_come_back_in_another_job(filled, export_format, pictures):
    found, data = exported(filled, export_format, pictures=pictures)
    assert found.counts == {"labelled": 3, "negative": 1, "unlabelled": 2, "excluded": 2}
    assert (found.suffix == "zip") is (pictures or export_format in (ExportFormat.VOC, ExportFormat.YOLO))
    assert zipfile.is_zipfile(io.BytesIO(data)) is (found.suffix == "zip")
    with new_world() as other:
        copied(filled, other)
        wish = ImportWish(label_format=LabelFormat(export_format.value), mode="strict", author="tool")
        report = import_labels(other.db, KEY, data, wish, other.clock.now())
        assert (report.labelled, report.problems, report.skipped) == (4, (), ())
        assert labels_of(other) == labels_of(filled)


def test_pictures_are_those_that_were_sent_and_what_is_lost_is_named(filled):
    filled.store.delete(sample_key(KEY, filled.other, "png"))
    _, data = exported(filled, "voc", pictures=True)
    files = opened(data)
    names = {name.removeprefix("JPEGImages/") for name in files if name.startswith("JPEGImages/")}
    all_names = (filled.boxed, filled.negative, filled.sure, filled.bare, filled.held, filled.out)
    assert names == {f"{name}.png" for name in all_names}, "the deleted one is gone on purpose"
    assert files[f"JPEGImages/{filled.boxed}.png"] == png(1)
    assert files["MISSING.txt"].decode() == f"JPEGImages/{filled.other}.png\n"


def test_one_that_is_given_up_half_way_leaves_nothing_open(filled):
    found = prepare_export(filled.db, filled.store, KEY, ExportWish(export_format=ExportFormat.VOC, pictures=True))
    pieces = found.chunks()
    assert next(pieces).startswith(b"PK")
    pieces.close()
    assert found.facts.closed


def test_the_same_labels_are_the_same_bytes(filled):
    assert exported(filled, "yolo", pictures=True)[1] == exported(filled, "yolo", pictures=True)[1]


def test_conditions_choose_pictures(filled):
    def names(**wish):
        _, data = exported(filled, "jsonl", **wish)
        return {json.loads(line)["x"].removeprefix("images/").removesuffix(".png") for line in data.splitlines()}

    assert names(states=frozenset({PictureState.NEGATIVE})) == {filled.negative}
    assert names(states=frozenset({PictureState.UNLABELLED})) == {filled.bare, filled.sure}
    assert names(states=frozenset({PictureState.EXCLUDED})) == {filled.out, filled.gone}
    assert names(part="holdout") == {filled.held}
    assert names(label_class="bad") == {filled.other}
    assert names(edge="nowhere") == set()
    with pytest.raises(NotFoundError, match=r"no class 'hole'.*good, bad"):
        names(label_class="hole")


def test_label_studio_gets_the_order_and_the_confidence_of_predictions(filled):
    _, data = exported(filled, "labelstudio")
    tasks = {task["data"]["sample_id"]: task for task in json.loads(data)}
    assert {name: task["data"]["order"] for name, task in tasks.items() if "order" in task["data"]} == {
        filled.bare: 1,
        filled.sure: 2,
    }
    scores = [tasks[name]["predictions"][0]["score"] for name in (filled.bare, filled.sure)]
    assert scores == pytest.approx([0.55, 0.9])


def test_a_job_that_says_nothing_yet_and_one_that_is_not_there(world):
    world.apply()
    found, data = exported(world, "coco")
    assert json.loads(data)["images"] == []
    assert set(found.counts.values()) == {0}
    with pytest.raises(NotFoundError):
        prepare_export(
            world.db, world.store, KEY.model_copy(update={"name": "nobody"}), ExportWish(export_format="csv")
        )


def test_classes_of_whole_images_are_refused_before_anything_is_sent(world):
    world.apply()
    world.sample(label=Annotation(label=1))
    with pytest.raises(DataError, match="coco has no labels of whole images"):
        exported(world, "coco")
    assert b",bad,labelled," in exported(world, "csv")[1]
