"""Exports "JSON" of Label Studio 1.23 as the tool writes them, and wrong ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sedna.common.errors import DataError
from sedna.common.label_format import LabelFormat
from sedna.common.types import Annotation
from sedna.labels import LabelItem, OneFile, read_labels
from sedna.labels.classes import ClassNames

CLASSES = ("short", "open")


def result(kind: str = "rectanglelabels", **value: Any) -> dict[str, Any]:
    given = value or {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, kind: ["open"]}
    return {
        "id": "Nx3b",
        "type": kind,
        "value": given,
        "origin": "manual",
        "to_name": "image",
        "from_name": "label",
        "image_rotation": 0,
        "original_width": 200,
        "original_height": 100,
    }


def answer(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 1, "completed_by": 1, "result": list(results), "was_cancelled": False, "ground_truth": False, **more}


def task(*annotations: dict[str, Any], number: int = 4, **more: Any) -> dict[str, Any]:
    data = {"image": "/data/upload/2/1a2b3c4d-board.png"}
    return {
        "id": number,
        "annotations": list(annotations),
        "file_upload": "1a2b3c4d-board.png",
        "drafts": [],
        "predictions": [9],
        "data": data,
        "meta": {},
        "project": 2,
        **more,
    }


def read(*tasks: object, classes: ClassNames | None = None) -> list[LabelItem]:
    known = classes or ClassNames(list(CLASSES), is_open=False)
    return list(read_labels(OneFile("tasks.json", json.dumps(tasks).encode(), "sent"), LabelFormat.LABELSTUDIO, known))


def annotation(item: LabelItem) -> Annotation:
    return item.read().annotation((200, 100), CLASSES, where=item.where)


def test_values_are_percent_of_the_picture() -> None:
    [item] = read(task(answer(result())))
    [box] = annotation(item).boxes
    assert (box.x1, box.y1, box.x2, box.y2, box.label) == pytest.approx((20, 20, 80, 60, 1))


def test_a_picture_is_known_by_its_name_before_it_was_uploaded_and_by_its_sample() -> None:
    sample = "ab" * 32
    [item] = read(task(answer(), data={"image": "/data/local-files/?d=boards/7.png", "sample_id": sample}))
    assert {"boards/7.png", sample} <= {item.name, *item.others}
    [item] = read(task(answer()))
    assert item.name == "data/upload/2/1a2b3c4d-board.png"
    assert "board.png" in item.others


def test_nothing_there_is_an_answer_and_no_answer_is_none() -> None:
    said = read(
        task(answer(), number=1),
        task(number=2),
        task(answer(result(), was_cancelled=True), number=3),
        task(answer(result(), was_cancelled=True), answer(), number=4, data={"image": "b.png"}),
    )
    assert [item.where for item in said] == ["sent: task 1", "sent: task 4"]
    assert [annotation(item) for item in said] == [Annotation(), Annotation()]


def test_a_choice_is_the_class_of_the_picture() -> None:
    [item] = read(task(answer(result("choices", choices=["short"]))))
    assert annotation(item) == Annotation(label=0)


@pytest.mark.parametrize(
    ("drawn", "corners"),
    [
        (result("polygonlabels", points=[[10, 10], [20, 30], [5, 20]], polygonlabels=["open"]), (10, 10, 40, 30)),
        (result("ellipselabels", x=50, y=50, radiusX=10, radiusY=20, ellipselabels=["open"]), (80, 30, 120, 70)),
        # 40 x 20 pixels, turned by 90 degrees about its upper left corner (100, 50)
        (result(x=50, y=50, width=20, height=20, rotation=90, rectanglelabels=["open"]), (80, 50, 100, 90)),
    ],
)
def test_other_shapes_become_the_box_around_them(drawn: dict[str, Any], corners: tuple[float, ...]) -> None:
    [item] = read(task(answer(drawn)))
    [box] = annotation(item).boxes
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx(corners)


def test_of_several_answers_the_ground_truth_counts_and_else_they_must_agree() -> None:
    other = result(x=1, y=1, width=50, height=50, rotation=0, rectanglelabels=["open"])
    [agreed] = read(task(answer(result()), answer(result())))
    assert len(annotation(agreed).boxes) == 1
    [marked] = read(task(answer(result()), answer(other, ground_truth=True)))
    assert annotation(marked).boxes[0].x2 == pytest.approx(102)
    [torn] = read(task(answer(result()), answer(other)))
    with pytest.raises(DataError, match=r"task 4: 2 annotations say different things.*ground truth"):
        torn.read()


def test_open_classes_learn_what_is_found() -> None:
    classes = ClassNames()
    read(task(answer(result(), result("choices", choices=["fine"]))), classes=classes)
    assert classes.names == ["open", "fine"]


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (result(x=1, y=1, width=5, height=5, rectanglelabels=["hole"]), "result 1: class 'hole' is not known"),
        (result(x=1, y=1, width=5, height=5, rectanglelabels=["open", "short"]), "rectanglelabels is .*one class"),
        (result(x=1, y=1, width=5, height=5), "rectanglelabels is None"),
        (result(x="1", y=1, width=5, height=5, rectanglelabels=["open"]), "x is '1'.*percent"),
        (result(y=1, width=5, height=5, rectanglelabels=["open"]), "x is None"),
        ({**result(), "image_rotation": 90}, "the image is turned there"),
        (result("polygonlabels", points=[], polygonlabels=["open"]), r"points are \[\]"),
        ({**result(), "value": 3}, "value is 3"),
    ],
)
def test_what_is_wrong_with_a_result_is_told_and_stops_no_other(drawn: dict[str, Any], message: str) -> None:
    wrong, good = read(task(answer(drawn), number=1), task(answer(result()), number=2))
    with pytest.raises(DataError, match=message):
        annotation(wrong)
    assert len(annotation(good).boxes) == 1


def test_a_result_of_another_kind_is_skipped() -> None:
    [item] = read(task(answer(result("brushlabels", format="rle", rle=[1], brushlabels=["open"]))))
    checked = item.read().checked((200, 100), CLASSES, where="", mode="clip")
    assert checked.annotation is None
    assert "brushlabels is neither a box nor a class" in checked.skipped[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, "task .0.: it has no data"),
        ({"id": 1, "data": {"image": "a.png"}, "label": []}, 'task 1: it has no list of annotations.*not "JSON-MIN"'),
        (task(answer(), data={"n": 3}, file_upload=None), "data names no picture"),
        (task({"result": None}), "the result of an annotation is None"),
    ],
)
def test_a_task_that_is_none_is_faulty_by_itself(wrong: object, message: str) -> None:
    first, good = read(wrong, task(answer(result()), number=2))
    with pytest.raises(DataError, match=message):
        first.read()
    assert annotation(good).boxes


@pytest.mark.parametrize("data", [b"{}", b"[1", b"\xff"])
def test_what_is_no_such_file_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(DataError):
        read_labels(OneFile("tasks.json", data, "sent"), LabelFormat.LABELSTUDIO)
