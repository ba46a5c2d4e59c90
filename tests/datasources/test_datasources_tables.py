import json
import subprocess
import sys

import numpy as np
import pytest

from sedna.common.errors import DataError, NotFoundError
from sedna.datasources import CSVDataParse, JSONDataParse, JsonlDataParse

pd = pytest.importorskip("pandas", reason="pandas is in the extra 'train'")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,label\n1,x,0\n2,y,1\n")
    return str(path)


def test_csv_gives_a_frame_and_a_series(table):
    data = CSVDataParse(data_type="train")
    data.parse(table, label="label")
    assert isinstance(data.x, pd.DataFrame)
    assert isinstance(data.y, pd.Series)
    assert data.x.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert data.y.tolist() == [0, 1]
    assert len(data) == 2


@pytest.mark.parametrize("columns", ["a", ["a"], "a,label"])
def test_csv_columns(table, columns):
    data = CSVDataParse("train")
    data.parse(table, label="label", usecols=columns)
    assert list(data.x.columns) == ["a"]
    assert data.y.tolist() == [0, 1]


def test_csv_without_a_label_column(table):
    data = CSVDataParse("test")
    data.parse(table, "")
    assert list(data.x.columns) == ["a", "b", "label"]
    assert data.y is None


def test_csv_rows_files_and_functions(table):
    data = CSVDataParse("train", func=lambda frame: frame.assign(a=frame["a"] * 10))
    data.parse(table, {"a": 3, "b": "z", "label": 1}, [{"a": 4, "b": "w", "label": 0}], label="label")
    assert data.x["a"].tolist() == [10, 20, 30, 40]
    assert data.y.tolist() == [0, 1, 1, 0]
    assert CSVDataParse.parse_json({"a": 1}).to_dict("list") == {"a": [1]}


def test_csv_passes_options_to_pandas(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a;b\n1;2\n")
    data = CSVDataParse("train")
    data.parse(str(path), sep=";")
    assert data.x.to_dict("list") == {"a": [1], "b": [2]}


def test_csv_errors(table, tmp_path):
    with pytest.raises(DataError, match=r"no column \['target'\].*columns: \['a', 'b', 'label'\]"):
        CSVDataParse("train").parse(table, label="target")
    with pytest.raises(DataError, match=r"data\.csv: no column"):
        CSVDataParse("train").parse(table, usecols="a,nope")
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(DataError, match="no csv table"):
        CSVDataParse("train").parse(str(empty))
    with pytest.raises(NotFoundError):
        CSVDataParse("train").parse(str(tmp_path / "none.csv"))


def test_no_data_source_needs_pandas_or_pycocotools_to_be_imported():
    code = "import sys, sedna.datasources\nassert not {'pandas', 'pycocotools'} & set(sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_jsonl(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"x": "a.jpg", "y": 1}\n\n{"x": "b.jpg"}\n')
    data = JsonlDataParse("train")
    data.parse(str(path))
    assert data.x.tolist() == ["a.jpg", "b.jpg"]
    assert data.y.tolist() == [1, None]
    data.parse(str(path), use_raw=True)
    assert data.x[0] == {"x": "a.jpg", "y": 1}
    renamed = JsonlDataParse("test", func=lambda record: {"image": record["x"]})
    renamed.parse(str(path), x="image")
    assert renamed.x.tolist() == ["a.jpg", "b.jpg"]
    assert renamed.y.size == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", r":2: no JSON"), ("[1]", r":2: a list is no sample"), ('{"z": 1}', r":2: no key 'x'.*\['z'\]")],
)
def test_jsonl_errors_name_file_and_line(tmp_path, line, message):
    path = tmp_path / "data.jsonl"
    path.write_text(f'{{"x": 1}}\n{line}\n')
    with pytest.raises(DataError, match=rf"data\.jsonl{message}"):
        JsonlDataParse("train").parse(str(path))


COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}],
    "categories": [{"id": 9, "name": "short"}, {"id": 2, "name": "open"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 9, "bbox": [10, 20, 30, 40]},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3.5, 4], "iscrowd": 0},
        {"id": 3, "image_id": 3, "category_id": 2, "bbox": [0, 0, 9, 9], "iscrowd": 1},
    ],
}


def coco_file(folder, **changes):
    path = folder / "annotations.json"
    path.write_text(json.dumps({**COCO, **changes}))
    return str(path)


def test_coco(tmp_path):
    data = JSONDataParse("train")
    data.parse(coco_file(tmp_path))
    assert data.x.tolist() == [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]
    np.testing.assert_array_equal(data.y[0], [[10, 20, 40, 60, 1], [1, 2, 4.5, 6, 0]])
    assert data.y[1].shape == (0, 5)
    assert (data.ids, data.class_ids, data.class_names) == ([7, 3], [2, 9], ["open", "short"])
    assert [len(found) for found in data.annotations] == [2, 0]


def test_coco_of_another_folder_and_with_a_function(tmp_path):
    data = JSONDataParse("eval", func=lambda path, boxes: (path.upper(), len(boxes)))
    data.parse(coco_file(tmp_path), data_dir="/images")
    assert data.x.tolist() == ["/IMAGES/A.JPG", "/IMAGES/B.JPG"]
    assert data.y.tolist() == [2, 0]
    test = JSONDataParse("test")
    test.parse(coco_file(tmp_path))
    assert (len(test.x), len(test.y)) == (2, 0)


def test_coco_annotations_of_one_image(tmp_path):
    data = JSONDataParse("train")
    with pytest.raises(NotFoundError, match="parse a COCO file first"):
        data.load_anno_from_ids(7)
    images = [{**COCO["images"][0], "height": 480, "width": 640, "frame_id": 5}, COCO["images"][1]]
    data.parse(coco_file(tmp_path, images=images))
    boxes, info, name = data.load_anno_from_ids(7)
    np.testing.assert_array_equal(boxes, data.y[0])
    assert (info, name) == ((480, 640, 5, None, "a.jpg"), "a.jpg")
    boxes, info, _ = data.load_anno_from_ids(3)
    assert (boxes.shape, info) == ((0, 5), (None, None, None, None, "b.jpg"))
    with pytest.raises(NotFoundError, match=r"annotations\.json: there is no image 8"):
        data.load_anno_from_ids(8)


def test_coco_annotations_with_tracks_have_a_sixth_column(tmp_path):
    data = JSONDataParse("train")
    data.parse(coco_file(tmp_path, annotations=annotation(track_id=12)))
    np.testing.assert_array_equal(data.load_anno_from_ids(7)[0], [[10, 20, 40, 60, 1, 12]])
    assert data.load_anno_from_ids(3)[0].shape == (0, 5)


def annotation(**changes):
    return [{**COCO["annotations"][0], **changes}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "no COCO file"),
        ({"images": [{"id": 1}]}, "no COCO file: KeyError 'file_name'"),
        ({"images": [*COCO["images"], COCO["images"][0]]}, "appears twice"),
        ({"annotations": annotation(image_id=99)}, "of image 99, which is not listed"),
        ({"annotations": annotation(category_id=99)}, "annotation 1: unknown category 99"),
        ({"annotations": annotation(bbox=[1, 2, 0, 4])}, "has no area"),
        ({"annotations": annotation(bbox=[1, 2])}, r"wrong bbox \[1, 2\]"),
        ({"annotations": annotation(bbox=None)}, "wrong bbox None"),
    ],
)
def test_coco_errors(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        JSONDataParse("train").parse(coco_file(tmp_path, **changes))


def test_coco_takes_one_file(tmp_path):
    with pytest.raises(DataError, match="2 files"):
        JSONDataParse("train").parse(coco_file(tmp_path), coco_file(tmp_path))
