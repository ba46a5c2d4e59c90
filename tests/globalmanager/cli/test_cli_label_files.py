"""What an import sends, of a file, a folder and standard input."""

import io
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from globalmanager.cli.label_files import read_labels_to_send
from sedna.common.errors import DataError, NotFoundError
from sedna.common.label_format import LabelFormat


@pytest.fixture
def boards(tmp_path):
    root = tmp_path / "boards"
    for name in ("images/a.jpg", "labels/a.txt", "labels/b.TXT", "data.yaml", "Annotations/a.xml", ".cache/c.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def sent(path, label_format):
    with zipfile.ZipFile(io.BytesIO(read_labels_to_send(path, label_format))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize("label_format", LabelFormat)
def test_a_file_is_sent_as_it_is(tmp_path, label_format):
    path = tmp_path / "labels.bin"
    path.write_bytes(b"\x00\xff")
    assert read_labels_to_send(path, label_format) == b"\x00\xff"


def test_of_a_folder_the_label_files_are_sent_and_no_pictures(boards):
    assert [*sent(boards, LabelFormat.YOLO)] == ["data.yaml", "labels/a.txt", "labels/b.TXT"]
    assert sent(boards, LabelFormat.VOC) == {"Annotations/a.xml": "Annotations/a.xml"}


def test_a_description_stands_for_its_folder_and_a_label_file_keeps_its_name(boards):
    assert sent(boards / "data.yaml", LabelFormat.YOLO) == sent(boards, LabelFormat.YOLO)
    assert sent(boards / "labels" / "a.txt", LabelFormat.YOLO) == {"a.txt": "labels/a.txt"}


@pytest.mark.parametrize("label_format", LabelFormat)
def test_standard_input_is_read_as_bytes(monkeypatch, label_format):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff\x00")))
    assert read_labels_to_send(Path("-"), label_format) == b"\xff\x00"


def test_what_cannot_be_sent_is_said(boards):
    for label_format in LabelFormat:
        with pytest.raises(NotFoundError, match="no such file"):
            read_labels_to_send(boards / "none.txt", label_format)
    with pytest.raises(DataError, match=r"this is a folder.*csv is one file"):
        read_labels_to_send(boards, LabelFormat.CSV)
    with pytest.raises(DataError, match="no label files below it"):
        read_labels_to_send(boards / "images", LabelFormat.YOLO)
