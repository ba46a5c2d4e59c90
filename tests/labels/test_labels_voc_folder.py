"""Folders of VOC files: where their pictures are, and one bad file among good ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures_labels import lay_out
from sedna.common.errors import DataError
from sedna.common.label_format import LabelFormat
from sedna.labels import FolderFiles, LabelItem, OneFile, read_labels


def voc(filename: str = "a.jpg", name: str = "cat", box: tuple[int, int, int, int] = (1, 2, 3, 4)) -> bytes:
    corners = "".join(
        f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    found = f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>"
    size = "<size><width>10</width><height>20</height></size>"
    return f"<annotation><filename>{filename}</filename>{size}{found}</annotation>".encode()


def read(tmp_path: Path, files: dict[str, bytes], classes: tuple[str, ...] = (), start: str = "") -> list[LabelItem]:
    return list(read_labels(FolderFiles(lay_out(tmp_path, files)), LabelFormat.VOC, classes, start=start))


@pytest.mark.parametrize(
    ("picture", "label", "filename"),
    [
        ("JPEGImages/a.jpg", "Annotations/a.xml", "a.jpg"),
        ("VOC2007/JPEGImages/s/a.jpg", "VOC2007/Annotations/s/a.xml", "a.jpg"),
        ("images/a.jpg", "Annotations/a.xml", "a.jpg"),
        ("s/a.jpg", "s/a.xml", "a.jpg"),
        ("a.jpg", "Annotations/a.xml", "a.jpg"),
        ("pictures/a.jpg", "labels/a.xml", "pictures/a.jpg"),
    ],
    ids=["voc", "below", "images", "beside", "above", "as stated"],
)
def test_pictures_are_found_where_tools_put_them(tmp_path: Path, picture: str, label: str, filename: str) -> None:
    [item] = read(tmp_path, {picture: b"", label: voc(filename)})
    assert item.name == picture
    assert item.read().size == (10, 20)


def test_without_pictures_the_stated_name_counts_first(tmp_path: Path) -> None:
    [item] = read(tmp_path, {"Annotations/a.xml": voc()})
    assert item.name == "a.jpg"
    assert "JPEGImages/a.jpg" in item.others


def test_one_file_alone_is_a_label_set() -> None:
    [item] = read_labels(OneFile("labels.xml", voc(), "sent"), LabelFormat.VOC, ("dog", "cat"))
    assert (item.name, item.read().boxes[0].label) == ("a.jpg", 1)


def test_a_part_of_a_folder_can_be_named(tmp_path: Path) -> None:
    files = {"Annotations/a/1.xml": voc("1.jpg"), "Annotations/b/2.xml": voc("2.jpg")}
    assert [item.name for item in read(tmp_path, files, start="Annotations/b")] == ["2.jpg"]
    assert [item.name for item in read(tmp_path, files, start="Annotations/b/2.xml")] == ["2.jpg"]


def test_without_class_names_the_names_of_all_files_count(tmp_path: Path) -> None:
    items = read(tmp_path, {"a.xml": voc("a.jpg", "dog"), "b.xml": voc("b.jpg", "cat")})
    assert [item.read().boxes[0].label for item in items] == [1, 0]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"<annotation>", "b.xml: this is no XML"),
        (b"<annotation><filename>b.jpg</filename></annotation>", "b.xml: <size/width> is missing"),
    ],
)
def test_a_bad_file_is_the_fault_of_its_image(tmp_path: Path, bad: bytes, words: str) -> None:
    good, faulty = read(tmp_path, {"a.xml": voc(), "b.xml": bad}, ("cat",))
    assert good.read().boxes
    with pytest.raises(DataError) as caught:
        faulty.read()
    assert words in str(caught.value)


def test_a_name_is_only_looked_up_and_leads_nowhere_else(tmp_path: Path) -> None:
    files = {"a.xml": voc("../b.jpg"), "b.xml": voc("/etc/c.jpg"), "c.xml": voc("images\\d.jpg"), "d.xml": voc("")}
    assert [item.name for item in read(tmp_path, files, ("cat",))] == ["b.jpg", "etc/c.jpg", "images/d.jpg", "d"]


def test_an_object_that_is_wrong_is_a_fault_of_its_own(tmp_path: Path) -> None:
    text = voc("a.jpg").decode()
    one = text[text.index("<object>") : text.index("</object>") + len("</object>")]
    no_box = "<object><name>cat</name><polygon/></object>"
    gone = one.replace("<object>", "<object><deleted>1</deleted>")
    hard = one.replace("<object>", "<object><difficult>1</difficult><truncated>1</truncated>")
    both = text.replace("</annotation>", one.replace("cat", "cow") + no_box + gone + hard + "</annotation>")
    [item] = read(tmp_path, {"a.xml": both.encode()}, ("cat",))
    labels = item.read()
    assert len(labels.boxes) == 2, "one that is difficult or truncated is an object"
    no_bndbox, cow = map(str, labels.faults)
    assert "object 3: <bndbox/xmin> is missing" in no_bndbox
    assert "object 2: class 'cow' is not known (the classes are cat; rename it" in cow
    assert labels.skipped == (f"{item.where}: object 4: marked as deleted",)
