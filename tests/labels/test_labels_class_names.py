"""Labels that are names in txt, CSV and JSON lines."""

from __future__ import annotations

import pytest

from sedna.common.errors import DataError
from sedna.common.label_format import LabelFormat
from sedna.labels import OneFile, read_labels
from sedna.labels.class_text import quoted_class
from sedna.labels.classes import ClassNames

FILES = {
    LabelFormat.TXT: "a.png 1,2,30,40,scratch 5,6,7,8,hole\nb.png hole\nc.png\n",
    LabelFormat.CSV: 'x,y\na.png,"1,2,30,40,scratch 5,6,7,8,hole"\nb.png,hole\nc.png,\n',
    LabelFormat.JSONL: (
        '{"x": "a.png", "y": [[1, 2, 30, 40, "scratch"], [5, 6, 7, 8, "hole"]]}\n'
        '{"x": "b.png", "y": "hole"}\n{"x": "c.png", "y": []}\n'
    ),
}


def read(label_format: LabelFormat, text: str, classes: ClassNames) -> list[object]:
    items = read_labels(OneFile("labels", text.encode(), "sent"), label_format, classes)
    return [[box.label for box in item.read().boxes] or item.read().label for item in items]


@pytest.mark.parametrize("label_format", FILES)
def test_names_are_looked_up_among_the_classes_of_the_job(label_format: LabelFormat) -> None:
    classes = ClassNames(["good", "hole", "scratch"], is_open=False)
    assert read(label_format, FILES[label_format], classes) == [[2, 1], 1, None]
    assert read(label_format, FILES[label_format].replace('"hole"', "1").replace("hole", "1"), classes) == [
        [2, 1],
        1,
        None,
    ]


@pytest.mark.parametrize("label_format", FILES)
def test_a_job_without_classes_learns_them_in_the_order_of_the_file(label_format: LabelFormat) -> None:
    classes = ClassNames()
    assert read(label_format, FILES[label_format], classes) == [[0, 1], 1, None]
    assert classes.names == ["scratch", "hole"]


@pytest.mark.parametrize("label_format", FILES)
def test_where_labels_are_numbers_a_word_is_a_slip_and_no_class(label_format: LabelFormat) -> None:
    classes = ClassNames()
    text = FILES[label_format].replace("scratch", "0").replace('"0"', "0")
    items = read_labels(OneFile("labels", text.encode(), "sent"), label_format, classes)
    assert classes.names == []
    with pytest.raises(DataError, match="hole"):
        items[1].read()


@pytest.mark.parametrize("label_format", FILES)
def test_an_unknown_name_is_the_fault_of_its_line(label_format: LabelFormat) -> None:
    classes = ClassNames(["scratch"], is_open=False)
    first, second, _ = read_labels(OneFile("labels", FILES[label_format].encode(), "sent"), label_format, classes)
    assert len(first.read().boxes) == len(first.read().faults) == 1
    with pytest.raises(DataError, match=r"'hole'.*the classes are scratch"):
        second.read()


def test_a_class_of_several_words_stands_alone_or_is_encoded() -> None:
    classes = ClassNames(["traffic light", "7"], is_open=False)
    text = 'x,y\na.png,traffic light\nb.png,traffic%20light\nc.png,"1,2,3,4,traffic%20light 1,2,3,4,%37"\n'
    assert read(LabelFormat.CSV, text, classes) == [0, 0, [0, 1]]


def test_boxes_without_commas_are_no_class_of_a_job_that_names_none() -> None:
    classes = ClassNames()
    [item] = read_labels(OneFile("labels", b"a.png 10 20 30 40 1\n", "sent"), LabelFormat.TXT, classes)
    assert classes.names == []
    with pytest.raises(DataError, match="'10' is no box"):
        item.read()


@pytest.mark.parametrize("name", ["7", "-3", "1_000", "=A1", "a b", "a,b", "50%", "%41", "été", "缺陷"])
def test_any_name_can_be_written_as_one_word(name: str) -> None:
    word = quoted_class(name)
    assert len(word.split()) == 1
    assert "," not in word
    assert not word.startswith(("=", "+", "-", "@"))
    assert read(LabelFormat.TXT, f"a.png 1,2,3,4,{word}\n", ClassNames(["x", name], is_open=False)) == [[1]]
    learnt = ClassNames()
    assert read(LabelFormat.TXT, f"a.png {word}\n", learnt) == [0]
    assert learnt.names == [name]


def test_a_row_that_says_nothing_about_its_image_is_passed_over() -> None:
    table = "x,state,y\na.png,unlabelled,\nb.png,negative,\nc.png,excluded,1\n"
    classes = ClassNames(["a", "b"], is_open=False)
    items = read_labels(OneFile("labels.csv", table.encode(), "sent"), LabelFormat.CSV, classes)
    assert [item.name for item in items] == ["b.png"]
    lines = '{"x": "a.png", "state": "unlabelled"}\n{"x": "b.png", "state": "negative", "y": []}\n'
    items = read_labels(OneFile("labels.jsonl", lines.encode(), "sent"), LabelFormat.JSONL, classes)
    assert [item.name for item in items] == ["b.png"]
