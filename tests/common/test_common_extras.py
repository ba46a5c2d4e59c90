import sys
from pathlib import Path

import pytest

from sedna.common import extras
from sedna.common.extras import MissingPackageError, extra_needed, install_command

ROOT = Path(__file__).parents[2]


def test_a_missing_package_names_the_extra_that_brings_it():
    with pytest.raises(MissingPackageError) as caught, extra_needed("edge", "sedna.edge"):
        import a_package_that_nobody_has.part  # noqa: F401
    assert str(caught.value) == (
        "sedna.edge: needs the package 'a_package_that_nobody_has', which is not installed"
        f" (pip install --editable '{ROOT}[edge]')"
    )


def test_the_command_names_a_place_that_has_the_extra():
    """Nothing of this name is published: a hint to fetch it from an index would be a lie."""
    assert install_command("train") == f"pip install --editable '{ROOT}[train]'"
    assert (ROOT / "pyproject.toml").is_file()


def test_an_installed_copy_sends_to_the_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "sedna" / "common" / "extras.py"))
    assert install_command("edge") == "pip install '.[edge]' in a copy of this software's repository"


def test_no_hint_names_an_index():
    named = [path for path in (ROOT / "lib" / "sedna").rglob("*.py") if "pip install 'sedna-il" in path.read_text()]
    assert named == []


def test_packages_are_looked_for_without_being_loaded():
    sys.modules.pop("this", None)
    with extra_needed("train", "sedna demo", "this"):
        pass
    assert "this" not in sys.modules
    with pytest.raises(MissingPackageError, match="sedna demo: needs the package 'a_package_that_nobody_has'"):  # noqa: SIM117
        with extra_needed("train", "sedna demo", "this", "a_package_that_nobody_has"):
            raise AssertionError("never reached")


def test_a_module_of_ours_that_is_not_there_is_a_defect():
    with pytest.raises(ModuleNotFoundError, match=r"sedna\.no_such_room"), extra_needed("edge", "sedna.edge"):
        import sedna.no_such_room  # noqa: F401


def test_other_errors_pass():
    with pytest.raises(ImportError, match="no_such_name") as caught, extra_needed("edge", "sedna.edge"):
        from sedna.common.extras import no_such_name  # noqa: F401
    assert not isinstance(caught.value, ModuleNotFoundError)
