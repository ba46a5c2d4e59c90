import importlib.util
import re
import subprocess
import sys
import types
import warnings

import pytest

from sedna.common.class_factory import (
    ClassFactory,
    ClassType,
    MissingPackageError,
    ReplacedBuiltInWarning,
    UnknownClassError,
)
from sedna.common.errors import ConflictError, NotFoundError

KIND = "test-kind"


@pytest.fixture(autouse=True)
def registry():
    """Each test has the registry to itself."""
    before = {kind: dict(names) for kind, names in ClassFactory.__registry__.items()}
    yield ClassFactory.__registry__
    ClassFactory.__registry__.clear()
    ClassFactory.__registry__.update(before)


def load(path, text, name):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def plug_in(alias="gen", kind=KIND, options=""):
    return (
        "from sedna.common.class_factory import ClassFactory\n\n"
        f"@ClassFactory.register({kind!r}, alias={alias!r}{options})\nclass Estimator:\n    pass\n"
    )


def test_values_of_class_types_are_upstreams():
    assert {name: value for name, value in vars(ClassType).items() if name.isupper()} == {
        "GENERAL": "general",
        "HEM": "hard_example_mining",
        "FL_AGG": "aggregation",
        "MTL": "multi_task_learening",
        "UTD": "unseen_task_detect",
        "UTP": "unseen_task_processing",
        "KM": "knowledge_management",
        "STP": "seen_task_processing",
        "OF": "optical_flow",
        "ALGORITHM": "algorithm",
        "DATASET": "data_process",
        "CALLBACK": "post_process_callback",
    }


def test_register_returns_the_class_and_get_cls_finds_it():
    @ClassFactory.register(KIND)
    class Mine:
        pass

    assert ClassFactory.get_cls(KIND, "Mine") is Mine
    assert ClassFactory.is_exists(KIND, "Mine")
    assert ClassFactory.is_exists(KIND)
    assert not ClassFactory.is_exists(KIND, "Other")
    assert not ClassFactory.is_exists("no-such-kind")
    assert ClassFactory.names(KIND) == ("Mine",)


def test_register_cls_takes_functions_and_aliases():
    def call_back(result):
        return result

    assert ClassFactory.register_cls(call_back, ClassType.CALLBACK, alias="mine") is call_back
    assert ClassFactory.get_cls(ClassType.CALLBACK, "mine") is call_back


def test_register_from_package_takes_public_classes_and_functions_only():
    package = types.ModuleType("package")
    package.Public = type("Public", (), {})
    package.function = lambda: None
    package.function.__name__ = "function"
    package._Private = type("_Private", (), {})
    package.number = 3
    ClassFactory.register_from_package(package, KIND)
    assert ClassFactory.names(KIND) == ("Public", "function")


def test_two_users_under_one_name_is_an_error_that_names_both(tmp_path):
    load(tmp_path / "one.py", plug_in(), "one")
    with pytest.raises(ConflictError) as caught:
        load(tmp_path / "two.py", plug_in(), "two")
    assert "one.py:3" in str(caught.value)
    assert "two.py:3" in str(caught.value)
    assert "override=True" in str(caught.value)


def test_override_takes_the_name(tmp_path):
    load(tmp_path / "one.py", plug_in(), "one")
    two = load(tmp_path / "two.py", plug_in(options=", override=True"), "two")
    assert ClassFactory.get_cls(KIND, "gen") is two.Estimator


def test_same_file_loaded_under_two_module_names_is_one_definition(tmp_path):
    load(tmp_path / "one.py", plug_in(), "first_name")
    again = load(tmp_path / "one.py", plug_in(), "second_name")
    assert ClassFactory.get_cls(KIND, "gen") is again.Estimator


def test_same_basename_in_two_folders_is_two_definitions(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    load(tmp_path / "a" / "basemodel.py", plug_in(), "basemodel_a")
    with pytest.raises(ConflictError):
        load(tmp_path / "b" / "basemodel.py", plug_in(), "basemodel_b")


def test_user_class_replaces_a_built_in_with_a_warning_that_names_both(tmp_path):
    with pytest.warns(ReplacedBuiltInWarning) as caught:
        mine = load(tmp_path / "mine.py", plug_in("IBT", ClassType.HEM), "mine")
    assert "mine.py:3" in str(caught[0].message)
    # its file and line when it has been imported, its module when it has not
    assert re.search(r"hard_example_mining[./]ibt", str(caught[0].message))
    assert ClassFactory.get_cls(ClassType.HEM, "IBT") is mine.Estimator


def test_a_user_class_stays_when_the_built_in_is_loaded_after_it(tmp_path):
    mine = load(tmp_path / "mine.py", plug_in("Builtin", KIND), "mine")
    built_in = type("Builtin", (), {"__module__": "sedna.algorithms.nowhere"})
    with pytest.warns(ReplacedBuiltInWarning):
        ClassFactory.register_cls(built_in, KIND)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once, not at every import
        ClassFactory.register_cls(built_in, KIND)
    assert ClassFactory.get_cls(KIND, "Builtin") is mine.Estimator


def test_unknown_name_is_a_value_error_that_lists_the_known_ones():
    ClassFactory.register_cls(type("Known", (), {}), KIND)
    with pytest.raises(ValueError, match="known names: Known") as caught:
        ClassFactory.get_cls(KIND, "Unknown")
    assert isinstance(caught.value, UnknownClassError)
    assert isinstance(caught.value, NotFoundError)
    with pytest.raises(UnknownClassError, match="none"):
        ClassFactory.get_cls("no-such-kind", "x")
    with pytest.raises(UnknownClassError):
        ClassFactory.get_cls(KIND)


def test_missing_package_names_the_extra(tmp_path, monkeypatch):
    module = tmp_path / "sedna_fake_builtin.py"
    module.write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    ClassFactory.register_lazy(KIND, "Heavy", "sedna_fake_builtin")
    with pytest.raises(MissingPackageError, match=r"a_package_that_nobody_has.*pip install.*\[train\]"):
        ClassFactory.get_cls(KIND, "Heavy")


def test_a_promised_module_that_registers_nothing_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "sedna_fake_empty.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    ClassFactory.register_lazy(KIND, "Empty", "sedna_fake_empty")
    with pytest.raises(UnknownClassError, match="sedna_fake_empty did not register it"):
        ClassFactory.get_cls(KIND, "Empty")


def test_every_built_in_registers_what_its_line_promises():
    from sedna.algorithms import BUILT_IN

    for kind, alias, module in BUILT_IN:
        assert ClassFactory.get_cls(kind, alias).__module__ == module


def test_import_of_sedna_is_light():
    code = (
        "import sys, sedna\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic', 'httpx', 'minio'} & set(sys.modules)\n"
        "from sedna.common.class_factory import ClassFactory\n"
        "assert ClassFactory.is_exists('hard_example_mining', 'IBT')\n"
        "assert ClassFactory.is_exists('general', 'FPN')\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
