"""Boxes that cannot be: strict mode says why, clip mode cuts them and reports it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.common.errors import DataError
from sedna.common.types import Annotation, Box
from sedna.labels import Clipped, LabelledImage, LabelSet, validate
from sedna.labels.validate import BoxCheck, RawBox

COORDINATE = st.floats(-50, 150)


def _one(box: Box) -> LabelSet:
    image = LabelledImage(file_name="a.jpg", width=100, height=50, annotation=Annotation(boxes=(box,)))
    return LabelSet(class_names=("cat",), items=(image,))


def test_strict_names_image_box_value_and_limit() -> None:
    box = Box(x1=0, y1=0, x2=10, y2=50.5, label=0)
    with pytest.raises(DataError) as caught:
        validate(_one(box))
    assert str(caught.value).startswith("a.jpg: box 1: y2 is 50.5, outside the image (allowed are 0 to 50 in this")


def test_clip_cuts_and_reports() -> None:
    checked = validate(_one(Box(x1=-5, y1=10, x2=200, y2=20, label=0, score=0.5)), "clip")
    assert checked.labels.items[0].annotation.boxes == (Box(x1=0, y1=10, x2=100, y2=20, label=0, score=0.5),)
    assert checked.report.clipped == (Clipped(image="a.jpg", box=1, before=(-5, 10, 200, 20), after=(0, 10, 100, 20)),)


def test_clip_drops_what_is_outside() -> None:
    checked = validate(_one(Box(x1=100, y1=0, x2=101, y2=1, label=0)), "clip")
    assert checked.labels.items[0].annotation.boxes == ()
    assert checked.report.clipped[0].after is None


def test_rounding_is_no_fault() -> None:
    checked = validate(_one(Box(x1=-1e-9, y1=0, x2=100.0000001, y2=50, label=0)))
    assert checked.labels.items[0].annotation.boxes == (Box(x1=0, y1=0, x2=100, y2=50, label=0),)


def test_no_rounding_leaves_a_box_without_area() -> None:
    with pytest.raises(DataError, match="thinner than one pixel"):
        validate(_one(Box(x1=100, y1=0, x2=100.0000001, y2=50, label=0)))


@pytest.mark.parametrize("mode", ["strict", "clip"])
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (RawBox(float("nan"), 0, 1, 1, 0), "x1 is nan"),
        (RawBox(0, 0, 1, float("-inf"), 0), "y2 is -inf"),
        (RawBox(0, 0, 2, 2, 1), "class 1 is not known"),
        (RawBox(0, 0, 2, 2, -1), "class -1 is not known"),
        (RawBox(0, 0, 2, 2, 0, 1.5), "score is 1.5"),
        (RawBox(0, 0, 2, 2, 0, float("nan")), "score is nan"),
    ],
)
def test_nonsense_is_refused_in_both_modes(mode: str, raw: RawBox, said: str) -> None:
    check = BoxCheck(mode, ("cat",))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=f"a.jpg: box 1: {said}"):
        check.boxes("a.jpg", 10, 10, [raw])


def test_an_empty_class_list_is_told() -> None:
    with pytest.raises(DataError, match="class list is empty"):
        BoxCheck("strict", ()).label("a.jpg", 0)


@given(COORDINATE, COORDINATE, COORDINATE, COORDINATE)
def test_strict_and_clip_agree(x1: float, y1: float, x2: float, y2: float) -> None:
    """Clip leaves alone exactly what strict accepts, and what it leaves is inside."""
    raw = [RawBox(x1, y1, x2, y2, 0)]
    clip = BoxCheck("clip", ("cat",))
    boxes = clip.boxes("a.jpg", 100, 50, raw)
    for box in boxes:
        assert 0 <= box.x1 < box.x2 <= 100
        assert 0 <= box.y1 < box.y2 <= 50
    if clip.clipped:
        with pytest.raises(DataError):
            BoxCheck("strict", ("cat",)).boxes("a.jpg", 100, 50, raw)
    else:
        assert BoxCheck("strict", ("cat",)).boxes("a.jpg", 100, 50, raw) == boxes
