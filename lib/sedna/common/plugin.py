"""Loading of users' Python files, which register algorithms and miners.

A file is loaded under a module name made of its own name and its content. So two versions of one file live side by side
in a process, and what is pickled by one process names the very version that another has to load.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

from sedna.common.class_factory import ClassFactory, Registrations
from sedna.common.errors import IntegrityError, NotFoundError, SednaError, SpecError

__all__ = ["Plugin", "load_modules", "load_plugin", "load_version", "plugin_errors"]

_PREFIX = "sedna_plugin_"
_NAME = re.compile(rf"{_PREFIX}(?P<stem>.+)_(?P<digest>[0-9a-f]{{12}})")


@dataclass(frozen=True, eq=False)
class Plugin:
    """A loaded version of a user's file, and what it has registered."""

    module: ModuleType
    source: bytes
    sha256: str
    own: Registrations


def load_plugin(path: Path | str) -> ModuleType:
    """Run a ``.py`` file under a module name of its own, and make known to everybody what it registers.

    The file may import its neighbours. The same content under the same file name is one module, however often it is
    loaded; a file that has changed is another one, whose classes take the place of the earlier ones.

    Raises:
        NotFoundError: there is no such file.
        SpecError: it is no ``.py`` file, or it cannot be compiled.
        ConflictError: another file has registered one of its names.
        Exception: whatever the file raises when it runs.
    """
    plugin = load_version(path)
    try:
        ClassFactory.share(plugin.own)
    except BaseException:
        sys.modules.pop(plugin.module.__name__, None)
        raise
    return plugin.module


def load_version(path: Path | str, sha256: str | None = None, *, neighbours: Path | None = None) -> Plugin:
    """Run a ``.py`` file; what it registers is seen within ``ClassFactory.using(plugin.own)`` alone.

    Args:
        sha256: of the file; nothing else is run.
        neighbours: where its author has it: files that it imports are looked for there as well.

    Raises:
        IntegrityError: the file has another sha256.
        NotFoundError, SpecError, Exception: as `load_plugin`.
    """
    path = Path(path).resolve()
    if path.suffix != ".py":
        raise SpecError("is no Python file", where=str(path), hint="a path that ends in .py")
    if not path.is_file():
        raise NotFoundError("no such Python file", where=str(path))
    # What is hashed is what runs: the file is read once, and no cache of compiled code has a say.
    source = path.read_bytes()
    found = hashlib.sha256(source).hexdigest()
    if sha256 is not None and found != sha256:
        raise IntegrityError(f"the file has sha256 {found}, wanted is {sha256}", where=str(path))
    name = f"{_PREFIX}{path.stem}_{found[:12]}"
    # Classes that were registered a second time would be others, and isinstance would not know the first ones.
    known = getattr(sys.modules.get(name), "__sedna_plugin__", None)
    if isinstance(known, Plugin):
        return known
    for folder in (path.parent, neighbours):
        if folder is not None and str(folder) not in sys.path:
            sys.path.append(str(folder))  # behind everything else: a neighbour called json.py must not hide a library
    _ensure_old_names_work()
    return _run(name, path, source, found)


def _run(name: str, path: Path, source: bytes, sha256: str) -> Plugin:
    loader = _SourceLoader(name, path, source)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None, "a loader was given"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes look their module up there when they are pickled
    try:
        with ClassFactory.recorded(name) as own:
            loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        if error.filename != str(path):  # a file that it imports
            raise
        raise SpecError(f"cannot be compiled: {error.msg}", where=f"{path}:{error.lineno}") from error
    except BaseException:
        del sys.modules[name]
        raise
    plugin = Plugin(module, source, sha256, own)
    module.__dict__["__sedna_plugin__"] = plugin
    return plugin


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the bytes that were hashed."""

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        code: CodeType = self.source_to_code(self._source, self.path)
        return code


class _OldNames(importlib.abc.MetaPathFinder):
    """Finds the loaded version that a pickle means whose module name is of another version or another machine.

    A model of an earlier version of a file is opened by the present one in a training that starts from it; before names
    were made of the content, they were made of the path.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        wanted = _NAME.fullmatch(fullname)
        if wanted is None:
            return None
        found = None
        for module in list(sys.modules.values()):
            plugin = getattr(module, "__sedna_plugin__", None)
            # By its own name: it may be known by others already.
            known = _NAME.fullmatch(module.__name__) if isinstance(plugin, Plugin) else None
            if known is None:
                continue
            if known["digest"] == wanted["digest"]:
                return ModuleSpec(fullname, _Alias(module))
            if known["stem"] == wanted["stem"]:
                found = module  # the one that was loaded last
        return None if found is None else ModuleSpec(fullname, _Alias(found))


class _Alias(importlib.abc.Loader):
    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> None:  # noqa: ARG002
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = self._module


def _ensure_old_names_work() -> None:
    if not any(isinstance(finder, _OldNames) for finder in sys.meta_path):
        sys.meta_path.append(_OldNames())


def load_modules(paths: Iterable[Path | str]) -> None:
    """Load the files that a user names on a command line or in settings, in this order.

    Raises:
        SpecError, NotFoundError, ConflictError: a file cannot be loaded; the message has the line of the file.
    """
    for path in paths:
        with plugin_errors(path):
            load_plugin(path)


@contextmanager
def plugin_errors(path: Path | str) -> Iterator[None]:
    """Whatever a user's file raises while the block loads it becomes a `SpecError` that has the line of the file."""
    try:
        yield
    except SednaError:
        raise
    except Exception as error:
        file = str(Path(path).resolve())
        # The deepest line of the user's own file: what lies below it is a library's business.
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f"{file}:{lines[-1]}" if lines else file
        raise SpecError(f"cannot be loaded: {type(error).__name__}: {error}", where=where) from error
