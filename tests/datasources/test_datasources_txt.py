import numpy as np
import pytest

from sedna.common.class_factory import ClassFactory, ClassType, UnknownClassError
from sedna.common.errors import DataError, NotFoundError
from sedna.datasources import BaseDataSource, TxtDataParse


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text("a.jpg 1 extra\n\n  b.jpg\nc.jpg 2\n   \n")
    return str(path)


def test_words_of_a_line(index):
    data = TxtDataParse(data_type="train")
    assert len(data) == 0
    data.parse(index)
    assert data.x.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert data.y.tolist() == ["1", "0", "2"]
    assert (len(data), data.num_examples(), data.is_test_data) == (3, 3, False)


def test_several_files_and_empty_names(index, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("\ufeffd.jpg 3\r\n", encoding="utf-8")
    data = TxtDataParse("train")
    data.parse(index, "", None, f"file://{other}")
    assert data.x.tolist() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(NotFoundError, match=r"none\.txt"):
        TxtDataParse("train").parse(str(tmp_path / "none.txt"))


def test_function_gets_lines_and_blank_ones_are_no_samples(index):
    lines = []

    def read(line):
        lines.append(line)
        return f"/data/{line}"

    data = TxtDataParse(data_type="train", func=read)
    data.parse(index, use_raw=True)
    assert lines == ["a.jpg 1 extra", "b.jpg", "c.jpg 2"]
    assert data.x.tolist() == ["/data/a.jpg 1 extra", "/data/b.jpg", "/data/c.jpg 2"]
    assert data.y.size == 0


def test_raw_words_of_unequal_number(index):
    data = TxtDataParse("train")
    data.parse(index, use_raw=True)
    assert list(data.x) == [["a.jpg", "1", "extra"], ["b.jpg"], ["c.jpg", "2"]]


def test_pairs_with_arrays_of_unequal_shape(index):
    data = TxtDataParse("train", func=lambda line: (line[:5], np.zeros((len(line), 5))))
    data.parse(index)
    assert data.x.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert [boxes.shape for boxes in data.y] == [(13, 5), (5, 5), (7, 5)]


def test_test_data_has_no_labels(index):
    data = TxtDataParse(data_type="test")
    data.parse(index)
    assert data.is_test_data
    assert data.x.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert data.y.size == 0


def test_wrong_results_and_wrong_text(index, tmp_path):
    with pytest.raises(DataError, match=r"data\.txt:1: the parser function gave 3"):
        TxtDataParse("train", func=lambda line: 3).parse(index)
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match="not UTF-8"):
        TxtDataParse("train").parse(str(binary))


def test_registered_functions_and_classes(index, monkeypatch):
    monkeypatch.setitem(ClassFactory.__registry__, ClassType.CALLBACK, {})

    @ClassFactory.register(ClassType.CALLBACK, alias="upper")
    def upper(line):
        return (line.upper(), 7)

    @ClassFactory.register(ClassType.CALLBACK)
    class Lower:
        def __call__(self, line):
            return (line.lower(), 8)

    for name, first in (("upper", "A.JPG 1 EXTRA"), ("Lower", "a.jpg 1 extra")):
        data = TxtDataParse("train", func=name)
        data.parse(index)
        assert data.x[0] == first
    with pytest.raises(UnknownClassError, match="Lower, upper"):
        TxtDataParse("train", func="no such name")


def test_base_class():
    data = BaseDataSource()
    assert (data.data_type, data.x, data.y, data.meta_attr) == ("train", None, None, None)
    with pytest.raises(NotImplementedError, match="BaseDataSource"):
        data.parse("x")


def test_save(index, tmp_path):
    from sedna.common.file_ops import FileOps

    data = TxtDataParse("train")
    data.parse(index)
    twin = FileOps.load(data.save(str(tmp_path / "data.joblib")))
    assert twin.x.tolist() == data.x.tolist()
