"""What is written and read again is what it was, for any label set that a format can hold."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from fixtures_labels import label_sets
from sedna.labels import (
    LabelReport,
    LabelSet,
    read_coco,
    read_txt,
    read_voc,
    validate,
    write_coco,
    write_txt,
    write_voc,
)


def _assert_close(found: LabelSet, expected: LabelSet, tolerance: float) -> None:
    """The same but for coordinates, and these within ``tolerance`` pixels."""
    assert found.class_names == expected.class_names
    assert [i.file_name for i in found.items] == [i.file_name for i in expected.items]
    for one, other in zip(found.items, expected.items, strict=True):
        assert (one.width, one.height, one.annotation.label) == (other.width, other.height, other.annotation.label)
        for box, want in zip(one.annotation.boxes, other.annotation.boxes, strict=True):
            assert (box.label, box.score) == (want.label, want.score)
            for a, b in zip((box.x1, box.y1, box.x2, box.y2), (want.x1, want.y1, want.x2, want.y2), strict=True):
                assert abs(a - b) <= tolerance


def _sizes(labels: LabelSet) -> dict[str, tuple[int, int]]:
    return {item.file_name: (item.width, item.height) for item in labels.items}


@given(label_sets())
def test_coco_keeps_whole_pixels_exactly(labels: LabelSet) -> None:
    read = read_coco(write_coco(labels))
    assert read.labels == labels
    assert read.report == LabelReport()


@given(label_sets(whole=False))
def test_coco_keeps_fractions_to_rounding(labels: LabelSet) -> None:
    _assert_close(read_coco(write_coco(labels)).labels, labels, 1e-9)


@given(label_sets(), st.randoms(use_true_random=False))
def test_coco_keeps_ids(labels: LabelSet, random: object) -> None:
    content = json.loads(write_coco(labels))
    mapping = {n: n * 7 + 3 for n in range(1000)}
    for row in content["images"]:
        row["id"] = mapping[row["id"]]
    for row in content["categories"]:
        row["id"] = mapping[row["id"]]
    for row in content["annotations"]:
        row["id"], row["image_id"] = mapping[row["id"]], mapping[row["image_id"]]
        row["category_id"] = mapping[row["category_id"]]
    read = read_coco(json.dumps(content).encode())
    assert read.labels == labels
    assert json.loads(write_coco(read.labels, read.ids)) == content


@given(label_sets(image_labels=True))
def test_txt_keeps_whole_pixels_exactly(labels: LabelSet) -> None:
    read = read_txt(write_txt(labels), class_names=labels.class_names, size_of=_sizes(labels).__getitem__)
    assert read.labels == labels


@given(label_sets(whole=False))
def test_txt_rounds_to_boxes_inside_the_image(labels: LabelSet) -> None:
    read = read_txt(write_txt(labels), class_names=labels.class_names, size_of=_sizes(labels).__getitem__)
    _assert_close(read.labels, labels, 1.0)


@given(label_sets())
def test_voc_keeps_whole_pixels_exactly(labels: LabelSet) -> None:
    files = [content for _, content in write_voc(labels)]
    read = read_voc(files, class_names=labels.class_names)
    assert read.labels == labels


@given(label_sets(whole=False))
def test_voc_keeps_fractions_to_rounding(labels: LabelSet) -> None:
    files = [content for _, content in write_voc(labels)]
    _assert_close(read_voc(files, class_names=labels.class_names, mode="clip").labels, labels, 1e-3)


@given(label_sets(whole=False))
def test_possible_boxes_pass_unchanged_in_both_modes(labels: LabelSet) -> None:
    for mode in ("strict", "clip"):
        checked = validate(labels, mode)
        assert checked.labels == labels
        assert checked.report == LabelReport()
