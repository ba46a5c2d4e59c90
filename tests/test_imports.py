"""Rules about imports beside the contracts of import-linter: cycles, the database's room, the algorithms' rooms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

ROOTS = ("sedna", "ianvs", "globalmanager", "localcontroller")
DATABASE = {"sqlalchemy", "alembic"}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Who imports whom, inside functions and for type checkers as well."""
    graph = grimp.build_graph(
        *ROOTS, include_external_packages=True, exclude_type_checking_imports=False, cache_dir=None
    )
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def cycles(imports: Mapping[str, set[str]]) -> Iterator[str]:
    """Cycles, so many that none is left without their last imports."""
    left = {module: set(imported) for module, imported in imports.items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            path = error.args[1][::-1]
            yield " -> ".join(path)
            left[path[-2]].discard(path[-1])
        else:
            return


def test_a_cycle_is_found_and_named() -> None:
    assert list(cycles({"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()})) == []
    (one,) = cycles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()})
    assert one in ("b -> c -> b", "c -> b -> c")
    assert len(list(cycles({"a": {"b"}, "b": {"a"}, "c": {"d", "a"}, "d": {"c"}}))) == 2


def test_no_modules_import_each_other(imports: dict[str, set[str]]) -> None:
    assert len(imports) > 400, "the graph has the whole tree"
    assert "\n".join(cycles(imports)) == ""


def test_the_database_has_one_room(imports: dict[str, set[str]]) -> None:
    users = {module for module, imported in imports.items() if imported & DATABASE}
    assert "globalmanager.db.database" in users
    assert sorted(module for module in users if not module.startswith("globalmanager.db.")) == []


def test_what_algorithms_share_knows_no_family(imports: dict[str, set[str]]) -> None:
    shared = {module for module in imports if module.startswith("sedna.algorithms.training")}
    assert "sedna.algorithms.training.guard" in shared
    needed = {other for module in shared for other in imports[module] if other.startswith("sedna.algorithms.")}
    assert sorted(needed - shared) == []


@pytest.mark.parametrize(("mine", "other"), [("detection", "continual"), ("continual", "detection")])
def test_the_families_do_not_know_each_other(imports: dict[str, set[str]], mine: str, other: str) -> None:
    family = {module for module in imports if module.startswith(f"sedna.algorithms.{mine}")}
    assert len(family) > 5
    found = {(module, used) for module in family for used in imports[module] if f"sedna.algorithms.{other}" in used}
    assert found == set()
