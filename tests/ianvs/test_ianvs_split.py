"""Indexes and splits: upstream's arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ianvs.data.index import absolute_index, check_index
from ianvs.data.split import METHODS, split_dataset
from sedna.common.errors import DataError, SpecError

LINES = st.lists(st.integers(0, 99).map(str), min_size=1, max_size=40)


@given(lines=LINES, ratio=st.floats(0, 1), times=st.integers(1, 12))
def test_default_pieces_are_the_lines_in_order(lines: list[str], ratio: float, times: int) -> None:
    pieces = METHODS["default"](lines, ratio, times)
    assert [number for number, _, _ in pieces] == list(range(1, times + 1))
    assert [line for _, first, second in pieces for line in (*first, *second)] == lines
    step = len(lines) // times
    assert all(len(first) + len(second) == step for _, first, second in pieces[:-1])
    assert all(len(first) == int((len(first) + len(second)) * ratio) for _, first, second in pieces)


def test_ten_lines_in_three_pieces() -> None:
    pieces = METHODS["default"](list("abcdefghij"), 0.8, 3)
    assert pieces == [(1, ["a", "b"], ["c"]), (2, ["d", "e"], ["f"]), (3, ["g", "h", "i"], ["j"])]


def test_fwt_has_an_extra_piece_of_the_first_line() -> None:
    assert METHODS["fwt_splitting"](list("abcd"), 0.5, 2) == [
        (0, ["a"], ["a"]),
        (1, ["a"], ["b"]),
        (2, ["c"], ["d"]),
    ]


def test_city_begins_with_the_simulated_part() -> None:
    lines = ["synthia_sim/1", "synthia_sim/2", "real/1", "real/2", "synthia_sim/3", "real/4"]
    assert METHODS["city_splitting"](lines, 0.5, 3) == [
        (1, lines[:1], lines[1:2]),
        (2, lines[2:3], lines[3:4]),
        (3, lines[4:5], lines[5:6]),
    ]


def test_hard_example_begins_with_half_of_the_lines() -> None:
    assert METHODS["hard-example_splitting"](list("abcdefgh"), 0.5, 2) == [
        (0, ["a", "b"], ["c", "d"]),
        (1, ["e"], ["f"]),
        (2, ["g"], ["h"]),
    ]


def test_files_are_named_by_use_and_piece(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text('name,label\n"a, b",1\nc,0\n')
    pieces = split_dataset(
        str(tmp_path / "data.csv"), 0.5, "default", ("model_inference", "model_evaluation"), str(tmp_path / "out"), 1
    )
    assert pieces[0].inference == f"{tmp_path}/out/model_inference-1.csv"
    assert Path(pieces[0].inference).read_text() == 'name,label\n"a, b",1\n'
    assert Path(pieces[0].evaluation).read_text() == "name,label\nc,0\n"
    assert pieces[0].sizes == (1, 1)


@pytest.mark.parametrize(("name", "method", "kind"), [("x.txt", "dice", SpecError), ("x.json", "default", DataError)])
def test_what_cannot_be_split_is_refused(tmp_path: Path, name: str, method: str, kind: type[Exception]) -> None:
    (tmp_path / name).write_text("[1]\n")
    with pytest.raises(kind):
        split_dataset(str(tmp_path / name), 0.5, method, ("a", "b"), str(tmp_path), 1)


def test_an_empty_index_cannot_be_split(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("\n\n")
    with pytest.raises(DataError, match="no sample"):
        split_dataset(str(tmp_path / "x.txt"), 0.5, "default", ("a", "b"), str(tmp_path), 1)


def test_one_relative_line_makes_every_word_a_path(tmp_path: Path) -> None:
    index = tmp_path / "index.txt"
    index.write_text("/abs/a.png ./l/a.xml\n./b.png 3\n\n")
    path, notes = absolute_index(str(index), tmp_path / "out" / "index.txt")
    assert Path(path).read_text() == f"/abs/a.png {tmp_path}/l/a.xml\n{tmp_path}/b.png {tmp_path}/3\n"
    assert "labels that are numbers become paths" in notes[0]


def test_an_absolute_index_is_used_as_it_is(tmp_path: Path) -> None:
    index = tmp_path / "index.txt"
    index.write_text("/abs/a.npy\t3\n")
    assert absolute_index(str(index), tmp_path / "out.txt") == (str(index), [])


def test_labels_behind_the_first_word_can_stay(tmp_path: Path) -> None:
    index = tmp_path / "index.txt"
    index.write_text("a.png 1,2,3,4,0 5,6,7,8,1\n")
    path, notes = absolute_index(str(index), tmp_path / "out.txt", rest_is_label=True)
    assert Path(path).read_text() == f"{tmp_path}/a.png 1,2,3,4,0 5,6,7,8,1\n"
    assert notes == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("{x} {y}\n{gone}.png {y}\n", r"line 2: no file .*gone.png"),
        ("{x} {y}\n{x} {gone}.xml\n", r"line 2: no label file .*gone.xml"),
        ("{x} {y}\n{x}\n", r"line 2: no label$|line 2: no label "),
        ("", "has no line"),
        ("{gone}1 {y}\n{gone}2 {y}\n{gone}3 {y}\n{gone}4 {y}\n{gone}5 {y}\n", "and 2 more"),
    ],
)
def test_missing_images_and_labels_are_told_by_line(tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "x").write_text("")
    (tmp_path / "y").write_text("")
    index = tmp_path / "index.txt"
    index.write_text(lines.format(x=tmp_path / "x", y=tmp_path / "y", gone=tmp_path / "gone"))
    with pytest.raises(DataError, match=message):
        check_index(str(index))


def test_numbers_and_absent_labels_are_fine(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    index = tmp_path / "index.txt"
    for text in (f"{tmp_path}/x 1\n", f"{tmp_path}/x\n{tmp_path}/x\n"):
        index.write_text(text)
        check_index(str(index))
