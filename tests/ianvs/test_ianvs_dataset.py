"""Loading of every format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ianvs.data import CaseDataset
from ianvs.data.metadata import JSONMetaDataParse
from ianvs.grammar import DatasetConfig
from sedna.common.errors import DataError, NotFoundError


def dataset(folder: Path, train: Path, **more: str) -> CaseDataset:
    return CaseDataset(DatasetConfig(train_url=str(train), test_url=str(train), **more), str(folder / "out"))


def test_txt(tmp_path: Path) -> None:
    index = tmp_path / "index.txt"
    index.write_text("./a.png ./a.xml\n./b.png ./b.xml\n")
    data = dataset(tmp_path, index)
    train = data.load_data(data.train_url, "train")
    assert list(train.x) == [f"{tmp_path}/a.png", f"{tmp_path}/b.png"]
    assert list(train.y) == [f"{tmp_path}/a.xml", f"{tmp_path}/b.xml"]
    assert (train.data_type, len(train), train.num_examples()) == ("train", 2, 2)
    assert len(data.load_data(data.train_url, "test").y) == 0
    assert data.load_data(data.train_url, "train", use_raw=True).x[0][0].endswith("a.png")


def test_the_rest_of_a_line_as_label(tmp_path: Path) -> None:
    index = tmp_path / "index.txt"
    index.write_text("a.png 1,2,3,4,0 5,6,7,8,1\nb.png\n")
    data = dataset(tmp_path, index, label_tokens="rest")
    assert list(data.load_data(data.train_url, "eval").y) == ["1,2,3,4,0 5,6,7,8,1", ""]


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"question": "1+1?", "answer": "2"}\n')
    data = dataset(tmp_path, path)
    source = data.load_data(data.train_url, "eval overall")
    assert (list(source.x), list(source.y)) == (["1+1?"], ["2"])


def test_csv_takes_the_label_column(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,b,label\n1,2,0\n3,4,1\n")
    data = dataset(tmp_path, path, label="label")
    source = data.load_data(data.train_url, "train")
    assert list(source.y) == [0, 1]
    assert list(source.x.columns) == ["a", "b"]


META = {"dataset": "sums", "description": "d", "level_1_dim": "one", "level_2_dim": "two"}
ROW = {"prompt": "Say: ", "query": "1+1?", "response": "2", "level_3_dim": "x", "level_4_dim": "y"}


def test_metadata(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text(json.dumps(META))
    (tmp_path / "data.jsonl").write_text(json.dumps(ROW) + "\n")
    data = dataset(tmp_path, tmp_path / "metadata.json")
    source = data.load_data(data.test_url, "inference")
    assert isinstance(source, JSONMetaDataParse)
    assert (list(source.x), list(source.y)) == (["Say: 1+1?"], ["2"])
    assert (source.need_other_info, source.level_3, source.dataset_name) == (True, ["x"], "sums")


@pytest.mark.parametrize("lost", ["query", "level_3_dim"])
def test_metadata_rows_are_checked(tmp_path: Path, lost: str) -> None:
    (tmp_path / "metadata.json").write_text(json.dumps(META))
    (tmp_path / "data.jsonl").write_text(json.dumps({k: v for k, v in ROW.items() if k != lost}) + "\n")
    data = dataset(tmp_path, tmp_path / "metadata.json")
    with pytest.raises(DataError, match=rf"data.jsonl:1: lacks {lost}"):
        data.load_data(data.test_url, "inference")


def test_a_description_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("{}")
    data = dataset(tmp_path, tmp_path / "metadata.json")
    with pytest.raises(DataError, match="is no description"):
        data.load_data(data.test_url, "inference")


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("")
    data = dataset(tmp_path, path)
    path.unlink()
    with pytest.raises(NotFoundError):
        data.load_data(data.train_url, "train")
