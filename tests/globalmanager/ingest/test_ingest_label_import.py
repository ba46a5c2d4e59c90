import json

import pytest

from fixtures_gm import KEY
from globalmanager.db import samples
from globalmanager.ingest import import_labels
from sedna.common.errors import DataError
from sedna.common.types import Annotation, Box


@pytest.fixture
def three(world):
    """Three samples without labels."""
    world.apply()
    world.ids = world.samples(3, label=None)
    return world


def story(world, sample):
    with world.db.read() as session:
        return samples.story(session, world.job().id, sample)


def boxes(*corners, label=0):
    return Annotation(boxes=tuple(Box(x1=a, y1=b, x2=c, y2=d, label=label) for a, b, c, d in corners))


def imported(world, text, mode="strict", fmt="txt"):
    data = text if isinstance(text, bytes) else text.encode()
    return import_labels(world.db, KEY, data, fmt, mode, "cvat", world.clock.now())


def test_a_txt_file_by_sample_id(three):
    a, b, _ = three.ids
    report = imported(three, f"{a}.png 1,1,5,5,0 2,2,6,6,1\n\nsome/folder/{b}.jpg\n")
    assert (report.labelled, report.unchanged, report.unknown, report.problems) == (2, 0, (), ())
    assert len(story(three, a).sample.label.annotation.boxes) == 2
    assert story(three, b).sample.label.annotation == Annotation()
    assert story(three, a).labels[0].author == "cvat"
    again = imported(three, f"{a}.png 1,1,5,5,0 2,2,6,6,1\n")
    assert (again.labelled, again.unchanged) == (0, 1)
    assert len(story(three, a).labels) == 1


def test_a_coco_file_by_the_name_of_import(three):
    from fixtures_gm import png

    (three.folder / "board.png").write_bytes(png(500))
    (three.folder / "stream.txt").write_text("board.png\n")
    three.tick(2)
    coco = {
        "images": [{"id": 1, "file_name": "board.png", "width": 8, "height": 8}],
        "categories": [{"id": 3, "name": "bad"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 2, 2]}],
    }
    assert imported(three, json.dumps(coco), fmt="coco").labelled == 1
    coco["images"][0]["width"] = 9
    with pytest.raises(DataError, match="says the image is 9 x 8, it is 8 x 8"):
        imported(three, json.dumps(coco), fmt="coco")


STRICT = [
    ("no.png 1,1,5,5,0", "no image no.png"),
    ("{a}.png 1,1,9,5,0", "outside the image"),
    ("{a}.png 1,1,5,5,7", "class 7"),
    ("{a}.png 1,1,5", "is no box"),
    ("{a}.png 1,1,5,5,1000000000000", "label 1000000000000 is too large"),
    ("{a}.png 1,1,5,5,0\n{a}.png 2,2,6,6,0", "says something else"),
]


@pytest.mark.parametrize(("bad", "words"), STRICT)
def test_strict_takes_everything_or_nothing(three, bad, words):
    a, b, _ = three.ids
    with pytest.raises(DataError, match=words) as caught:
        imported(three, f"{b}.png 1,1,5,5,0\n{bad.format(a=a)}\n")
    assert "nothing was stored" in str(caught.value)
    assert story(three, b).labels == ()


def test_a_refused_file_is_told_everything_that_is_wrong_with_it(three):
    a, _, _ = three.ids
    with pytest.raises(DataError) as caught:
        imported(three, f"no.png 1,1,5,5,0\n{a}.png 1,1\n")
    assert "is no box" in str(caught.value)
    assert "the job has no image no.png" in str(caught.value)


@pytest.mark.parametrize(("bad", "words"), STRICT)
def test_clip_takes_what_is_usable_and_reports_the_rest(three, bad, words):
    a, b, _ = three.ids
    report = imported(three, f"{b}.png 1,1,5,5,0\n{bad.format(a=a)}\n", mode="clip")
    assert story(three, b).labels != ()
    assert report.unknown or report.problems
    if "outside" in words:
        assert story(three, a).sample.label.annotation == boxes((1, 1, 8, 5))
