from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from algorithms.detection.detection_pictures import Source
from fixtures_pictures import oriented
from sedna.algorithms.detection.annotations import read_boxes, read_labelled, read_pictures
from sedna.common.errors import DataError

NAMES = ("open", "pin-hole")
VOC = """<annotation><filename>x.jpg</filename><size><width>9</width></size>
<object><name>pin-hole</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3.5</xmax><ymax>4</ymax></bndbox></object>
<object><name>open</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>7</xmax><ymax>8</ymax></bndbox></object></annotation>"""
EXPECTED = [[1, 2, 3.5, 4, 1], [5, 6, 7, 8, 0]]


@pytest.mark.parametrize(
    "note",
    [
        EXPECTED, np.asarray(EXPECTED), tuple(map(tuple, EXPECTED)), "1,2,3.5,4,1 5,6,7,8,0",
        "1,2,3.5,4,pin-hole 5,6,7,8,open", [[1, 2, 3.5, 4, "pin-hole"], ["5", "6", "7", "8", "0"]],
    ],
    ids=["list", "array", "tuples", "text", "text with names", "strings"],
)  # fmt: skip
def test_all_shapes_of_boxes_mean_the_same(note: Any) -> None:
    assert read_boxes(note, NAMES, [], where="x").tolist() == EXPECTED


def test_voc_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(VOC)
    assert read_boxes("x.xml", NAMES, [tmp_path], where="x").tolist() == EXPECTED
    (tmp_path / "none.xml").write_text("<annotation/>")
    assert read_boxes(tmp_path / "none.xml", NAMES, [], where="x").shape == (0, 5)


@pytest.mark.parametrize("note", [[], "", "0", 0, np.zeros((0, 5)), ()], ids=repr)
def test_nothing_there_is_a_statement(note: Any) -> None:
    assert read_boxes(note, NAMES, [], where="x").shape == (0, 5)


def test_no_annotation_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^board7: has no annotation"):
        read_boxes(None, NAMES, [], where="board7")


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ("1,2,3,4", "4 values"), ("1,2,3,4,hole", "unknown label 'hole'"), ("1,2,3,4,2", "unknown label '2'"),
        ("1,2,3,4,-1", "unknown label"), ("1,2,3,4,0.5", "unknown label"), ("3,2,1,4,0", "no area"),
        ("a,2,3,4,0", "not numeric"), ("1,2,nan,4,0", "no area"), ([[1, 2, None, 4, 0]], "not numeric"),
    ],
)  # fmt: skip
def test_a_wrong_box_is_named(note: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"^board7: .*{message}"):
        read_boxes(note, NAMES, [], where="board7")


@pytest.mark.parametrize(
    "text",
    [
        "", "<annotation>", "<a><object><name>open</name></object></a>",
        '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>',
    ],
    ids=["empty", "cut", "no box", "entity"],
)  # fmt: skip
def test_a_wrong_voc_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(DataError, match=r"bad\.xml: is not a Pascal VOC"):
        read_boxes("bad.xml", NAMES, [tmp_path], where="x")


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b c.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    (tmp_path / "a.xml").write_text(VOC)
    return tmp_path


def test_raw_index_lines_hold_picture_and_boxes(picture_folder: Path) -> None:
    lines = ["a.png 1,2,3.5,4,1 5,6,7,8,0", "b c.png", "b c.png 1,2,3,4,open\n", "a.png a.xml"]
    labelled = read_labelled(Source(np.asarray(lines), []), NAMES, [picture_folder])
    assert [one.name for one in labelled] == ["a", "b c", "b c", "a"]
    assert [len(one.boxes_M5) for one in labelled] == [2, 0, 1, 2]
    assert labelled[0].boxes_M5.tolist() == labelled[3].boxes_M5.tolist() == EXPECTED
    assert read_labelled(Source(lines, None), NAMES, [picture_folder])[1].picture == picture_folder / "b c.png"


def test_pictures_with_annotations_beside_them(picture_folder: Path) -> None:
    source = Source(np.asarray(["a.png", "b c.png"]), np.asarray(["a.xml", "1,2,3,4,0"]))
    assert [len(one.boxes_M5) for one in read_labelled(source, NAMES, [picture_folder])] == [2, 1]


def test_folders_are_tried_in_order(picture_folder: Path) -> None:
    other = picture_folder / "other"
    other.mkdir()
    Image.new("L", (8, 8)).save(other / "a.png")
    assert read_pictures(["a.png"], [other, picture_folder]) == [other / "a.png"]
    assert read_pictures("a.png", [picture_folder / "nowhere", picture_folder]) == [picture_folder / "a.png"]


def test_a_missing_file_says_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^nowhere\.png: no such file .*{tmp_path}"):
        read_labelled(Source(["nowhere.png"], [[]]), NAMES, [tmp_path])


def test_x_and_y_must_agree() -> None:
    with pytest.raises(DataError, match="2 pictures but 1 annotations"):
        read_labelled(Source(["a", "b"], [[]]), NAMES, [])


def test_pictures_come_alone_in_lists_in_arrays_and_in_sources(picture_folder: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    path = picture_folder / "a.png"
    assert len(read_pictures(pixels, [])) == 1
    assert len(read_pictures(np.zeros((3, 4, 4, 3), np.uint8), [])) == 3
    assert len(read_pictures(Image.new("L", (4, 4)), [])) == 1
    assert read_pictures([pixels, path], [])[1] == path
    assert read_pictures(np.asarray([str(path)]), []) == [path]
    assert read_pictures(Source(["a.png 1,2,3,4,0"]), [picture_folder]) == [path]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("<size><width>12</width><height>8</height></size>", [4, 1, 6, 3.5]),
        ("<size><width>8</width><height>12</height></size>", [1, 2, 3.5, 4]),
        ("<size><width>some</width></size>", [1, 2, 3.5, 4]),
        ("", [1, 2, 3.5, 4]),
    ],
    ids=["as the file lies", "as it is seen", "nonsense", "none"],
)
def test_boxes_of_a_voc_file_that_means_the_unturned_picture_turn_with_it(
    tmp_path: Path, size: str, expected: list[float]
) -> None:
    (tmp_path / "a.png").write_bytes(oriented(6, "PNG"))
    text = VOC.replace("<size><width>9</width></size>", size)
    (tmp_path / "a.xml").write_text(text)
    (found,) = read_labelled(Source([str(tmp_path / "a.png")], [str(tmp_path / "a.xml")]), NAMES, [])
    assert found.boxes_M5[0].tolist() == [*expected, 1]
