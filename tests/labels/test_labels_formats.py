"""Each format against files written by hand: right ones, and wrong ones with what is said about them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.common.errors import DataError, NotFoundError, SednaError, TooLargeError
from sedna.common.types import Annotation, Box
from sedna.labels import (
    LabelledImage,
    LabelSet,
    Skipped,
    read_coco,
    read_txt,
    read_voc,
    write_coco,
    write_txt,
    write_voc,
)
from sedna.labels.txt import format_line, parse_line

CLASSES = ("cat", "dog")


def _coco(**changes: Any) -> bytes:
    content = {
        "info": {"ignored": True},
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 100, "height": 50},
            {"id": 3, "file_name": "sub/none.jpg", "width": 10, "height": 10},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
        "annotations": [
            {"id": 900, "image_id": 7, "category_id": 17, "bbox": [10, 20, 30, 5.5], "iscrowd": 0},
            {"id": 901, "image_id": 7, "category_id": 18, "bbox": [0, 0, 100, 50], "iscrowd": 1, "segmentation": {}},
        ],
    }
    return json.dumps({**content, **changes}).encode()


def test_coco_is_read() -> None:
    read = read_coco(_coco())
    assert read.labels.class_names == ("dog", "cat")
    first, second = read.labels.items
    assert first.annotation.boxes == (Box(x1=10, y1=20, x2=40, y2=25.5, label=1),)
    assert (second.file_name, second.annotation) == ("sub/none.jpg", Annotation())
    assert read.ids.images == (7, 3)
    assert read.ids.categories == (18, 17)
    assert read.ids.annotations == ((900,), ())
    assert read.report.skipped == (
        Skipped(image="a.jpg", what="1 annotation(s)", reason="iscrowd: a region, not one thing"),
    )


def test_coco_follows_the_wanted_class_order() -> None:
    read = read_coco(_coco(), class_names=("bird", *CLASSES))
    assert read.labels.items[0].annotation.boxes[0].label == 1
    assert read.ids.categories == (19, 17, 18), "the class that the file has not gets a number of its own"


def test_coco_clip_drops_and_keeps_the_ids_of_the_rest() -> None:
    rows = [
        {"id": 1, "image_id": 7, "category_id": 17, "bbox": [200, 20, 30, 5]},
        {"id": 2, "image_id": 7, "category_id": 17, "bbox": [90, 20, 30, 5]},
    ]
    read = read_coco(_coco(annotations=rows), mode="clip")
    assert read.ids.annotations == ((2,), ())
    assert [(clip.box, clip.after) for clip in read.report.clipped] == [(1, None), (2, (90, 20, 100, 25))]


_BOX = {"id": 1, "image_id": 7, "category_id": 17, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b"[]", "no COCO file"),
        (b"{}", "images is missing"),
        (b"\xff{}", "not UTF-8"),
        (b"[" * 100_000, "no JSON"),
        (b'{"images": ' + b"1" * 10_000 + b"}", "no JSON"),
        (_coco(images={}), "images is missing or no list"),
        (_coco(images=[1]), "no list of objects"),
        (_coco(annotations=[], images=[{"id": 1}]), "image 1: file_name is None"),
        (_coco(annotations=[], images=[{"id": 1, "file_name": "a", "width": 0, "height": 1}]), "width is 0"),
        (_coco(annotations=[], images=[{"id": 1, "file_name": "../a", "width": 1, "height": 1}]), "relative path"),
        (_coco(annotations=[], images=[{"id": 1, "file_name": "/a", "width": 1, "height": 1}]), "relative path"),
        (_coco(images=[{"id": True}]), "id is True"),
        (_coco(images=[{"id": 1}, {"id": 1}]), "two of the images have the id 1"),
        (_coco(categories=[{"id": 17, "name": "a"}, {"id": 18, "name": "a"}]), "two categories are called 'a'"),
        (_coco(categories=[{"id": 17, "name": ""}, {"id": 18, "name": "a"}]), "not empty"),
        (_coco(annotations=[{**_BOX, "image_id": 8}]), "annotation 1: image 8 is not in the file"),
        (_coco(annotations=[{**_BOX, "category_id": 1}]), "annotation 1: category 1 is not among the classes"),
        (_coco(annotations=[{"id": 1, "image_id": 7, "category_id": 17}]), "bbox is None"),
        (_coco(annotations=[{**_BOX, "bbox": [1, 2, 3]}]), "four numbers"),
        (_coco(annotations=[{**_BOX, "bbox": [1, 2, 3, "4"]}]), "four numbers"),
        (_coco(annotations=[{**_BOX, "bbox": [True, 2, 3, 4]}]), "four numbers"),
        (_coco(annotations=[{**_BOX, "bbox": [10**400, 2, 3, 4]}]), "four numbers"),
        (_coco(annotations=[{**_BOX, "bbox": [float("nan"), 2, 3, 4]}]), "a.jpg: box 1: x1 is nan"),
        (_coco(annotations=[{**_BOX, "bbox": [1, 2, float("inf"), 4]}]), "a.jpg: box 1: x2 is inf"),
        (_coco(annotations=[_BOX, {**_BOX, "id": 2, "bbox": [1, 2, 0, 4]}]), "a.jpg: box 2: .* has no area"),
        (_coco(annotations=[{**_BOX, "bbox": [1, 2, 3, -4]}]), "no area"),
        (_coco(annotations=[{**_BOX, "bbox": [99, 2, 3, 4]}]), "x2 is 102.0, outside .* 0 to 100 .* 100 x 50"),
        (_coco(annotations=[{**_BOX, "score": 2}]), "score is 2"),
        (_coco(annotations=[{**_BOX, "score": "x"}]), "score is 'x'"),
    ],
)
def test_wrong_coco_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_coco(data)


def test_coco_writer_refuses_what_it_cannot_hold() -> None:
    image = LabelledImage(file_name="a.jpg", width=1, height=1, annotation=Annotation(label=0))
    labels = LabelSet(class_names=CLASSES, items=(image,))
    with pytest.raises(DataError, match="whole-image"):
        write_coco(labels)
    with pytest.raises(DataError, match="whole-image"):
        list(write_voc(labels))
    with pytest.raises(DataError, match="another label set"):
        write_coco(labels, read_coco(_coco()).ids)


def test_scores_survive_coco() -> None:
    box = Box(x1=0, y1=0, x2=1, y2=1, label=0, score=0.25)
    image = LabelledImage(file_name="a.jpg", width=1, height=1, annotation=Annotation(boxes=(box,)))
    labels = LabelSet(class_names=CLASSES, items=(image,))
    assert read_coco(write_coco(labels)).labels == labels


_TXT = b"\xef\xbb\xbfa.jpg 1,2,3,4,0 5,6,7.5,8,1\r\n\n  sub/b.jpg 1  \nnone.jpg"


def _size(name: str) -> tuple[int, int]:
    return (100, 50)


def test_txt_is_read() -> None:
    read = read_txt(_TXT, class_names=CLASSES, size_of=_size)
    assert [item.file_name for item in read.labels.items] == ["a.jpg", "sub/b.jpg", "none.jpg"]
    assert [item.annotation for item in read.labels.items] == [
        Annotation(
            boxes=(Box(x1=1, y1=2, x2=3, y2=4, label=0), Box(x1=5, y1=6, x2=7.5, y2=8, label=1)),
        ),
        Annotation(label=1),
        Annotation(),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.jpg 1,2,3", "line 1: '1,2,3' is no box"),
        ("a.jpg 1,2,3,4,0,1", "is no box"),
        ("a.jpg 1,2,x,4,0", "no number 'x'"),
        ("a.jpg 1,2,3,4,0.5", "no whole number '0.5'"),
        ("a.jpg cat", "no whole number 'cat'"),
        ("a.jpg 0 1", "is no box"),
        ("a.jpg 2", "a.jpg: class 2 is not known .allowed are 0 to 1: cat, dog"),
        ("a.jpg -1", "class -1"),
        ("a.jpg 1,2,3,4,7", "line 1: box 1,2,3,4,7: class 7 is not known"),
        ("a.jpg 1,2,nan,4,0", "x2 is nan"),
        ("a.jpg 1,2,101,4,0", "x2 is 101.0, outside the image"),
        ("a.jpg -1,2,5,4,0", "x1 is -1.0, outside the image"),
        ("a.jpg 5,2,5,4,0", "no area"),
        ("/abs.jpg", "relative path"),
        ("a.jpg\na.jpg", "appears twice"),
    ],
)
def test_wrong_txt_is_refused(line: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_txt(line.encode(), class_names=CLASSES, size_of=_size)


def test_lines_are_formatted_as_upstream_reads_them() -> None:
    boxes = (Box(x1=1, y1=2, x2=30.6, y2=4, label=1), Box(x1=9.6, y1=9.9, x2=10, y2=10, label=0))
    assert format_line("/abs/a.jpg", Annotation(boxes=boxes)) == "/abs/a.jpg 1,2,31,4,1 9,9,10,10,0"
    assert format_line("a.jpg", Annotation(label=3)) == "a.jpg 3"
    assert format_line("a.jpg", Annotation()) == "a.jpg"


@pytest.mark.parametrize("name", ["", "with space.jpg", "tab\t.jpg", " a.jpg", "a.jpg\n"])
def test_names_with_white_space_do_not_fit_txt(name: str) -> None:
    with pytest.raises(DataError, match="white space"):
        format_line(name, Annotation())


def test_boxes_beside_a_label_do_not_fit_txt() -> None:
    with pytest.raises(DataError, match="one or the other"):
        format_line("a.jpg", Annotation(label=1, boxes=(Box(x1=0, y1=0, x2=1, y2=1, label=0),)))
    with pytest.raises(DataError, match="blank"):
        parse_line("  ", "here")


def _voc(body: str = "", size: str = "<width>100</width><height>50</height><depth>3</depth>") -> bytes:
    return f"<annotation><filename>a.jpg</filename><size>{size}</size>{body}</annotation>".encode()


def _object(name: str = "cat", corners: tuple[object, ...] = (1, 1, 100, 50)) -> str:
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags)
    return f"<object><name>{name}</name><difficult>1</difficult><bndbox>{box}</bndbox></object>"


def test_voc_counts_from_one() -> None:
    read = read_voc([_voc(_object() + _object("dog", (2, 3, 2.5, 3)))])
    assert read.labels.class_names == CLASSES
    assert read.labels.items[0].annotation.boxes == (
        Box(x1=0, y1=0, x2=100, y2=50, label=0),
        Box(x1=1, y1=2, x2=2.5, y2=3, label=1),
    )
    from_zero = read_voc([_voc(_object(corners=(0, 0, 100, 50)))], one_based=False)
    assert from_zero.labels.items[0].annotation.boxes[0].x1 == 0


def test_voc_without_objects_shows_nothing() -> None:
    read = read_voc([_voc()], class_names=CLASSES)
    assert read.labels.items[0].annotation == Annotation()


_BOMB = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><annotation>&b;</annotation>"
_EXTERNAL = b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><annotation>&a;</annotation>"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no XML"),
        (b"<annotation>", "no XML"),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "no XML"),
        (_BOMB, "document type"),
        (_EXTERNAL, "document type"),
        (b"<annotation/>", "<size/width> is missing"),
        (_voc(size=""), "<size/width> is missing"),
        (_voc(size="<width>0</width><height>5</height>"), "<size/width> is 0.0"),
        (_voc(size="<width>nan</width><height>5</height>"), "<size/width> is nan"),
        (_voc(size="<width>x</width><height>5</height>"), "<size/width> is 'x'"),
        (_voc("<object><name>cat</name></object>"), "object 1: <bndbox/xmin> is missing"),
        (_voc(_object("")), "<name> is missing"),
        (_voc(_object() + _object("bird")), "object 2: class 'bird' is not known .the classes are cat, dog"),
        (_voc(_object(corners=(0, 1, 5, 5))), "object 1: x1 is -1.0, outside the image"),
        (_voc(_object(corners=("1e999", 1, 5, 5))), "x1 is inf"),
        (_voc(_object(corners=(6, 1, 5, 5))), "no area"),
    ],
)
def test_wrong_voc_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_voc([data], class_names=CLASSES)


def test_voc_names_follow_the_images() -> None:
    def image(name: str) -> LabelledImage:
        return LabelledImage(file_name=name, width=1, height=1, annotation=Annotation())

    labels = LabelSet(class_names=CLASSES, items=(image("a/1.jpg"), image("2")))
    assert [name for name, _ in write_voc(labels)] == ["a/1.xml", "2.xml"]
    with pytest.raises(DataError, match=r"two images need the file '1.xml'"):
        list(write_voc(LabelSet(class_names=CLASSES, items=(image("1.jpg"), image("1.png")))))
    with pytest.raises(DataError, match="XML cannot hold"):
        list(write_voc(LabelSet(class_names=CLASSES, items=(image("\ufffe.jpg"),))))


def test_sources_are_limited_and_named(tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    file.write_bytes(_coco())
    assert read_coco(file) == read_coco(_coco())
    with pytest.raises(TooLargeError, match=r"labels\.json.*at most 10 bytes"):
        read_coco(file, max_bytes=10)
    with pytest.raises(TooLargeError):
        read_txt(b"x" * 11, class_names=(), size_of=_size, max_bytes=10)
    with pytest.raises(NotFoundError, match=r"none\.xml"):
        read_voc([tmp_path / "none.xml"])
    with pytest.raises(NotFoundError):
        read_voc([tmp_path])


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a\\b", "a\nb", " a", "a ", "\ud800", ".", "a/"])
def test_names_that_lead_elsewhere_are_no_file_names(name: str) -> None:
    with pytest.raises(ValueError, match="file_name"):
        LabelledImage(file_name=name, width=1, height=1, annotation=Annotation())


@pytest.mark.parametrize("names", [("a", "a"), ("",), (" a",), ("a\n",)])
def test_class_names_are_plain_and_different(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="class name"):
        LabelSet(class_names=names)


@st.composite
def _damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """A right file with some bytes replaced, inserted or cut out."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 8))
        data = data[:start] + draw(st.one_of(st.binary(max_size=8), st.sampled_from(_NASTY))) + data[end:]
    return data


_NASTY = [b"null", b"true", b"[]", b"{}", b"1e999", b"-1", b"NaN", b'""', b"<object/>", b"&amp;", b",", b" ", b"\n"]


@given(
    _damaged(_coco()),
    _damaged(_voc(_object() + _object("dog"))),
    _damaged(_TXT),
)
def test_a_damaged_file_is_read_or_refused_never_worse(coco: bytes, voc: bytes, txt: bytes) -> None:
    with contextlib.suppress(SednaError):
        assert isinstance(read_coco(coco).labels, LabelSet)
    with contextlib.suppress(SednaError):
        assert isinstance(read_voc([voc]).labels, LabelSet)
    with contextlib.suppress(SednaError):
        assert isinstance(read_txt(txt, class_names=CLASSES, size_of=_size).labels, LabelSet)


def test_txt_writer_keeps_the_order() -> None:
    read = read_txt(_TXT, class_names=CLASSES, size_of=_size)
    assert write_txt(read.labels) == b"a.jpg 1,2,3,4,0 5,6,8,8,1\nsub/b.jpg 1\nnone.jpg\n"
