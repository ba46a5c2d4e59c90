import hashlib

import pytest
from pydantic import ValidationError

from sedna.common.types import Annotation, Box, JobKey, Verdict, sample_id


def test_a_sample_is_named_by_its_bytes():
    assert sample_id(b"x") == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("box", [(0, 0, 0, 1), (0, 0, 1, 0), (5, 0, 4, 1), (0, 0, float("nan"), 1)])
def test_boxes_have_an_area(box):
    x1, y1, x2, y2 = box
    with pytest.raises(ValidationError):
        Box(x1=x1, y1=y1, x2=x2, y2=y2, label=0)


def test_values_are_frozen_and_know_their_keys():
    key = JobKey(name="pcb")
    assert str(key) == "default/pcb"
    with pytest.raises(ValidationError):
        key.name = "other"
    with pytest.raises(ValidationError):
        JobKey(name="pcb", nmaespace="x")
    with pytest.raises(ValidationError):
        JobKey(name="Not A Name")
    with pytest.raises(ValidationError):
        Verdict(hard=True, miner="IBT", score=float("nan"), reason="x")


def test_the_wire_form_is_json():
    annotation = Annotation(boxes=(Box(x1=0, y1=0, x2=1, y2=1, label=2, score=0.5),))
    assert Annotation.model_validate_json(annotation.model_dump_json()) == annotation
