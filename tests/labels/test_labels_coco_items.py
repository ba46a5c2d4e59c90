"""COCO files as tools really write them: what is wrong with one annotation or image leaves the others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sedna.common.errors import DataError
from sedna.common.types import Annotation, Box
from sedna.labels.classes import ClassNames
from sedna.labels.coco_items import coco_items
from sedna.labels.items import CheckedLabels, LabelItem

SIZE = (640, 480)
GOOD = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40], "iscrowd": 0}
GOOD_BOX = Box(x1=10, y1=20, x2=40, y2=60, label=0)


def items(annotations: list[Any], classes: tuple[str, ...] = ("ok", "bad"), **changes: Any) -> list[LabelItem]:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 640, "height": 480}],
        "categories": [{"id": 1, "name": "ok"}, {"id": 2, "name": "ugly"}],
        "annotations": annotations,
        **changes,
    }
    return list(coco_items(json.dumps(content).encode(), ClassNames.of(classes), "f"))


def checked(item: LabelItem, mode: Any = "clip") -> CheckedLabels:
    return item.read().checked(SIZE, ("ok", "bad"), where=item.where, mode=mode)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            {"category_id": 2},
            "f: annotation 7: category 2 'ugly' is not among the classes of the job (the classes are ok",
        ),
        ({"category_id": 9}, "category 9 is not among the categories (the categories of the file: 1 ok, 2 ugly)"),
        ({"category_id": None}, "annotation 7: category_id is None"),
        ({"bbox": [float("nan"), 2, 3, 4]}, "annotation 7: x1 is nan"),
        ({"bbox": []}, "annotation 7: bbox is [] (four numbers"),
        ({"bbox": [10, 10, -5, 5]}, "annotation 7: [10, 10, 5, 15] is -5 wide and 5 high and has no area (x2 exceeds"),
        ({"bbox": [10, 10, 5, -5]}, "is 5 wide and -5 high and has no area"),
        ({"bbox": [10, 10, 0, 5]}, "is 0 wide and 5 high and has no area"),
        ({"bbox": [10, 10, 0.4, 5]}, "annotation 7: [10, 10, 10.4, 15] is thinner than one pixel: 0.4 x 5"),
        (
            {"bbox": [700, 10, 5, 5]},
            "annotation 7: [700, 10, 705, 15] has no area inside the image (the image has 640 x",
        ),
        ({"score": 3}, "annotation 7: score is 3"),
        ({"id": 1, "bbox": [1, 2, 30, 40]}, "annotation 1: another annotation has this id (ids are unique"),
    ],
)
def test_a_wrong_annotation_leaves_the_others(bad: dict[str, Any], words: str) -> None:
    [item] = items([GOOD, {**GOOD, "id": 7, **bad}])
    found = checked(item)
    assert found.annotation == Annotation(boxes=(GOOD_BOX,))
    [fault] = found.refused
    assert words in str(fault)
    with pytest.raises(DataError) as caught:
        item.read().annotation(SIZE, ("ok", "bad"), where=item.where)
    assert words in str(caught.value)
    [alone] = items([{**GOOD, "id": 7, **bad}]) if bad.get("id") != 1 else items([])
    if bad.get("id") != 1:
        assert checked(alone).annotation is None, "nothing usable is left: that is no statement that it shows nothing"


def test_crowds_are_skipped_and_a_picture_of_nothing_else_has_no_label() -> None:
    crowd = {**GOOD, "id": 8, "iscrowd": 1, "bbox": [0, 0, 640, 480]}
    [both] = items([GOOD, crowd])
    found = checked(both, "strict")
    assert found.annotation == Annotation(boxes=(GOOD_BOX,))
    assert found.skipped == ("f: annotation 8: iscrowd, a region over many things and no box around one",)
    [alone] = items([crowd])
    assert checked(alone, "strict").annotation is None
    with pytest.raises(DataError, match="all of it was skipped: f: annotation 8: iscrowd"):
        alone.read().annotation(SIZE, ("ok", "bad"), where=alone.where)
    [nothing] = items([])
    assert checked(nothing).annotation == Annotation(), "an image without annotations shows nothing"


@pytest.mark.parametrize("said", [0, False, "0", None, ""])
def test_no_crowd_is_written_in_several_ways(said: object) -> None:
    [item] = items([{**GOOD, "iscrowd": said}])
    assert checked(item).annotation == Annotation(boxes=(GOOD_BOX,))


def test_a_box_is_cut_at_the_edge_by_clip_and_refused_otherwise() -> None:
    [item] = items([{**GOOD, "bbox": [600, 20, 100, 40]}])
    found = checked(item)
    assert found.annotation == Annotation(boxes=(Box(x1=600, y1=20, x2=640, y2=60, label=0),))
    assert found.cut == ("f: annotation 1: cut at the edge of the image",)
    strict = checked(item, "strict")
    assert strict.annotation is None
    assert "annotation 1: x2 is 700.0, outside the image" in str(strict.refused[0])


def test_fractions_are_no_pixels() -> None:
    [item] = items([{**GOOD, "bbox": [0.1, 0.2, 0.3, 0.4]}, {**GOOD, "id": 2, "bbox": [0, 0, 1, 1]}])
    found = checked(item)
    assert found.annotation is None
    assert "they are fractions of the image, and pixels are wanted (multiply x by the width of 640" in str(
        found.refused[0]
    )


def test_numbers_and_ids_as_tools_write_them() -> None:
    [item] = items(
        [{**GOOD, "id": "x", "image_id": "img-1", "category_id": 1.0}, {**GOOD, "id": None, "image_id": "img-1"}],
        images=[{"id": "img-1", "file_name": "images\\a.png", "width": 640.0, "height": 480}],
    )
    assert item.name == "images/a.png"
    assert item.others == ("images\\a.png",)
    assert len(checked(item).annotation.boxes) == 2  # type: ignore[union-attr]


def test_one_annotation_written_twice_is_taken_once() -> None:
    [item] = items([GOOD, dict(GOOD)])
    found = checked(item)
    assert found.annotation == Annotation(boxes=(GOOD_BOX,))
    assert (found.refused, found.skipped) == ((), ("f: annotation 1: it stands twice in the file, word for word",))


def test_pictures_that_are_wrong_and_annotations_of_no_picture() -> None:
    images = [
        {"id": 1, "file_name": "a.png", "width": 640, "height": 480},
        {"id": 2, "file_name": "b.png", "width": "640", "height": 480},
        {"id": 3, "file_name": "c.png", "width": 640, "height": 480},
        {"id": 3, "file_name": "d.png", "width": 640, "height": 480},
        {"id": 4, "file_name": "../..", "width": 640, "height": 480},
        None,
    ]
    found = items([GOOD, {**GOOD, "id": 2, "image_id": 99}, 5, {**GOOD, "id": 3, "image_id": 3}], images=images)
    good, *wrong = found
    assert checked(good).annotation == Annotation(boxes=(GOOD_BOX,))
    said = []
    for item in wrong:
        with pytest.raises(DataError) as caught:
            item.read()
        said.append(str(caught.value))
    assert said == [
        "f: image 2: width is '640' (a whole number)",
        "f: images[3]: two images have the id 3 (ids are unique: give one of them another)",
        "f: image 4: file_name is '../..' (the name of a picture file)",
        "f: images[3]: two images have the id 3 (ids are unique: give one of them another)",
        "f: images[5]: None is no object (a JSON object with an id)",
        "f: annotation 2: image 99 is not in the file; 2 images have no id of their own (list it under images)",
        "f: annotations[2]: 5 is no object (a JSON object with an id)",
    ]
    assert len({item.digest for item in found}) == len(found)


def test_categories_are_matched_by_name_and_a_doubled_one_is_nobodys() -> None:
    categories = [
        {"id": 5, "name": "bad"},
        {"id": 6, "name": "bad "},
        {"id": 1, "name": "ok"},
        {"id": 1, "name": "no"},
        7,
    ]
    rows = [{**GOOD, "category_id": 5}, {**GOOD, "id": 2, "category_id": 6}, {**GOOD, "id": 3}]
    [item] = items(rows, categories=categories)
    found = checked(item)
    assert [box.label for box in found.annotation.boxes] == [1, 1]  # type: ignore[union-attr]
    assert "annotation 3: category 1 has no name, or two" in str(found.refused[0])


def test_open_classes_learn_the_names_of_a_file_and_keep_their_numbers() -> None:
    classes = ClassNames.of(())
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "b"}, {"id": 2, "name": "a"}]}
    list(coco_items(json.dumps(content).encode(), classes, "f"))
    content["categories"] = [{"id": 1, "name": "a"}, {"id": 2, "name": "c"}, {"id": 3, "name": "b"}]
    list(coco_items(json.dumps(content).encode(), classes, "f"))
    assert classes.names == ["b", "a", "c"]
