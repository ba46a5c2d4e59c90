import pickle
import sys

import pytest

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import ConflictError, NotFoundError, SpecError
from sedna.common.plugin import load_modules, load_plugin

REGISTERS = """\
from sedna.common.class_factory import ClassFactory, ClassType

@ClassFactory.register(ClassType.HEM, alias="PluginMiner")
class Miner:
    pass
"""


@pytest.fixture(autouse=True)
def clean_imports():
    modules, path = set(sys.modules), list(sys.path)
    yield
    ClassFactory.__registry__[ClassType.HEM].pop("PluginMiner", None)
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


def test_modules_register_once_however_often_they_are_named(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(REGISTERS)
    load_modules([mine, str(mine)])
    load_modules([mine])
    assert ClassFactory.get_cls(ClassType.HEM, "PluginMiner").__module__.startswith("sedna_plugin_mine_")


def test_two_modules_that_take_one_name_are_an_error_with_both_places(tmp_path):
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(REGISTERS)
    with pytest.raises(ConflictError, match=r"one\.py") as caught:
        load_modules([tmp_path / "one.py", tmp_path / "two.py"])
    assert "two.py" in str(caught.value)


def test_an_error_in_a_module_has_its_line(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import math\n\ndef root():\n    return math.sqrt(-1)\n\nroot()\n")
    with pytest.raises(SpecError, match=r"broken\.py:4: cannot be loaded: ValueError: math domain error"):
        load_modules([broken])
    broken.write_text("import no_such_package_anywhere\n")
    with pytest.raises(SpecError, match=r"broken\.py:1: cannot be loaded: ModuleNotFoundError"):
        load_modules([broken])
