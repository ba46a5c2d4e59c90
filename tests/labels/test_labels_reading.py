"""The one reader: the same labels come out of a file, a folder and an archive, in every format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures_labels import DETECTION_ONLY, files_of, label_sets, lay_out, zipped
from sedna.common.errors import DataError, NotFoundError, TooLargeError
from sedna.common.label_format import LabelFormat
from sedna.common.types import Annotation
from sedna.labels import FolderFiles, LabelFiles, LabelItem, LabelSet, OneFile, read_labels
from sedna.labels.files import opened
from sedna.labels.reading import is_one_file, label_suffixes
from sedna.loop.spec import DatasetSpec

ONE_FILE = [label_format for label_format in LabelFormat if is_one_file(label_format)]


def annotations_of(items: tuple[LabelItem, ...], labels: LabelSet) -> list[Annotation]:
    """By the images of the set, in its order; every item is about one of them."""
    by_stem: dict[str, Annotation] = {}
    sizes = {_stem(image.file_name): (image.width, image.height) for image in labels.items}
    for item in items:
        said = item.read()
        annotation = said.annotation(sizes[_stem(item.name)], labels.class_names, where=item.where)
        by_stem[_stem(item.name)] = annotation
    assert len(by_stem) == len(items)
    return [by_stem[_stem(image.file_name)] for image in labels.items]


def _stem(name: str) -> str:
    """Of "a/x.jpg", as YOLO calls it "images/a/x.jpg" as well."""
    return str(Path(name).with_suffix("")).removeprefix("images/")


def read(files: LabelFiles, label_format: LabelFormat, labels: LabelSet) -> list[Annotation]:
    return annotations_of(read_labels(files, label_format, labels.class_names), labels)


def assert_close(found: list[Annotation], expected: list[Annotation]) -> None:
    """Equal but for the rounding of fractions."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.label == other.label
        assert [box.label for box in one.boxes] == [box.label for box in other.boxes]
        for box, want in zip(one.boxes, other.boxes, strict=True):
            corners = (box.x1, box.y1, box.x2, box.y2)
            assert corners == pytest.approx((want.x1, want.y1, want.x2, want.y2), abs=1e-6)


@pytest.mark.parametrize("label_format", LabelFormat)
@settings(max_examples=20)
@given(data=st.data())
def test_what_was_written_is_read_alike_from_file_folder_and_archive(
    label_format: LabelFormat, data: st.DataObject
) -> None:
    labels = data.draw(label_sets(image_labels=label_format not in DETECTION_ONLY).filter(lambda made: made.items))
    files = files_of(labels, label_format)
    expected = [image.annotation for image in labels.items]
    with tempfile.TemporaryDirectory() as folder:
        in_folder = read(FolderFiles(lay_out(Path(folder), files)), label_format, labels)
    with opened(zipped(files), "labels", "labels") as unpacked:
        in_archive = read(unpacked, label_format, labels)
    assert in_archive == in_folder
    if is_one_file(label_format):
        [(name, content)] = files.items()
        with opened(content, name, "labels") as alone:
            assert read(alone, label_format, labels) == in_folder
    assert_close(in_folder, expected)


@pytest.mark.parametrize("label_format", LabelFormat)
@settings(max_examples=20)
@given(data=st.data())
def test_items_are_known_by_what_they_say(label_format: LabelFormat, data: st.DataObject) -> None:
    """Read twice they have the same digests, which is how a watched dataset knows what is new."""
    labels = data.draw(label_sets().filter(lambda made: made.items))
    with opened(zipped(files_of(labels, label_format)), "labels", "labels") as files:
        first, second = (read_labels(files, label_format, labels.class_names) for _ in range(2))
    assert [item.digest for item in first] == [item.digest for item in second]
    assert len({item.digest for item in first}) == len(labels.items)


def test_a_dataset_names_the_formats_of_the_table() -> None:
    written = {str(name) for name in get_args(DatasetSpec.model_fields["format"].annotation)}
    assert written == {spelt for name in LabelFormat for spelt in (name.value, name.value.upper())}
    for name in written:
        spec = DatasetSpec.model_validate({"url": "/x", "format": name})
        assert spec.label_format.value == name.lower()
        assert spec.model_dump(by_alias=True)["format"] == name, "a description stays as it was written"
        assert label_suffixes(spec.label_format)


@pytest.mark.parametrize("label_format", ONE_FILE)
def test_an_archive_for_one_file_holds_one(label_format: LabelFormat) -> None:
    suffix = label_suffixes(label_format)[0]
    for names in ([], [f"a{suffix}", f"b/c{suffix}"], ["a.xyz", "b.xyz"]):
        said = f"sent: there are .* label files.*one file \\{suffix} holds"
        with (
            opened(zipped(dict.fromkeys(names, b"x")), "labels", "sent") as files,
            pytest.raises(DataError, match=said),
        ):
            read_labels(files, label_format)


@pytest.mark.parametrize("label_format", [LabelFormat.VOC, LabelFormat.YOLO])
def test_a_folder_without_label_files_is_said_to_have_none(label_format: LabelFormat) -> None:
    with (
        opened(zipped({"images/a.jpg": b"x"}), "labels", "sent") as files,
        pytest.raises(DataError, match="there is no"),
    ):
        read_labels(files, label_format)


def test_what_systems_leave_in_archives_is_no_label() -> None:
    voc = files_of(LabelSet(class_names=("a",)), LabelFormat.VOC)
    assert voc == {}
    names = [
        "__MACOSX/labels/._a.txt",
        ".ipynb_checkpoints/a.txt",
        "labels/.DS_Store",
        "labels/._a.txt",
        "labels/a.txt",
    ]
    with opened(zipped(dict.fromkeys(names, b"")), "labels", "sent") as files:
        assert list(files.names()) == ["labels/a.txt"]


@pytest.mark.parametrize("name", ["../a.xml", "/a.xml", "b\\a.xml"])
def test_an_archive_that_reaches_out_is_refused(name: str) -> None:
    """And the message does not name the passing folder into which it was not unpacked."""
    with pytest.raises(DataError) as caught, opened(zipped({name: b"x"}), "labels.xml", "sent"):
        pass
    assert str(caught.value).startswith("sent: ")


def test_a_damaged_archive_is_refused() -> None:
    with pytest.raises(DataError, match="sent: damaged"), opened(b"PK\x03\x04" + b"x" * 50, "labels.xml", "sent"):
        pass


def test_files_are_read_within_their_limits(tmp_path: Path) -> None:
    folder = FolderFiles(lay_out(tmp_path, {"a/b.txt": b"12345"}))
    assert folder.names() == ["a/b.txt"]
    assert folder.read("a/b.txt", 5) == b"12345"
    for files, name in ((folder, "a/b.txt"), (OneFile("x", b"12345", "x"), "x")):
        with pytest.raises(TooLargeError):
            files.read(name, 4)
        with pytest.raises(NotFoundError):
            files.read("no", 4)
    with pytest.raises(DataError, match="cannot be read"):
        folder.read("a", 4)


def test_only_regular_files_are_listed(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would never end."""
    import os

    lay_out(tmp_path, {"a.txt": b""})
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "dead.txt").symlink_to(tmp_path / "gone.txt")
    assert FolderFiles(tmp_path).names() == ["a.txt"]
