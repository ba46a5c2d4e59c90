"""Labels of pictures that a camera held otherwise: boxes are meant as people saw the picture, unless sizes say not."""

import pytest

from fixtures_pictures import SEEN
from sedna.common.errors import DataError
from sedna.common.orientation import turned_box, turned_size
from sedna.labels.items import ImageLabels
from sedna.labels.validate import RawBox

IN_FILE = (12, 8)
CORNERS = (2.0, 1.0, 7.0, 4.0)
BOX = RawBox(*CORNERS, 0)


def corners(annotation):
    (box,) = annotation.boxes
    return box.x1, box.y1, box.x2, box.y2


@pytest.mark.parametrize("orientation", [number for number in SEEN if number >= 5])
def test_boxes_of_the_unturned_picture_turn_with_it(orientation):
    labels = ImageLabels((BOX,), size=IN_FILE)
    seen = turned_size(IN_FILE, orientation)
    assert labels.is_unturned(seen, orientation)
    annotation = labels.annotation(seen, ("x",), where="a", orientation=orientation)
    assert corners(annotation) == turned_box(CORNERS, IN_FILE, orientation)


@pytest.mark.parametrize("orientation", SEEN)
def test_boxes_of_the_picture_as_it_is_seen_stay(orientation):
    seen = turned_size(IN_FILE, orientation)
    for size in (seen, None):
        labels = ImageLabels((BOX,), size=size)
        assert not labels.is_unturned(seen, orientation)
        assert corners(labels.annotation(seen, ("x",), where="a", orientation=orientation)) == CORNERS


def test_fractions_turn_as_pixels_do():
    relative = ImageLabels((RawBox(2 / 12, 1 / 8, 7 / 12, 4 / 8, 0),), size=IN_FILE, relative=True)
    annotation = relative.annotation((8, 12), ("x",), where="a", orientation=6)
    assert corners(annotation) == pytest.approx(turned_box(CORNERS, IN_FILE, 6))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_size_that_is_neither_is_refused_as_before(orientation):
    with pytest.raises(DataError, match="says the image is 13 x 8"):
        ImageLabels((BOX,), size=(13, 8)).annotation((12, 8), ("x",), where="a", orientation=orientation)
    if orientation < 5:  # swapped, and the picture was not turned
        with pytest.raises(DataError, match="says the image is 8 x 12"):
            ImageLabels((BOX,), size=(8, 12)).annotation((12, 8), ("x",), where="a", orientation=orientation)


def test_a_box_without_area_gets_none_by_being_turned():
    inverted = ImageLabels((RawBox(7, 1, 2, 4, 0),), size=IN_FILE)
    with pytest.raises(DataError, match="has no area"):
        inverted.annotation(turned_size(IN_FILE, 6), ("x",), where="a", orientation=6)
