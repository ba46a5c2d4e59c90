"""EXIF orientation on the way in: datasets, imports, and edges of before that did not turn."""

import json

import pytest

from fixtures_gm import KEY, job_spec, record_of
from fixtures_pictures import oriented
from globalmanager.auth.principal import Principal
from globalmanager.db import samples
from globalmanager.db.values import SampleFilter
from globalmanager.ingest import ImportWish, import_labels, receive_sample
from globalmanager.ingest.intake import Stored
from sedna.common.errors import DataError
from sedna.common.orientation import turned_box
from sedna.common.types import ORIENTATION_META, Box, Prediction, sample_id

EDGE = Principal(name="edge-1", role="edge", edge="edge-1")
CORNERS = (2.0, 1.0, 7.0, 4.0)


def coco(name, size):
    x1, y1, x2, y2 = CORNERS
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": name, "width": size[0], "height": size[1]}],
            "categories": [{"id": 1, "name": "good"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}],
        }
    )


def corners(annotation):
    (box,) = annotation.boxes
    return box.x1, box.y1, box.x2, box.y2


def only(world):
    with world.db.read() as session:
        (row,) = samples.list_page(session, world.job().id, SampleFilter(), limit=10).items
    return row


@pytest.mark.parametrize(
    ("size", "turned"), [((12, 8), True), ((8, 12), False)], ids=["as the file lies", "as it is seen"]
)
def test_a_coco_dataset_of_a_picture_that_was_held_upright(world, size, turned):
    """It was refused, with no way in."""
    (world.folder / "a.png").write_bytes(oriented(6, "PNG"))
    (world.folder / "coco.json").write_text(coco("a.png", size))
    world.apply(job_spec(), url=str(world.folder / "coco.json"), format="coco")
    world.tick(3)
    row = only(world)
    assert (row.record.width, row.record.height) == (8, 12)
    assert row.record.meta == {ORIENTATION_META: 6}
    assert corners(row.label.annotation) == (turned_box(CORNERS, (12, 8), 6) if turned else CORNERS)
    (event,) = world.events("DatasetImported")
    assert ("1 were turned with their pictures" in event.message) is turned
    assert event.data == {"samples": 1, "turned": int(turned)}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_a_txt_line_are_meant_as_the_picture_is_seen(world, orientation):
    (world.folder / "a.png").write_bytes(oriented(orientation, "PNG"))
    world.apply()
    (world.folder / "stream.txt").write_text("a.png 2,1,7,4,0\n")
    world.tick(3)
    assert corners(only(world).label.annotation) == CORNERS


@pytest.mark.parametrize("size", [(12, 8), (8, 12)])
def test_an_import_turns_what_means_the_unturned_picture(world, size):
    world.apply()
    data = oriented(8, "PNG")
    meta = {ORIENTATION_META: 8}
    record = record_of(data, width=8, height=12, meta=meta)
    assert receive_sample(world.db, world.store, EDGE, record, data, world.clock.now()) is Stored.CREATED
    name = f"{sample_id(data)}.png"
    wish = ImportWish(label_format="coco", mode="strict", author="cvat")
    report = import_labels(world.db, KEY, coco(name, size).encode(), wish, world.clock.now())
    assert (report.labelled, report.turned) == (1, int(size == (12, 8)))
    assert corners(only(world).label.annotation) == (turned_box(CORNERS, (12, 8), 8) if report.turned else CORNERS)
    (event,) = world.events("LabelsImported")
    assert ("turned with their pictures" in event.message) is bool(report.turned)


@pytest.mark.parametrize("orientation", [3, 6])
def test_the_record_of_an_edge_that_did_not_turn_is_turned(world, orientation):
    """Edges are not updated on the day of their service, and samples of before wait in their spools."""
    world.apply()
    data = oriented(orientation, "PNG")
    prediction = Prediction(boxes=(Box(x1=2, y1=1, x2=7, y2=4, label=1, score=0.5),))
    old = record_of(data, width=12, height=8, prediction=prediction)
    assert receive_sample(world.db, world.store, EDGE, old, data, world.clock.now()) is Stored.CREATED
    row = only(world)
    assert (row.record.width, row.record.height) == ((12, 8) if orientation == 3 else (8, 12))
    (box,) = row.record.prediction.boxes
    assert (box.x1, box.y1, box.x2, box.y2) == turned_box(CORNERS, (12, 8), orientation)
    assert (box.label, box.score) == (1, 0.5)
    assert row.record.meta[ORIENTATION_META] == orientation
    # Sent again, by the edge of before or by the one of today, it is known.
    assert receive_sample(world.db, world.store, EDGE, old, data, world.clock.now()) is Stored.KNOWN
    assert receive_sample(world.db, world.store, EDGE, row.record, data, world.clock.now()) is Stored.KNOWN


def test_a_record_that_names_an_orientation_which_the_picture_has_not_is_corrected(world):
    world.apply()
    data = oriented(1, "PNG")
    record = record_of(data, width=12, height=8, meta={ORIENTATION_META: "x", "line": 3})
    assert receive_sample(world.db, world.store, EDGE, record, data, world.clock.now()) is Stored.CREATED
    assert only(world).record.meta == {"line": 3}
    data = oriented(6, "PNG")
    with pytest.raises(DataError, match="the record says"):
        receive_sample(
            world.db, world.store, EDGE, record_of(data, width=12, height=8, meta={ORIENTATION_META: 6}), data,
            world.clock.now(),
        )  # fmt: skip
