import pickle
import sys

import pytest

from sedna.common.errors import NotFoundError, SpecError
from sedna.core.incremental_learning.plugin import load_plugin


@pytest.fixture(autouse=True)
def clean_imports():
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = path


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "basemodel.py").write_text(f"WHO = {folder!r}\nclass Model:\n    who = WHO\n")
    a, b = (load_plugin(tmp_path / folder / "basemodel.py") for folder in "ab")
    assert (a.WHO, b.WHO) == ("a", "b")
    assert load_plugin(str(tmp_path / "a" / ".." / "a" / "basemodel.py")) is a
    assert pickle.loads(pickle.dumps(b.Model())).who == "b"


def test_neighbours_can_be_imported_but_hide_nothing(tmp_path):
    (tmp_path / "a_neighbour_of_the_plugin.py").write_text("VALUE = 3\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('hides the library')\n")
    (tmp_path / "mine.py").write_text("import json\nfrom a_neighbour_of_the_plugin import VALUE\n")
    assert load_plugin(tmp_path / "mine.py").VALUE == 3


def test_errors(tmp_path):
    with pytest.raises(NotFoundError):
        load_plugin(tmp_path / "none.py")
    with pytest.raises(SpecError, match="no Python file"):
        load_plugin(tmp_path / "mine.txt")
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\ndef\n")
    with pytest.raises(SpecError, match=r"broken\.py:2: cannot be compiled"):
        load_plugin(broken)
    broken.write_text("1 / 0\n")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            load_plugin(broken)
