"""User files: names of their own, neighbours importable, nothing global left behind."""

from __future__ import annotations

import builtins
import pickle
import sys
from pathlib import Path

import pytest

from ianvs.usercode import UserCode, core_alias
from sedna.common.errors import DataError


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_two_files_of_one_name_with_neighbours_of_one_name_do_not_collide(tmp_path: Path) -> None:
    code = UserCode()
    for name in ("one", "two"):
        write(tmp_path / name, basemodel="import helper\nWHO = helper.WHO\n", helper=f"WHO = '{name}'\n")
    assert code.load(str(tmp_path / "one" / "basemodel.py")).WHO == "one"
    assert code.load(str(tmp_path / "two" / "basemodel.py")).WHO == "two"
    assert "helper" not in sys.modules
    assert "basemodel" not in sys.modules


def test_a_neighbour_is_found_long_after_loading(tmp_path: Path) -> None:
    code = UserCode()
    text = "def later():\n    from helper import WHO\n    return WHO\n"
    for name in ("a", "b"):
        write(tmp_path / name, model=text, helper=f"WHO = '{name}'\n")
    first, second = (code.load(str(tmp_path / name / "model.py")) for name in ("a", "b"))
    assert (first.later(), second.later(), first.later()) == ("a", "b", "a")


def test_packages_beside_a_file_import_each_other_as_they_like(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="import models.cloud\nfrom models import edge\nVALUES = models.cloud.VALUE, edge.VALUE\n",
        models____init__="",
        models__cloud="from models.base import NUMBER\nVALUE = NUMBER + 1\n",
        models__edge="from .base import NUMBER\nimport shared\nVALUE = NUMBER + shared.TWO\n",
        models__base="NUMBER = 1\n",
        shared="TWO = 2\n",
    )
    assert UserCode().load(str(tmp_path / "main.py")).VALUES == (2, 3)


def test_path_and_arguments_are_left_as_found(tmp_path: Path) -> None:
    write(tmp_path, model="import sys\nARGV = list(sys.argv)\nsys.path.append('/nowhere')\nsys.argv.append('x')\n")
    before = list(sys.path), list(sys.argv), builtins.__import__
    module = UserCode(("ianvs", "-f", "job.yaml")).load(str(tmp_path / "model.py"))
    assert module.ARGV == ["ianvs", "-f", "job.yaml"]
    assert (list(sys.path), list(sys.argv), builtins.__import__) == before


def test_path_and_arguments_are_left_as_found_by_a_file_that_fails(tmp_path: Path) -> None:
    write(tmp_path, model="raise RuntimeError('no')\n")
    before = list(sys.path), list(sys.argv)
    with pytest.raises(DataError, match=r"model.py: cannot be loaded: RuntimeError: no"):
        UserCode().load(str(tmp_path / "model.py"))
    assert (list(sys.path), list(sys.argv)) == before


def test_a_file_that_ends_the_process_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, model="raise SystemExit(3)\n")
    with pytest.raises(DataError, match="SystemExit: 3"):
        UserCode().load(str(tmp_path / "model.py"))


def test_loading_twice_gives_the_same_module_and_tells_each_time(tmp_path: Path) -> None:
    write(tmp_path, model="class Thing:\n    pass\n")
    told: list[int] = []
    code = UserCode(after_load=lambda: told.append(1))
    url = str(tmp_path / "model.py")
    assert code.load(url) is code.load(url)
    assert len(told) == 2


def test_what_a_user_file_defines_can_be_pickled(tmp_path: Path) -> None:
    write(tmp_path, model="from shape import Shape\n", shape="class Shape:\n    sides = 3\n")
    thing = UserCode().load(str(tmp_path / "model.py")).Shape()
    assert pickle.loads(pickle.dumps(thing)).sides == 3


def test_dotted_names_are_modules() -> None:
    assert UserCode().load("ianvs.metrics.builtin").__name__ == "ianvs.metrics.builtin"


def test_upstream_names_are_served_where_asked_for() -> None:
    core_alias.install()
    try:
        from core.common.constant import ParadigmType  # type: ignore[import-not-found]
        from core.common.device import device_profile, supports_bf16  # type: ignore[import-not-found]
        from core.common.log import LOGGER  # type: ignore[import-not-found]
        from core.common.utils import get_file_format, parse_kwargs  # type: ignore[import-not-found]

        assert LOGGER.name == "ianvs"
        assert get_file_format("a/metadata.json") == "jsonforllm"
        assert parse_kwargs(lambda a: a, a=1, b=2) == {"a": 1}
        assert parse_kwargs(lambda **kwargs: kwargs, b=2) == {"b": 2}
        assert set(device_profile()) == {"device", "name", "capability", "bf16_native", "total_memory_gb"}
        assert supports_bf16() == device_profile()["bf16_native"]
        assert ParadigmType.INCREMENTAL_LEARNING.value == "incrementallearning"
    finally:
        for name in [name for name in sys.modules if name == "core" or name.startswith("core.")]:
            del sys.modules[name]
