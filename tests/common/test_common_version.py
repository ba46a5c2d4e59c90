import tomllib
from pathlib import Path

import sedna


def test_the_package_and_the_distribution_have_one_version():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert sedna.__version__ == project["version"]


def test_public_names():
    assert sedna.__all__ == ["__version__", "algorithms"]


def test_the_version_is_where_upstreams_programs_look_for_it():
    from sedna.__version__ import __version__

    assert __version__ == sedna.__version__
