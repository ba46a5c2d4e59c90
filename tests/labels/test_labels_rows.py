"""Tables of labels: what a row says, and what is said about a row or a file that says nothing."""

from __future__ import annotations

import json

import pytest

from sedna.common.errors import DataError
from sedna.labels.csv import read_csv_rows
from sedna.labels.jsonl import read_jsonl_rows
from sedna.labels.txt import TxtLine
from sedna.labels.validate import RawBox


def test_a_table_from_a_spreadsheet_is_read() -> None:
    """Byte order mark, line ends of Windows, columns in another order, a line break in a column of no interest."""
    data = '\ufeffy,note,x\r\n3,"two\r\nlines",a b.png\r\n\r\n"1,2,3,4,0",,c.png\r\n,,d.png\r\n'.encode()
    rows = list(read_csv_rows(data, "t.csv"))
    assert [row.line for row in rows] == [
        TxtLine("a b.png", label=3),
        TxtLine("c.png", (RawBox(1, 2, 3, 4, 0),)),
        TxtLine("d.png"),
    ]
    assert [row.number for row in rows] == [3, 5, 6]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "t.csv: the file is empty"),
        (b"\n\n", "t.csv: the file is empty"),
        (b"image,label\na.png,1\n", "t.csv: line 1: no column 'x' among image, label"),
        (b"x\na.png\n", "t.csv: line 1: no column 'y'"),
        (b"x,y,x\n", "t.csv: line 1: 2 columns 'x'"),
        (b'x,y\na.png,"1\nb.png,1\n', "t.csv: line 3: this is no CSV: unexpected end of data"),
        (b'x,y\na.png,"1"2\n', "t.csv: line 2: this is no CSV"),
        (b"\xff\xfex\x00,\x00y\x00\n", "t.csv: byte 8 is not UTF-16, as its byte order mark says"),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_what_would_be_right(data: bytes, words: str) -> None:
    with pytest.raises(DataError) as caught:
        list(read_csv_rows(data, "t.csv"))
    assert str(caught.value).startswith(words)
    assert caught.value.hint


SHEET = 'x;y\r\nbörd.png;"1,2,30,40,0 5,6,70,80,1"\r\nleer.png;\r\n'


@pytest.mark.parametrize(
    "data",
    [
        SHEET.encode("utf-8-sig"),
        SHEET.encode("utf-16"),
        SHEET.encode("latin-1"),
        SHEET.replace(";", "\t").encode("utf-16-be").join([b"\xfe\xff", b""]),
        ("sep=;\r\n" + SHEET).encode("utf-8"),
        SHEET.replace('"', "").encode(),
        SHEET.replace(";", ",").encode("cp1252"),
    ],
    ids=["mark", "utf-16", "latin-1", "tabs", "sep", "no quotes", "commas"],
)
def test_a_table_is_read_as_spreadsheets_write_it(data: bytes) -> None:
    first, second = read_csv_rows(data, "t.csv")
    assert first.line == TxtLine("börd.png", (RawBox(1, 2, 30, 40, 0), RawBox(5, 6, 70, 80, 1)))
    assert second.line == TxtLine("leer.png")
    assert second.number == 3 + data.startswith(b"sep=")


def test_a_separator_is_what_makes_the_columns_of_the_header() -> None:
    [row] = read_csv_rows(b"camera;y;x\nA,1;3;a,b.png\n", "t.csv")
    assert row.line == TxtLine("a,b.png", label=3)


def test_one_wrong_box_of_a_line_leaves_the_others() -> None:
    [row] = read_csv_rows(b'x,y\na.png,"1,2,3,4,0 1,2 5,6,7,8,cat"\n', "t.csv")
    assert row.line is not None
    assert row.line.boxes == (RawBox(1, 2, 3, 4, 0),)
    assert [fault.message for fault in row.line.faults] == [
        "'1,2' is no box",
        "'5,6,7,8,cat' has no whole number 'cat' for a label",
    ]
    [json_row] = read_jsonl_rows(b'{"x": "a.png", "y": [[1, 2, 3, 4, 0], [1, 2], null]}', "t.jsonl")
    assert json_row.line is not None
    assert [fault.message for fault in json_row.line.faults] == ["[1, 2] is no box", "None is no box"]


def test_lines_of_json_are_read() -> None:
    lines = [
        {"x": "a.png", "y": 0},
        {"x": "b.png", "y": [[1, 2.5, 3, 4, 1]], "camera": 7},
        {"x": "c.png", "y": []},
        {"x": "d.png", "y": "1,2,3,4,0"},
    ]
    data = "\r\n\r\n".join(json.dumps(line) for line in lines).encode()
    rows = list(read_jsonl_rows(data, "t.jsonl"))
    assert [row.line for row in rows] == [
        TxtLine("a.png", label=0),
        TxtLine("b.png", (RawBox(1, 2.5, 3, 4, 1),)),
        TxtLine("c.png"),
        TxtLine("d.png", (RawBox(1, 2, 3, 4, 0),)),
    ]
    assert [row.number for row in rows] == [1, 3, 5, 7]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", "a list is no sample"),
        ('{"x": 3, "y": 1}', "x is 3"),
        ('{"x": " ", "y": 1}', "x is ' '"),
        ('{"y": 1}', "there is no key x"),
        ('{"x": "a"}', "there is no key y"),
        ('{"x": "a", "y": null}', "y is None"),
        ('{"x": "a", "y": true}', "y is True"),
        ('{"x": "a", "y": 1.5}', "y is 1.5"),
        ('{"x": "a", "y": [1, 2, 3, 4, 0]}', "1 is no box"),
        ('{"x": "a", "y": [[1, 2, 3, 4]]}', "[1, 2, 3, 4] is no box"),
        ('{"x": "a", "y": [[1, 2, 3, 4, 0.5]]}', "is no box"),
        ('{"x": "a", "y": [[1, 2, 3, 4, true]]}', "is no box"),
        ('{"x": "a", "y": [["1", 2, 3, 4, 0]]}', "is no box"),
        ('{"x": "a", "y": [[1%s, 2, 3, 4, 0]]}' % ("0" * 400), "holds a number that no image has"),
        ('{"x": "a", "y": 1%s}' % ("0" * 400), "label a number of more than 20 digits is too large"),
        ('{"x": "a", "y": [[1, 2, 3, 4, 1000000000]]}', "label 1000000000 is too large"),
        ("[" * 100_000, "this is no JSON"),
        ('{"x": "a", "y": {"%s": 1}}' % ("k" * 5000), "y is {'kkk"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_are_read(line: str, words: str) -> None:
    good, bad, last = read_jsonl_rows(f'{{"x": "1", "y": 1}}\n{line}\n{{"x": "3", "y": 1}}'.encode(), "t.jsonl")
    assert good.line is not None
    assert last.line is not None
    assert bad.line is None
    assert bad.fault is not None
    assert bad.fault.where == "t.jsonl: line 2"
    assert words in bad.fault.message
    assert len(bad.fault.message) < 300
    assert bad.fault.hint
