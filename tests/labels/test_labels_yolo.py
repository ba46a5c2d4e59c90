"""YOLO folders as tools write them, and what is said about lines and folders that say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures_labels import lay_out, zipped
from sedna.common.errors import DataError, TooLargeError
from sedna.common.label_format import LabelFormat
from sedna.common.types import Annotation, Box
from sedna.labels import FolderFiles, LabelItem, LabelledImage, LabelSet, OneFile, read_labels, write_yolo
from sedna.labels.files import opened
from sedna.labels.validate import RawBox
from sedna.labels.yolo import YoloClasses, parse_yolo

NUMBERS = YoloClasses({})
BOX = "0 0.5 0.5 0.25 0.5\n"


def boxes(text: str, keypoint_values: int = 0) -> tuple[RawBox, ...]:
    return parse_yolo(text.encode(), NUMBERS, "a.txt", keypoint_values)


def read(tmp_path: Path, files: dict[str, str], classes: tuple[str, ...] = (), **options: str) -> list[LabelItem]:
    lay_out(tmp_path, {name: text.encode() for name, text in files.items()})
    return list(read_labels(FolderFiles(tmp_path), LabelFormat.YOLO, classes, **options))


def names(items: list[LabelItem]) -> list[str]:
    return [item.name for item in items]


def fault(item: LabelItem) -> str:
    with pytest.raises(DataError) as caught:
        item.read().annotation((100, 100), (), where="")
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1 0.5 0.5 0.25 0.5", RawBox(0.375, 0.25, 0.625, 0.75, 1)),
        ("1.0\t0.5  0.5 0.25 0.5 ", RawBox(0.375, 0.25, 0.625, 0.75, 1)),
        ("1 0.5 0.5 0.25 0.5 0.875", RawBox(0.375, 0.25, 0.625, 0.75, 1, 0.875)),
        ("2 0.1 0.9 0.5 0.2 0.3 0.4", RawBox(0.1, 0.2, 0.5, 0.9, 2)),
        ("2 0.1 0.9 0.5 0.2 0.3 0.4 0.75", RawBox(0.1, 0.2, 0.5, 0.9, 2, 0.75)),
        ("0 0.1 0.1 0.4 0.1 0.4 0.3 0.1 0.3", RawBox(0.1, 0.1, 0.4, 0.3, 0)),
    ],
    ids=["box", "spacing", "confidence", "outline", "outline with confidence", "rotated box"],
)
def test_a_line_is_a_box(line: str, expected: RawBox) -> None:
    assert boxes(f"\n{line}\r\n\n") == (expected,)


def test_key_points_are_passed_over_where_their_shape_is_stated() -> None:
    points = " 0.1 0.2 2 0.3 0.4 1"
    assert boxes(f"0 0.5 0.5 0.25 0.5{points}", 6) == (RawBox(0.375, 0.25, 0.625, 0.75, 0),)
    assert boxes(f"0 0.5 0.5 0.25 0.5{points} 0.5", 6) == (RawBox(0.375, 0.25, 0.625, 0.75, 0, 0.5),)
    assert boxes(BOX, 6) == (RawBox(0.375, 0.25, 0.625, 0.75, 0),)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cat 0.5 0.5 0.1 0.1", "'cat' is no number"),
        ("0.5 0.5 0.5 0.1 0.1", "class '0.5' is no whole number"),
        ("0 0.5 0.5 0.1", "3 values after the class"),
        ("0", "0 values after the class"),
        ("0 0.5 0.5 0.1 x", "'x' is no number"),
        ("0 0.5 nan 0.1 0.1", "'nan' is no finite number"),
        ("0 0.5 0.5 0.1 inf", "'inf' is no finite number"),
        ("0 320 240 64 48", "320 is no fraction of the image"),
        ("0 0.5 0.5 -0.2 0.1", "-0.2 is no fraction of the image"),
        ("0 0.1 0.1 0.4 1.1 0.4 0.3", "1.1 is no fraction of the image"),
        ("100000 0.5 0.5 0.1 0.1", "label 100000 is too large"),
        ("a.jpg 10,20,30,40,1", "'a.jpg' is no number"),
    ],
)
def test_a_wrong_line_says_what_would_be_right(line: str, words: str) -> None:
    with pytest.raises(DataError, match=r"centre and size|at most") as caught:
        boxes(f"{BOX}{line}\n")
    assert str(caught.value).startswith("a.txt: line 2: ")
    assert words in str(caught.value)


def test_six_decimals_reach_over_no_edge() -> None:
    """A box of the whole of a picture of 4001 x 3001 pixels, as tools round it."""
    [item] = read_folder({"labels/a.txt": "0 0.499875 0.500167 0.999751 0.999668\n1 0.500001 0.5 0.999999 1\n"})
    annotation = item.read().annotation((4001, 3001), ("a", "b"), where="here")
    assert annotation.boxes[1].x2 == 4001
    [far] = read_folder({"labels/a.txt": "0 0.98 0.5 0.1 0.1\n"})
    with pytest.raises(DataError, match="outside the image"):
        far.read().annotation((100, 100), (), where="here")
    checked = far.read().checked((100, 100), (), where="here", mode="clip")
    assert (checked.annotation.boxes[0].x2, len(checked.cut)) == (100, 1)


def read_folder(files: dict[str, str]) -> list[LabelItem]:
    with opened(zipped({name: text.encode() for name, text in files.items()}), "", "sent") as unpacked:
        return list(read_labels(unpacked, LabelFormat.YOLO))


LAYOUTS = {
    "ultralytics": ("images/train/a.jpg", "labels/train/a.txt"),
    "roboflow": ("train/images/a.jpg", "train/labels/a.txt"),
    "below another folder": ("boards/images/a.PNG", "boards/labels/a.txt"),
    "darknet": ("obj_train_data/a.jpeg", "obj_train_data/a.txt"),
    "flat": ("a.tif", "a.txt"),
}


@pytest.mark.parametrize(("picture", "label"), LAYOUTS.values(), ids=LAYOUTS)
def test_pictures_are_found_where_tools_put_them(tmp_path: Path, picture: str, label: str) -> None:
    [item] = read(tmp_path, {picture: "", label: BOX, "README.dataset.txt": "text", "classes.txt": "a\n"})
    assert item.name == picture
    assert item.where == f"{tmp_path}: {label}"


def test_without_pictures_every_name_is_possible(tmp_path: Path) -> None:
    [item] = read(tmp_path, {"labels/train/a.txt": BOX})
    assert item.name == "images/train/a"
    assert {"images/train/a.jpg", "images/train/a.png", "labels/train/a.jpg", "train/a.jpg"} <= {*item.others}


def test_a_picture_may_be_called_like_a_list(tmp_path: Path) -> None:
    inside = read(tmp_path / "a", {"labels/test.txt": BOX, "labels/classes.txt": "x", "test.txt": "images/test.jpg"})
    assert [item.where.rpartition(": ")[2] for item in inside] == ["labels/test.txt"]
    flat = read(tmp_path / "b", {"test.txt": BOX, "test.jpg": "", "val.txt": "test.jpg", "README.txt": "hello"})
    assert names(flat) == ["test.jpg"]


def test_a_label_file_that_is_too_large_is_the_fault_of_its_image(tmp_path: Path) -> None:
    good, large = read(tmp_path, {"labels/a.txt": BOX, "labels/b.txt": BOX * 250_000})
    assert good.read().boxes
    with pytest.raises(TooLargeError):
        large.read()


@pytest.mark.parametrize(
    "described",
    [
        {"data.yaml": "names: [dog, cat]"},
        {"data.yaml": "nc: 2\nnames:\n  0: dog\n  1: cat\n"},
        {"boards/dataset.yml": "names: {0: dog, 1: cat}"},
        {"other.yaml": "names: [x]", "data.yaml": "names: [dog, cat]"},
        {"classes.txt": "dog\ncat\n\n"},
        {"data/obj.names": "dog\r\ncat"},
    ],
)
def test_classes_are_matched_by_name(tmp_path: Path, described: dict[str, str]) -> None:
    [item] = read(tmp_path, {"labels/a.txt": f"{BOX}1 0.5 0.5 0.1 0.1\n", **described}, ("bird", "cat", "dog"))
    assert [box.label for box in item.read().boxes] == [2, 1]


def test_without_names_a_number_is_a_label(tmp_path: Path) -> None:
    [item] = read(tmp_path, {"labels/a.txt": BOX}, ("bird", "cat"))
    annotation = item.read().annotation((100, 100), ("bird", "cat"), where="")
    assert annotation == Annotation(boxes=(Box(x1=37.5, y1=25, x2=62.5, y2=75, label=0),))


def test_a_class_that_the_job_has_not_is_the_fault_of_its_image(tmp_path: Path) -> None:
    files = {"labels/a.txt": BOX, "labels/b.txt": "1 0.5 0.5 0.1 0.1", "labels/c.txt": "2 0.5 0.5 0.1 0.1"}
    first, second, third = read(tmp_path, {**files, "data.yaml": "names: [dog, cow]"}, ("bird", "dog"))
    assert first.read().boxes[0].label == 1
    assert "b.txt: line 1: class 1, 'cow', is not known (the classes are bird, dog; rename it" in fault(second)
    assert "c.txt: line 1: class 2 has no name (the classes of the files: 0 dog, 1 cow)" in fault(third)


def test_an_empty_file_says_that_its_picture_shows_nothing_and_no_file_says_nothing(tmp_path: Path) -> None:
    [item] = read(tmp_path, {"images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": "\n"})
    assert item.name == "images/a.jpg"
    assert item.read().annotation((9, 9), (), where="") == Annotation()


SPLIT = {
    "images/train/a.jpg": "",
    "images/val/b.jpg": "",
    "images/test/c.jpg": "",
    "labels/train/a.txt": BOX,
    "labels/val/b.txt": BOX,
    "labels/test/c.txt": BOX,
}


@pytest.mark.parametrize(
    "described",
    [
        "train: images/train\nval: images/val\n",
        "path: /content/boards\ntrain: images/train\nval: [images/val]\n",
        "path: ../datasets/boards\ntrain: ./images/train/\nval: images/val\n",
        "train: ../images/train\nval: ../images/val\n",
        "train: train.txt\nval: lists/val.txt\n",
    ],
    ids=["plain", "absolute", "elsewhere", "roboflow", "lists"],
)
def test_a_description_names_the_parts_of_a_folder(tmp_path: Path, described: str) -> None:
    lists = {"train.txt": "./images/train/a.jpg\n\n", "lists/val.txt": "C:\\boards\\images\\val\\b.jpg\n"}
    files = {**SPLIT, **lists, "data.yaml": described}
    assert names(read(tmp_path, files, start="data.yaml")) == ["images/train/a.jpg"]
    assert names(read(tmp_path, files, start="data.yaml", split="val")) == ["images/val/b.jpg"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("", ["images/test/c.jpg", "images/train/a.jpg", "images/val/b.jpg"]),
        ("labels/val", ["images/val/b.jpg"]),
        ("images/val", ["images/val/b.jpg"]),
        ("labels/val/b.txt", ["images/val/b.jpg"]),
        ("lists/both.txt", ["images/val/b.jpg", "images/train/a.jpg"]),
    ],
)
def test_a_part_of_a_folder_can_be_named(tmp_path: Path, start: str, expected: list[str]) -> None:
    lists = {"lists/both.txt": "images/val/b.jpg\n/abs/boards/images/train/a.jpg\n"}
    assert names(read(tmp_path, {**SPLIT, **lists}, start=start)) == expected


def test_a_list_promises_labels(tmp_path: Path) -> None:
    first, second = read(
        tmp_path, {**SPLIT, "train.txt": "images/train/a.jpg\nimages/train/z.jpg\n"}, start="train.txt"
    )
    assert first.read().boxes
    assert "train.txt: line 2: images/train/z.jpg: the picture has no label file (an empty label file says" in fault(
        second
    )


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ("names: [a", "data.yaml: this is no YAML"),
        ("- a\n- b\n", "data.yaml: this is no description"),
        ("names: cat", "data.yaml: names is no list of names"),
        ("names: {a: 1}", "data.yaml: names is no list of names"),
        ("names: [a]", "data.yaml: train is None"),
        ("train: 5", "data.yaml: train is 5"),
        ("train: []", "data.yaml: train is \\[\\]"),
        ("train: no/where", "data.yaml: there are no labels for 'no/where'"),
    ],
)
def test_a_description_that_leads_nowhere_says_so(tmp_path: Path, described: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(tmp_path, {**SPLIT, "data.yaml": described}, start="data.yaml")


def test_one_file_alone_does_not_say_which_picture_it_is_about() -> None:
    with pytest.raises(DataError, match="which image"):
        read_labels(OneFile("labels.txt", BOX.encode(), "sent"), LabelFormat.YOLO)


def test_a_bad_file_is_the_fault_of_its_image(tmp_path: Path) -> None:
    good, bad = read(tmp_path, {"labels/a.txt": BOX, "labels/b.txt": "0 12 40 5 5\n", "images/b.jpg": ""})
    assert good.read().boxes
    assert bad.name == "images/b.jpg"
    assert "labels/b.txt: line 1: 12 is no fraction" in fault(bad)


def image(name: str, annotation: Annotation) -> LabelSet:
    item = LabelledImage(file_name=name, width=100, height=50, annotation=annotation)
    return LabelSet(class_names=("a",), items=(item,))


def test_the_writer_keeps_scores_and_knows_the_folders_of_pictures() -> None:
    made = image("images/train/x.jpg", Annotation(boxes=(Box(x1=10, y1=10, x2=20, y2=30, label=0, score=0.25),)))
    assert dict(write_yolo(made))["labels/train/x.txt"] == b"0 0.15 0.4 0.1 0.4 0.25\n"


def test_the_writer_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(DataError, match="whole-image"):
        list(write_yolo(image("a.jpg", Annotation(label=0))))
    both = [image(name, Annotation()).items[0] for name in ("a.jpg", "a.png")]
    with pytest.raises(DataError, match=r"two images need the file 'labels/a.txt'"):
        list(write_yolo(LabelSet(class_names=("a",), items=tuple(both))))
