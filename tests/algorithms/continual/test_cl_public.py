from __future__ import annotations

import subprocess
import sys

import pytest

from sedna.algorithms import continual


def test_every_public_name_is_there() -> None:
    assert len(set(continual.__all__)) == len(continual.__all__) == 18
    for name in continual.__all__:
        assert getattr(continual, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        continual.nothing  # noqa: B018


def test_every_method_is_found_by_name_without_knowing_its_module() -> None:
    code = (
        "import sys, sedna.algorithms; from sedna.common.class_factory import ClassFactory; "
        "assert 'torch' not in sys.modules; "
        "kinds = {name: ClassFactory.get_cls('algorithm', name) for name in ClassFactory.names('algorithm')}; "
        "from sedna.algorithms.continual.methods.registry import METHODS; sys.exit(kinds != METHODS)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )


def test_the_package_and_its_commands_do_not_import_torch() -> None:
    code = (
        "import sys, sedna.algorithms.continual.cli, sedna.algorithms.active_learning; sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )
