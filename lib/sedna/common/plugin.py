"""Loading of users' Python files, which register algorithms and miners."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from sedna.common.errors import NotFoundError, SednaError, SpecError

__all__ = ["load_modules", "load_plugin"]


def load_plugin(path: Path | str) -> ModuleType:
    """Run a ``.py`` file under a module name of its own.

    The name is made of the absolute path, so that two files of one basename never take each other's place. The file
    may import its neighbours. Loading the same file twice gives the same module.

    Raises:
        NotFoundError: there is no such file.
        SpecError: it is no ``.py`` file, or it cannot be compiled.
        Exception: whatever the file raises when it runs.
    """
    path = Path(path).resolve()
    if path.suffix != ".py":
        raise SpecError("is no Python file", where=str(path), hint="a path that ends in .py")
    if not path.is_file():
        raise NotFoundError("no such Python file", where=str(path))
    name = f"sedna_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    # Classes that were registered a second time would be others, and isinstance would not know the first ones.
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes look their module up there when they are pickled
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # behind everything else: a neighbour called json.py must not hide the library's
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        raise SpecError(f"cannot be compiled: {error.msg}", where=f"{path}:{error.lineno}") from error
    except BaseException:
        del sys.modules[name]
        raise
    return module


def load_modules(paths: Iterable[Path | str]) -> None:
    """Load the files that a user names on a command line or in settings, in this order.

    Raises:
        SpecError, NotFoundError, ConflictError: a file cannot be loaded; the message has the line of the file.
    """
    for path in paths:
        try:
            load_plugin(path)
        except SednaError:
            raise
        except Exception as error:
            file = str(Path(path).resolve())
            # The deepest line of the user's own file: what lies below it is a library's business.
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
            where = f"{file}:{lines[-1]}" if lines else file
            raise SpecError(f"cannot be loaded: {type(error).__name__}: {error}", where=where) from error
