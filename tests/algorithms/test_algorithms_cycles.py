"""Who imports whom among the algorithms, also where it is only for the type checker."""

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


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    modules = {module_name(path): path for path in ROOT.rglob("*.py")}
    assert "sedna.algorithms.training.guard" in modules
    return {name: (imported(path) & modules.keys()) - {name} for name, path in modules.items()}


def test_no_module_imports_itself_by_a_detour(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_what_is_shared_knows_no_family(graph: dict[str, set[str]]) -> None:
    shared = {name: needed for name, needed in graph.items() if name.startswith("sedna.algorithms.training")}
    assert {other for needed in shared.values() for other in needed} <= shared.keys()


def test_the_families_do_not_know_each_other(graph: dict[str, set[str]]) -> None:
    for mine, other in (("detection", "continual"), ("continual", "detection")):
        found = {
            (name, needed) for name in graph for needed in graph[name] if f".{mine}" in name and f".{other}" in needed
        }
        assert found == set()
