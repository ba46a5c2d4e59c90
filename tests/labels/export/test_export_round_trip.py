"""What is exported is read again as the same labels, and what nobody has said stays unsaid."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures_export import CLASSES, PICTURES, SCRATCH, files_of, picture
from fixtures_labels import exported, label_sets, zipped
from sedna.common.errors import DataError
from sedna.common.label_format import ExportFormat, LabelFormat, PictureState
from sedna.common.types import Annotation, Box
from sedna.labels import LabelSet, read_labels
from sedna.labels.classes import ClassNames
from sedna.labels.export import LabelExport, export_files, require_writable
from sedna.labels.files import opened
from sedna.labels.items import LabelItem

BOXES_ONLY = (ExportFormat.COCO, ExportFormat.VOC, ExportFormat.YOLO)
FOLDERS = ("images/train/", "images/val/", "images/holdout/", "images/", "JPEGImages/")


def read(files: dict[str, bytes], export_format: ExportFormat, classes: ClassNames) -> tuple[LabelItem, ...]:
    with opened(zipped(files), "labels", "labels") as unpacked:
        return read_labels(unpacked, LabelFormat(export_format.value), classes)


def bare(name: str) -> str:
    """A picture's name without the folder that the format puts it into, and without suffix."""
    folder = next((folder for folder in FOLDERS if name.startswith(folder)), "")
    return name.removeprefix(folder).removesuffix(".jpg")


def by_name(annotation: Annotation, names: list[str]) -> tuple[str | None, list[tuple[object, ...]]]:
    label = None if annotation.label is None else names[annotation.label]
    return label, [(names[box.label], *(pytest.approx(v, abs=1e-6) for v in corners(box))) for box in annotation.boxes]


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2


@pytest.mark.parametrize("is_open", [False, True], ids=["known", "learnt"])
@pytest.mark.parametrize("export_format", ExportFormat)
@settings(max_examples=40)
@given(data=st.data())
def test_labels_come_back_as_they_went(export_format: ExportFormat, is_open: bool, data: st.DataObject) -> None:
    image_labels = export_format not in BOXES_ONLY
    labels: LabelSet = data.draw(label_sets(whole=False, image_labels=image_labels).filter(lambda made: made.items))
    classes = ClassNames() if is_open else ClassNames(list(labels.class_names), is_open=False)
    items = read(exported(labels, export_format), export_format, classes)
    sizes = {bare(item.file_name): (item.width, item.height) for item in labels.items}
    assert sorted(bare(item.name) for item in items) == sorted(sizes)
    found = {bare(item.name): item.read().annotation(sizes[bare(item.name)], (), where="") for item in items}
    for image in labels.items:
        assert by_name(found[bare(image.file_name)], classes.names) == by_name(
            image.annotation, list(labels.class_names)
        )


@pytest.mark.parametrize("export_format", ExportFormat)
def test_three_ways_to_have_no_box_are_told_apart(export_format: ExportFormat) -> None:
    files = files_of(export_format)
    found = {
        int(bare(item.name), 16): item.read().annotation((100, 50), CLASSES, where="")
        for item in read(files, export_format, ClassNames(list(CLASSES), is_open=False))
    }
    assert sorted(found) == [0, 1, 4, 5], "nothing is said of what is unlabelled or excluded"
    assert found[1] == found[5] == Annotation()
    assert [by_name(found[number], list(CLASSES)) for number in (0, 4)] == [by_name(SCRATCH, list(CLASSES))] * 2
    # The others are named all the same, so that nobody has to guess where they are.
    text = b"".join((*files.values(), *(name.encode() for name in files)))
    assert all(one.sample_id.encode() in text for one in PICTURES)


@pytest.mark.parametrize("export_format", ExportFormat)
def test_an_export_of_nothing_is_a_whole_file(export_format: ExportFormat) -> None:
    files = files_of(export_format, ())
    if export_format in (ExportFormat.VOC, ExportFormat.YOLO):
        assert all(not content for name, content in files.items() if name != "data.yaml")
    else:
        assert read(files, export_format, ClassNames(list(CLASSES), is_open=False)) == ()


def test_the_state_of_an_excluded_picture_is_that_it_is_excluded() -> None:
    states = [one.state for one in PICTURES]
    assert states == [
        PictureState.LABELLED,
        PictureState.NEGATIVE,
        PictureState.UNLABELLED,
        PictureState.EXCLUDED,
        PictureState.LABELLED,
        PictureState.NEGATIVE,
        PictureState.EXCLUDED,
    ]


@pytest.mark.parametrize("export_format", ExportFormat)
def test_what_a_format_cannot_hold_is_refused_beforehand(export_format: ExportFormat) -> None:
    export = LabelExport(CLASSES, lambda: iter((picture(0, Annotation(label=1), "train"),)))
    if export_format in BOXES_ONLY:
        with pytest.raises(DataError, match=r"has no labels of whole images.*one of cvat, labelstudio, csv, jsonl"):
            require_writable(export_format, export)
    else:
        require_writable(export_format, export)
    odd = LabelExport(("a\ufffe",), lambda: iter(()))
    if export_format in (ExportFormat.VOC, ExportFormat.CVAT, ExportFormat.LABELSTUDIO):
        with pytest.raises(DataError, match="characters that XML cannot hold"):
            require_writable(export_format, odd)
    else:
        require_writable(export_format, odd)


def test_classes_without_names_are_called_by_their_numbers() -> None:
    export = LabelExport((), lambda: iter(PICTURES))
    for export_format in ExportFormat:
        files = {name: b"".join(chunks) for name, chunks in export_files(export_format, export)}
        classes = ClassNames(["0", "1"], is_open=False)
        labels = {box.label for item in read(files, export_format, classes) for box in item.read().boxes}
        assert labels == {1}
