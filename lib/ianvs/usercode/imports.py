"""What an import of a user file means, found without importing anything: that would run user code."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from ianvs.usercode import core_alias

_KNOWN_INSIDE = ("sedna", "ianvs")
"""Packages whose submodules and names are looked for too. Others may make theirs as they are imported."""


class Import(NamedTuple):
    """An import of a file: ``from <level dots><module> import <names>``; no names for ``import module``."""

    module: str
    names: tuple[str, ...]
    level: int
    line: int


class Resolved(NamedTuple):
    """What an import leads to: files of the user, and what cannot be found."""

    files: tuple[Path, ...] = ()
    missing: str = ""


def imports_of(body: Iterable[ast.stmt]) -> Iterator[Import]:
    """Imports that must succeed; those that a ``try`` or an ``if`` guards need not."""
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield Import(alias.name, (), 0, statement.lineno)
        elif isinstance(statement, ast.ImportFrom):
            names = tuple(alias.name for alias in statement.names)
            yield Import(statement.module or "", names, statement.level, statement.lineno)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.With):
            yield from imports_of(statement.body)


def resolve(entry: Import, file: Path, root: Path) -> Resolved:
    """What an import in ``file`` means.

    Args:
        root: folder of the file that the benchmark names; its neighbours are importable by their bare names.
    """
    if entry.level:
        base = file.parents[entry.level - 1]
        return _among(base, entry) or Resolved(missing=f"no module {'.' * entry.level}{entry.module}")
    neighbour = _among(root, entry)
    return neighbour if neighbour is not None else Resolved(missing=_missing(entry, root))


def file_of_module(name: str, folder: Path | None = None) -> Path | None:
    """The source file of a dotted module, installed or below ``folder`` or the working folder."""
    top, _, rest = name.partition(".")
    spec = _spec(top, folder)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    places = (_module_in(Path(place), rest) for place in spec.submodule_search_locations or ())
    return next((place for place in places if place is not None), None)


def _among(folder: Path, entry: Import) -> Resolved | None:
    """The import as one among the modules of a folder, or None if the folder has no such module."""
    package = folder.joinpath(*entry.module.split(".")) if entry.module else folder
    file = _module_in(folder, entry.module) if entry.module else folder / "__init__.py"
    if file is None:
        return None
    files = [file] if file.is_file() else []
    for name in entry.names:
        submodule = _module_in(package, name)
        if submodule is not None:
            files.append(submodule)
        elif file.is_file() and not _may_define(file, name):
            return Resolved(tuple(files), f"{file} has no {name!r}")
    return Resolved(tuple(files))


def _missing(entry: Import, root: Path) -> str:
    """What is missing of an import from outside the user's files; "" if nothing is."""
    top = entry.module.partition(".")[0]
    if top == "core":
        return _missing_in_core(entry)
    if top in sys.stdlib_module_names:
        return ""
    if _spec(top, root) is None:
        return f"no module {entry.module!r}"
    return _missing_in_package(entry) if top in _KNOWN_INSIDE else ""


def _missing_in_core(entry: Import) -> str:
    served = core_alias.MODULES.get(entry.module)
    if served is None:
        return f"no module {entry.module!r}"
    known = [name for name in entry.names if name in served or f"{entry.module}.{name}" in core_alias.MODULES]
    return _lacks(entry, known)


def _missing_in_package(entry: Import) -> str:
    file = file_of_module(entry.module)
    if file is None:
        return f"no module {entry.module!r}"
    inside = file.parent if file.name == "__init__.py" else None
    known = [name for name in entry.names if _may_define(file, name) or (inside and _module_in(inside, name))]
    return _lacks(entry, known)


def _lacks(entry: Import, known: list[str]) -> str:
    absent = [name for name in entry.names if name not in known and name != "*"]
    return f"{entry.module} has no {', '.join(absent)}" if absent else ""


def _module_in(folder: Path, name: str) -> Path | None:
    path = folder.joinpath(*name.split("."))
    candidates = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _may_define(file: Path, name: str) -> bool:
    """Whether a module has a name, or makes names in ways that its text does not show."""
    if name == "*":
        return True
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name in (name, "__getattr__"):
                return True
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound = [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
            if name in bound or "*" in bound:
                return True
        elif isinstance(node, ast.Name) and (
            (node.id == name and isinstance(node.ctx, ast.Store)) or node.id in ("globals", "vars")
        ):
            return True
    return False


def _spec(top: str, folder: Path | None) -> ModuleSpec | None:
    """How a top-level module would be found: as installed, then beside the user's file, then in the working folder."""
    try:
        installed = importlib.util.find_spec(top)
    except ValueError:  # a module that is loaded and has no spec, such as __main__
        installed = None
    # `python -m` puts the working folder on the path of a test case's process; a console script does not.
    return installed or PathFinder.find_spec(top, [*([str(folder)] if folder else []), str(Path.cwd())])
