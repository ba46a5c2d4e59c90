"""User files looked at without running them: imports that lead nowhere, and aliases that nothing registers.

What is found are warnings. A file may import what only the machine of the run has, and register what no reader can see;
wherever the text does not settle a question, nothing is said.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ianvs.usercode.imports import file_of_module, imports_of, resolve
from sedna.common.class_factory import ClassType
from sedna.common.errors import DataError

Registered = tuple[str, str]
"""Type and alias, as ``ClassFactory.register`` gets them."""


@dataclass
class Inspection:
    """What some user files, and the neighbours that they import, import and register.

    ``unseen`` tells that something is registered in a way that the text does not show.
    """

    warnings: list[str] = field(default_factory=list)
    errors: list[DataError] = field(default_factory=list)
    registered: set[Registered] = field(default_factory=set)
    unseen: bool = False
    _seen: set[Path] = field(default_factory=set)

    @classmethod
    def of(cls, urls: Iterable[str]) -> Inspection:
        """That of python files and dotted module names."""
        found = cls()
        for url in dict.fromkeys(filter(None, urls)):
            path = Path(url) if Path(url).is_file() else file_of_module(url)
            if path is None:
                found.warnings.append(f"{url}: no module")
            else:
                found._look_into(path, url, path.parent)
        return found

    def registers(self, kind: str, alias: str) -> bool:
        """Whether the files register the alias, or may do so."""
        return self.unseen or (kind, alias) in self.registered

    def _look_into(self, path: Path, shown: str, root: Path) -> None:
        if path.resolve() in self._seen:  # neighbours import each other
            return
        self._seen.add(path.resolve())
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except SyntaxError as error:
            self.errors.append(DataError(f"is not Python: {error.msg}", where=f"{shown}:{error.lineno}"))
            return
        except (OSError, ValueError) as error:
            self.errors.append(DataError(f"is not Python: {error}", where=shown))
            return
        guessing = _changes_path(tree)
        for entry in imports_of(tree.body):
            found = resolve(entry, path, root)
            for file in found.files:
                self._look_into(file, str(file), root)
            if found.missing and guessing:
                self.unseen = True  # what it registers, too
            elif found.missing:
                self.warnings.append(f"{shown}:{entry.line}: {found.missing}")
        for call, arguments, default in _registrations(tree):
            self._add(call, arguments, default)
        self.unseen |= any(_method(node) == "register_from_package" for node in ast.walk(tree))

    def _add(self, call: ast.Call, arguments: list[ast.expr], default: str | None) -> None:
        given = dict(zip(("type_name", "alias"), arguments, strict=False))
        given |= {word.arg: word.value for word in call.keywords if word.arg}
        kind = _type_of(given.get("type_name"))
        alias = default if "alias" not in given else _text(given["alias"])
        if kind is None or alias is None:
            self.unseen = True
        else:
            self.registered.add((kind, alias))


def _changes_path(tree: ast.Module) -> bool:
    """Whether a file touches ``sys.path``; then what it imports may be anywhere."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "path" and getattr(node.value, "id", "") == "sys"
        for node in ast.walk(tree)
    )


def _registrations(tree: ast.Module) -> Iterator[tuple[ast.Call, list[ast.expr], str | None]]:
    """Calls that register something: the call, its arguments from the type on, and the alias when none is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and _method(decorator) == "register":
                    yield decorator, decorator.args, node.name
        elif isinstance(node, ast.Call) and _method(node) == "register_cls":
            yield node, node.args[1:], node.args[0].id if node.args and isinstance(node.args[0], ast.Name) else None


def _method(node: ast.AST) -> str:
    """Name of the method of ``ClassFactory`` that a node calls, if it calls one."""
    function = node.func if isinstance(node, ast.Call) else None
    if not isinstance(function, ast.Attribute):
        return ""
    owner = getattr(function.value, "id", "") or getattr(function.value, "attr", "")
    return function.attr if owner == "ClassFactory" else ""


def _type_of(node: ast.expr | None) -> str | None:
    if node is None:
        return ClassType.GENERAL
    if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "ClassType":
        return getattr(ClassType, node.attr, None)
    return _text(node)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
