"""What other tools make of an export: their readers where they are at hand, their rules where not."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path, PurePosixPath

import pytest
import yaml
from faster_coco_eval import COCO, COCOeval_faster

from fixtures_export import CLASSES, PICTURES, files_of, picture
from fixtures_labels import lay_out
from sedna.common.label_format import ExportFormat
from sedna.common.types import Annotation, Box, Prediction
from sedna.labels.export import LabelExport, export_files, picture_path


def test_coco_is_read_and_judged_by_a_reader_of_coco(tmp_path: Path) -> None:
    lay_out(tmp_path, files_of(ExportFormat.COCO))
    truth = COCO(str(tmp_path / "annotations.json"))
    assert sorted(truth.getImgIds()) == [1, 2, 3, 4]
    assert [len(truth.getAnnIds(imgIds=[number])) for number in (1, 2, 3, 4)] == [1, 0, 1, 0]
    assert {row["id"]: row["name"] for row in truth.loadCats(truth.getCatIds())} == {1: "good", 2: "=scratch, deep"}
    [row] = truth.loadAnns(truth.getAnnIds(imgIds=[1]))
    assert (row["bbox"], row["area"], row["iscrowd"]) == ([1, 2, 30.5, 40.25], 30.5 * 40.25, 0)
    answers = [{"image_id": number, "category_id": 2, "bbox": [1, 2, 30.5, 40.25], "score": 0.9} for number in (1, 3)]
    judged = COCOeval_faster(truth, truth.loadRes(answers), iouType="bbox", print_function=lambda *_: None)
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    assert judged.stats[0] == pytest.approx(1.0)


def test_coco_says_state_and_part_and_names_the_others_apart() -> None:
    content = json.loads(files_of(ExportFormat.COCO)["annotations.json"])
    assert [(row["state"], row["part"]) for row in content["images"]] == [
        ("labelled", "train"),
        ("negative", "train"),
        ("labelled", "eval"),
        ("negative", "holdout"),
    ]
    assert [len(content[key]) for key in ("unlabelled", "excluded")] == [1, 2]


def test_yolo_lies_as_ultralytics_looks_for_it() -> None:
    """Its rules: pictures below the folders of data.yaml; the labels of ``.../images/...`` at ``.../labels/....txt``,
    in the last such folder; lines ``class cx cy w h`` from 0 to 1, no line twice, classes below their number; a picture
    without a file counts as one that shows nothing."""
    files = files_of(ExportFormat.YOLO)
    described = yaml.safe_load(files["data.yaml"])
    assert described["names"] == {0: "good", 1: "=scratch, deep"}
    assert (described["train"], described["val"], described["test"]) == (
        "images/train",
        "images/val",
        "images/holdout",
    )
    assert "path" not in described, "then it is the folder of the file"
    seen = {}
    for one in PICTURES:
        path = picture_path(ExportFormat.YOLO, one)
        folder = str(PurePosixPath(path).parent)
        split = next((key for key in ("train", "val", "test") if described[key] == folder), None)
        before, _, after = path.rpartition("/images/") if "/images/" in path else ("", "", path.removeprefix("images/"))
        label_file = f"{before}labels/{PurePosixPath(after).with_suffix('.txt')}"
        if split is None:
            assert label_file not in files
            assert not one.state.is_said
            continue
        lines = [line.split() for line in files[label_file].decode().splitlines()]
        assert len({tuple(line) for line in lines}) == len(lines)
        assert all(int(line[0]) in described["names"] and len(line) == 5 for line in lines)
        assert all(0 <= float(value) <= 1 for line in lines for value in line[1:])
        seen[one.sample_id] = (split, len(lines))
    assert list(seen.values()) == [("train", 1), ("train", 0), ("val", 1), ("test", 0)]
    assert files["unlabelled.txt"].decode().splitlines() == [picture_path(ExportFormat.YOLO, PICTURES[2])]


def test_voc_counts_pixels_from_one_and_lists_its_sets() -> None:
    files = files_of(ExportFormat.VOC)
    root = ET.fromstring(files[f"Annotations/{PICTURES[0].sample_id}.xml"])
    assert [root.findtext(f"object/bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")] == [
        "2",
        "3",
        "31.5",
        "42.25",
    ]
    assert root.findtext("object/name") == CLASSES[1]
    listed = {PurePosixPath(name).stem: text.decode().split() for name, text in files.items() if name.endswith(".txt")}
    assert {name: [int(stem, 16) for stem in stems] for name, stems in listed.items()} == {
        "train": [0, 1],
        "val": [4],
        "holdout": [5],
        "unlabelled": [2],
        "excluded": [3, 6],
    }


def test_no_cell_of_a_table_is_a_formula() -> None:
    data = files_of(ExportFormat.CSV)["labels.csv"]
    assert data.startswith(b"\xef\xbb\xbf"), "or Excel takes the letters for others"
    header, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    assert header == ["x", "y", "state", "part", "width", "height"]
    assert [row[2] for row in rows] == [one.state.value for one in PICTURES]
    assert rows[0][1] == "1,2,31.5,42.25,%3Dscratch%2C%20deep"
    export = LabelExport(
        ("-1", "@SUM(A1)", "+49"), lambda: (picture(n, Annotation(label=n), "train") for n in range(3))
    )
    [(_, chunks)] = export_files(ExportFormat.CSV, export)
    cells = [cell for row in csv.reader(io.StringIO(b"".join(chunks).decode("utf-8-sig"))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_cvat_finds_images_with_their_subsets_and_nothing_else() -> None:
    root = ET.fromstring(files_of(ExportFormat.CVAT)["annotations.xml"])
    assert root.findtext("version") == "1.1"
    images = root.findall("image")
    assert [image.get("subset") for image in images] == ["train", "train", "eval", "holdout"]
    assert [image.get("id") for image in images] == ["0", "1", "2", "3"]
    [box] = images[0].findall("box")
    assert [box.get(key) for key in ("label", "xtl", "ytl", "xbr", "ybr")] == [
        CLASSES[1],
        "1.0",
        "2.0",
        "31.5",
        "42.25",
    ]
    assert [label.findtext("name") for label in root.iterfind("meta/task/labels/label")] == list(CLASSES)


def test_label_studio_gets_predictions_and_an_order() -> None:
    guess = Prediction(boxes=(Box(x1=10, y1=10, x2=20, y2=30, label=0, score=0.6),))
    waiting = picture(7, None, prediction=guess, model_version=3, confidence=0.6, order=1)
    export = LabelExport(CLASSES, lambda: iter((*PICTURES, waiting)), "https://here/")
    tasks, config = (b"".join(chunks) for _, chunks in export_files(ExportFormat.LABELSTUDIO, export))
    found = json.loads(tasks)
    assert [len(task["annotations"]) for task in found] == [1, 1, 0, 1, 1, 1, 1, 0]
    assert [bool(task["annotations"] and task["annotations"][0]["was_cancelled"]) for task in found] == [
        one.excluded for one in (*PICTURES, waiting)
    ]
    assert found[1]["annotations"][0]["result"] == []
    [drawn] = found[0]["annotations"][0]["result"]
    assert drawn["value"]["x"] == pytest.approx(1.0)
    assert drawn["value"]["height"] == pytest.approx(80.5)
    last = found[-1]
    assert last["data"] == {"image": f"https://here/images/{waiting.name}", "sample_id": waiting.sample_id, "order": 1}
    [prediction] = last["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("3", 0.6)
    assert prediction["result"][0]["value"]["rectanglelabels"] == ["good"]
    # Results refer to the configuration by these names; a wrong one is taken without a word.
    view = ET.fromstring(config)
    names = {tag.get("name") for tag in view}
    assert {drawn["from_name"], drawn["to_name"]} <= names
    assert [label.get("value") for label in view.iterfind("RectangleLabels/Label")] == list(CLASSES)
