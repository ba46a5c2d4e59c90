"""No module of the algorithms imports itself by a detour, not even for its type checker."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sedna.algorithms

ROOT = Path(sedna.algorithms.__file__).parent
LIB = ROOT.parents[1]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(LIB).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_no_cycle() -> None:
    modules = {module_name(path): path for path in ROOT.rglob("*.py")}
    assert "sedna.algorithms.training.guard" in modules
    graph = {name: (imported(path) & modules.keys()) - {name} for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
