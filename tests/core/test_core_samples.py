import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.common.errors import DataError, NotFoundError
from sedna.core.incremental_learning.samples import SampleLine, read_index


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "with space.jpg", "b 7", "sub/c.jpg"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("line", "name", "label"),
    [
        ("a.jpg 1,2,3,4,0 5.5,6,7e1,8,short", "a.jpg", "1,2,3,4,0 5.5,6,7e1,8,short"),
        ("a.jpg\t1,2,3,4,0   5,6,7,8,1", "a.jpg", "1,2,3,4,0 5,6,7,8,1"),
        ("a.jpg 3", "a.jpg", "3"),
        ("a.jpg dog", "a.jpg", "dog"),
        ("a.jpg", "a.jpg", ""),
        ("with space.jpg 1,2,3,4,0", "with space.jpg", "1,2,3,4,0"),
        ("with space.jpg 3", "with space.jpg", "3"),
        ("with space.jpg", "with space.jpg", ""),
        ("b 7", "b 7", ""),
        ("b 7 7", "b 7", "7"),
        ("sub/c.jpg 0", "sub/c.jpg", "0"),
    ],
)
def test_lines(folder, line, name, label):
    assert SampleLine([folder])(line) == (str(folder / name), label)
    absolute = line.replace(name, str(folder / name), 1)
    assert SampleLine([])(absolute) == (str(folder / name), label)


@pytest.mark.parametrize("line", ["none.jpg", "none.jpg 1", "none.jpg 1,2,3,4,0", "a.jpg 1,2,3,4"])
def test_missing_samples_name_the_line(folder, line):
    if line.startswith("a.jpg"):
        assert SampleLine([folder])(line) == (str(folder / "a.jpg"), "1,2,3,4")  # a label: whoever reads it says no
        return
    with pytest.raises(DataError, match=r"none\.jpg"):
        SampleLine([folder])(line)


BOX = st.tuples(*[st.integers(0, 999)] * 4, st.integers(0, 9)).map(lambda box: ",".join(map(str, box)))


@given(st.lists(BOX, max_size=5), st.sampled_from(["a.jpg", "with space.jpg", "sub/c.jpg"]))
def test_boxes_are_split_off_whole(tmp_path_factory, boxes, name):
    folder = tmp_path_factory.getbasetemp() / "boxes"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    assert SampleLine([folder])(" ".join([name, *boxes])) == (str(folder / name), " ".join(boxes))


def test_index(folder, tmp_path):
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "own.jpg").write_bytes(b"x")
    index = tmp_path / "split" / "data.txt"
    index.write_text("a.jpg 1,2,3,4,0\n\nown.jpg\n")
    data = read_index(str(index), "eval", str(folder / "all.txt"))
    assert data.x.tolist() == [str(folder / "a.jpg"), str(tmp_path / "split" / "own.jpg")]
    assert data.y.tolist() == ["1,2,3,4,0", ""]
    assert data.data_type == "eval"


def test_index_errors(tmp_path):
    with pytest.raises(NotFoundError):
        read_index(str(tmp_path / "none.txt"), "train")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="no sample"):
        read_index(str(tmp_path / "empty.txt"), "train")
