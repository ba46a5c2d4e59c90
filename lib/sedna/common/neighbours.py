"""Files beside a user's module that it imports: they are found where it was written, and not stored with a model."""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from pathlib import Path

__all__ = ["NOT_STORED", "neighbours_of"]

NOT_STORED = (
    "which is beside it and not stored with a model: an edit of it changes the code of models that are in service (put "
    "it into the file, or install it as a package)"
)


def neighbours_of(source: bytes, folder: Path) -> list[str]:
    """Names that a module imports from the folder that it lies in; none where it cannot be compiled."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    others = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
    return sorted(
        name
        for name in names - sys.stdlib_module_names
        if ((folder / f"{name}.py").is_file() or (folder / name).is_dir())
        and importlib.machinery.PathFinder.find_spec(name, others) is None
    )
