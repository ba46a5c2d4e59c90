import pickle
import sys

import pytest

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import ConflictError, IntegrityError, NotFoundError, SpecError
from sedna.common.plugin import load_modules, load_plugin, load_version

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


VERSION = """\
from sedna.common.class_factory import ClassFactory, ClassType

@ClassFactory.register(ClassType.HEM, alias="PluginMiner")
class Miner:
    who = {who!r}

def found():
    return ClassFactory.get_cls(ClassType.HEM, "PluginMiner").who
"""


def two_versions(tmp_path):
    """The same file in two folders, as an evaluation has it, in two versions."""
    found = []
    for who in ("old", "new"):
        (tmp_path / who).mkdir()
        (tmp_path / who / "mine.py").write_text(VERSION.format(who=who))
        found.append(load_version(tmp_path / who / "mine.py"))
    return found


def test_two_versions_of_one_file_live_side_by_side(tmp_path):
    old, new = two_versions(tmp_path)
    assert old.module is not new.module
    for plugin, who in ((old, "old"), (new, "new"), (old, "old")):
        with ClassFactory.using(plugin.own):
            assert ClassFactory.get_cls(ClassType.HEM, "PluginMiner").who == who
            assert plugin.module.found() == who
            assert ClassFactory.is_exists(ClassType.HEM, "PluginMiner")
    assert not ClassFactory.is_exists(ClassType.HEM, "PluginMiner"), "nobody else knows of either"
    assert "PluginMiner" not in ClassFactory.names(ClassType.HEM)


def test_a_pickle_names_the_version_that_made_it(tmp_path):
    old, new = two_versions(tmp_path)
    frozen = [pickle.dumps(plugin.module.Miner()) for plugin in (old, new)]
    assert [pickle.loads(data).who for data in frozen] == ["old", "new"]


def test_a_pickle_of_a_version_that_is_not_loaded_is_opened_by_the_one_that_is(tmp_path):
    """A training goes on from a model of an earlier version; names were once made of the path."""
    old, _ = two_versions(tmp_path)
    frozen = pickle.dumps(old.module.Miner())
    del sys.modules[old.module.__name__]
    assert pickle.loads(frozen).who == "new"
    by_path = frozen.replace(old.module.__name__.encode(), b"sedna_plugin_mine_0123456789ab")
    assert pickle.loads(by_path).who == "new"
    other = frozen.replace(old.module.__name__.encode(), b"sedna_plugin_else_0123456789ab")
    with pytest.raises(ModuleNotFoundError):
        pickle.loads(other)


def test_one_version_under_another_file_name_opens_its_pickles(tmp_path):
    old, _ = two_versions(tmp_path)
    frozen = pickle.dumps(old.module.Miner())
    del sys.modules[old.module.__name__]
    (tmp_path / "mine_v1.py").write_text(VERSION.format(who="old"))
    again = load_version(tmp_path / "mine_v1.py")
    assert type(pickle.loads(frozen)) is again.module.Miner


def test_an_edited_file_takes_the_place_of_what_it_was(tmp_path):
    mine = tmp_path / "mine.py"
    for who in ("old", "new", "two"):  # of one length, within one second: no cache of compiled code may know it
        mine.write_text(VERSION.format(who=who))
        load_modules([mine])
        assert ClassFactory.get_cls(ClassType.HEM, "PluginMiner").who == who


def test_nothing_runs_that_has_another_sha256(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("raise RuntimeError('it runs')\n")
    with pytest.raises(IntegrityError, match="wanted is " + "0" * 64):
        load_version(mine, "0" * 64)


def test_a_version_that_may_not_be_shared_leaves_nothing_behind(tmp_path):
    (tmp_path / "one.py").write_text(REGISTERS)
    both = 'from sedna.common.class_factory import ClassFactory\nClassFactory.register_cls(int, alias="PluginInt")\n'
    (tmp_path / "two.py").write_text(both + REGISTERS)
    load_modules([tmp_path / "one.py"])
    with pytest.raises(ConflictError):
        load_modules([tmp_path / "two.py"])
    assert not ClassFactory.is_exists(ClassType.GENERAL, "PluginInt")


def test_what_an_imported_package_registers_is_there_for_every_version(tmp_path):
    """It is imported once, by the version that comes first."""
    (tmp_path / "package_of_the_plugin.py").write_text(REGISTERS)
    for who in ("old", "new"):
        (tmp_path / who).mkdir()
        text = f"WHO = {who!r}\nimport package_of_the_plugin as package\n"
        text += "from sedna.common.class_factory import ClassFactory, ClassType\n"
        text += "ClassFactory.register_cls(package.Miner, ClassType.HEM, alias='Again')\n"
        (tmp_path / who / "mine.py").write_text(text)
        plugin = load_version(tmp_path / who / "mine.py", neighbours=tmp_path)
        assert plugin.own.names(ClassType.HEM) == ("Again",)
        with ClassFactory.using(plugin.own):
            assert ClassFactory.get_cls(ClassType.HEM, "PluginMiner").__name__ == "Miner"
            assert ClassFactory.get_cls(ClassType.HEM, "Again").__name__ == "Miner"
    assert not ClassFactory.is_exists(ClassType.HEM, "Again")
