"""Paths of labels and pictures."""

from __future__ import annotations

import pytest

from sedna.labels.layout import Pictures, below, stem, with_part, without_part


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a.jpg", "a"), ("x.y/a", "x.y/a"), ("x/a.b.txt", "x/a.b"), ("x/.hidden", "x/.hidden"), ("", "")],
)
def test_a_stem_keeps_all_but_the_last_suffix_of_the_name(path: str, expected: str) -> None:
    assert stem(path) == expected


@pytest.mark.parametrize(
    ("path", "other", "without"),
    [
        ("labels/train/a", "images/train/a", "train/a"),
        ("labels", "images", ""),
        ("labels/x/labels/a", "labels/x/images/a", "labels/x/a"),
        ("train/labels", "train/images", "train"),
        ("mylabels/a", "mylabels/a", "mylabels/a"),
        ("labels/labels/a", "labels/images/a", "labels/a"),
    ],
)
def test_the_last_component_of_a_name_is_exchanged(path: str, other: str, without: str) -> None:
    assert with_part(path, "labels", "images") == other
    assert without_part(path, "labels") == without


def test_below_is_by_components() -> None:
    assert [below(name, "a/b") for name in ("a/b", "a/b/c", "a/bc", "a")] == [True, True, False, False]
    assert below("x", "")


def test_a_picture_that_is_there_comes_first_and_gives_the_suffix() -> None:
    pictures = Pictures(["images/a.PNG", "images/a.txt", "b.jpg", "b.png"])
    assert pictures.named(["images/a", "a"], unless="x") == ("images/a.PNG", ("a.PNG",))
    assert pictures.named(["none/b.jpg", "b.jpg"], unless="x") == ("b.jpg", ("none/b.jpg",))
    assert pictures.named(["b"], unless="x")[0] == "b.jpg", "always the same one of two"
    chosen, others = pictures.named(["images/c"], unless="images/c")
    assert chosen == "images/c"
    assert {"images/c.jpg", "images/c.webp"} <= {*others}
    assert pictures.has("images/a")
    assert not pictures.has("images/c")
