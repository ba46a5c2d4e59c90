"""Files "CVAT for images 1.1" as the tool writes them, and wrong ones."""

from __future__ import annotations

import pytest

from sedna.common.errors import DataError
from sedna.common.label_format import LabelFormat
from sedna.common.types import Annotation
from sedna.labels import LabelItem, OneFile, read_labels
from sedna.labels.classes import ClassNames

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <job>
      <id>7</id><size>4</size><mode>annotation</mode>
      <labels>
        <label><name>open</name><color>#ff0000</color><type>any</type><attributes></attributes></label>
        <label><name>short</name><color>#00ff00</color><type>any</type><attributes></attributes></label>
      </labels>
    </job>
    <dumped>2026-11-20 10:00:00.000000+00:00</dumped>
  </meta>
"""
BOX = (
    '<box label="short" source="manual" occluded="0" xtl="10.50" ytl="0.00" xbr="100.00" ybr="50.00" z_order="0"></box>'
)


def read(body: str, classes: ClassNames | None = None) -> list[LabelItem]:
    data = f"{HEAD}{body}</annotations>".encode()
    known = classes or ClassNames(["short", "open"], is_open=False)
    return list(read_labels(OneFile("annotations.xml", data, "sent"), LabelFormat.CVAT, known))


def image(inside: str, name: str = "boards/a.png", size: str = 'width="100" height="50"') -> str:
    return f'<image id="0" name="{name}" subset="train" task_id="3" {size}>{inside}</image>'


def annotation(item: LabelItem) -> Annotation:
    return item.read().annotation((100, 50), ("short", "open"), where=item.where)


def test_boxes_count_from_the_edge_of_the_image() -> None:
    [item] = read(image(BOX))
    assert item.name == "boards/a.png"
    [box] = annotation(item).boxes
    assert (box.x1, box.y1, box.x2, box.y2, box.label) == (10.5, 0, 100, 50, 0)


def test_an_image_without_a_shape_shows_nothing_and_a_tag_is_its_class() -> None:
    empty, tagged = read(image("", "a.png") + image('<tag label="open" source="manual"></tag>', "b.png"))
    assert annotation(empty) == Annotation()
    assert annotation(tagged) == Annotation(label=1)


@pytest.mark.parametrize(
    ("shape", "corners"),
    [
        ('<polygon label="open" points="10,5;30.5,5;20,40"/>', (10, 5, 30.5, 40)),
        ('<polyline label="open" points="10,5;30,25"/>', (10, 5, 30, 25)),
        ('<ellipse label="open" cx="50" cy="25" rx="20" ry="10"/>', (30, 15, 70, 35)),
        ('<mask label="open" rle="1, 2" left="5" top="6" width="10" height="20"/>', (5, 6, 15, 26)),
        ('<box label="open" xtl="40" ytl="20" xbr="60" ybr="30" rotation="90.00"/>', (45, 15, 55, 35)),
    ],
)
def test_other_shapes_become_the_box_around_them(shape: str, corners: tuple[float, ...]) -> None:
    [item] = read(image(shape))
    [box] = annotation(item).boxes
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx(corners)


def test_open_classes_learn_those_of_the_task_in_its_order() -> None:
    classes = ClassNames()
    [item] = read(image(BOX), classes)
    assert classes.names == ["open", "short"]
    assert item.read().boxes[0].label == 1


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            '<box label="hole" xtl="1" ytl="1" xbr="9" ybr="9"/>',
            "class 'hole' is not known.*the classes are short, open",
        ),
        ('<box xtl="1" ytl="1" xbr="9" ybr="9"/>', "box 1: it has no label"),
        ('<box label="open" xtl="1" ytl="x" xbr="9" ybr="9"/>', "ytl is 'x'"),
        ('<box label="open" xtl="nan" ytl="1" xbr="9" ybr="9"/>', "xtl is 'nan'"),
        ('<polygon label="open" points="1,2;3"/>', "points are '1,2;3'"),
        ('<tag label="open"/><tag label="short"/>', "2 tags: open, short.*of one class"),
    ],
)
def test_what_is_wrong_with_a_shape_is_told_and_stops_no_other(shape: str, message: str) -> None:
    wrong, good = read(image(shape, "a.png") + image(BOX, "b.png"))
    with pytest.raises(DataError, match=message):
        annotation(wrong)
    assert len(annotation(good).boxes) == 1


def test_a_wrong_box_leaves_the_others_of_its_image() -> None:
    [item] = read(image('<box label="open" xtl="1"/>' + BOX))
    checked = item.read().checked((100, 50), ("short", "open"), where="", mode="clip")
    assert checked.annotation is not None
    assert len(checked.annotation.boxes) == len(checked.refused) == 1


def test_a_shape_that_is_no_box_is_skipped() -> None:
    [item] = read(image('<cuboid label="open" xtl1="1"/>'))
    checked = item.read().checked((100, 50), ("short", "open"), where="", mode="clip")
    assert checked.annotation is None, "something is there, so the image does not show nothing"
    assert "a <cuboid> is neither a box nor a class" in checked.skipped[0]


@pytest.mark.parametrize(
    "size", ['width="100"', 'width="x" height="50"', 'width="0" height="50"', 'width="1.5" height="9"']
)
def test_an_image_without_a_size_is_faulty_by_itself(size: str) -> None:
    wrong, good = read(image(BOX, "a.png", size) + image(BOX, "b.png"))
    with pytest.raises(DataError, match=r"a.png: (height|width) is .*number of pixels"):
        wrong.read()
    assert annotation(good).boxes


def test_another_size_than_the_pictures_is_told() -> None:
    [item] = read(image(BOX, size='width="200" height="100"'))
    with pytest.raises(DataError, match="200 x 100, it is 100 x 50"):
        annotation(item)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<annotations><image>", "this is no XML"),
        (b"", "this is no XML"),
        (b"<annotation><object/></annotation>", "begins with <annotation>"),
        (b'<annotations><track id="0" label="a"/></annotations>', "tracks of a video.*CVAT for images 1.1"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><annotations/>', "document type or entities"),
    ],
)
def test_what_is_no_such_file_is_refused_as_a_whole(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_labels(OneFile("annotations.xml", data, "sent"), LabelFormat.CVAT)
    assert str(caught.value).startswith("sent")
