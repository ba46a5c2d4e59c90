"""Python files of users, each under a module name of its own.

Upstream imports them by their bare file name, so that two ``basemodel.py`` collide, and their neighbours too. Here a
file is loaded under a name made of its folder, and ``import`` statements inside it look first among its neighbours
(which are loaded the same way), then wherever Python looks. Nothing global changes: the search happens in the
``__import__`` that only these modules see, so it also works for imports inside functions, long after loading.
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from sedna.common.errors import DataError, SednaError

_PREFIX = "ianvs_user_"


class UserCode:
    """Loads user files; loading one twice gives the same module.

    Args:
        argv: what user code sees as ``sys.argv`` while it is loaded; its argument parsers know only upstream's.
        after_load: called whenever a file was loaded: seeding, for one, must follow the import of the framework.
    """

    def __init__(self, argv: Sequence[str] = ("ianvs",), after_load: Callable[[], None] | None = None) -> None:
        self._argv = list(argv)
        self._after_load = after_load
        self._folders: dict[str, Path] = {}

    def load(self, url: str) -> ModuleType:
        """Import a python file, or a dotted module name if there is no such file.

        Raises:
            DataError: the file cannot be imported; the message names the cause.
        """
        with self._surroundings(url):
            try:
                if Path(url).is_file():
                    path = Path(url).resolve()
                    module = self._import_from(path.parent, path.name.split(".")[0])
                else:
                    module = importlib.import_module(url)
            except SednaError:  # of ClassFactory, with file and line of both registrations
                raise
            except (Exception, SystemExit) as error:
                raise DataError(f"cannot be loaded: {type(error).__name__}: {error}", where=url) from error
        # Also for a file that was loaded before: its caller counts on the state of a fresh start.
        if self._after_load is not None:
            self._after_load()
        return module

    @contextlib.contextmanager
    def _surroundings(self, url: str) -> Iterator[None]:
        """The folder importable by ``importlib`` too, upstream's ``sys.argv``; both as before afterwards."""
        path, argv = list(sys.path), list(sys.argv)
        if Path(url).is_file():
            # For `importlib.import_module("neighbour")`, which does not pass through the __import__ of the module.
            sys.path.insert(0, str(Path(url).resolve().parent))
        sys.argv[:] = self._argv
        try:
            yield
        finally:
            sys.path[:] = path
            sys.argv[:] = argv

    def _import_from(self, folder: Path, name: str) -> ModuleType:
        importlib.invalidate_caches()  # the file may be younger than the last look into its folder
        return importlib.import_module(f"{self._package(folder)}.{name}")

    def _package(self, folder: Path) -> str:
        """The made-up package that stands for a folder; the same folder has the same name in every process."""
        name = _PREFIX + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        if name not in self._folders:
            if not self._folders:
                # First in the list, where editable installs put theirs too: none of them knows a made-up name.
                sys.meta_path.insert(0, _Finder(self))
            self._folders[name] = folder
            package = sys.modules.setdefault(name, ModuleType(name, f"Python files of {folder}."))
            package.__path__ = [str(folder)]
        return name

    def knows(self, package: str) -> bool:
        """Whether ``package`` stands for a folder that was loaded from."""
        return package in self._folders

    def neighbour(self, importer: str, name: str, fromlist: Sequence[str]) -> ModuleType | None:
        """What the absolute ``import name`` of a user module means, or None if no neighbour has the name."""
        package = importer.partition(".")[0]
        top, _, rest = name.partition(".")
        folder = self._folders.get(package)
        if folder is None or not ((folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()):
            return None
        module = importlib.import_module(f"{package}.{name}")
        for entry in fromlist:  # `from package import submodule`, of which importing the package alone loads nothing
            if entry != "*" and not hasattr(module, entry) and hasattr(module, "__path__"):
                with contextlib.suppress(ModuleNotFoundError):
                    importlib.import_module(f"{module.__name__}.{entry}")
        return module if fromlist or not rest else sys.modules[f"{package}.{top}"]


class _Finder(MetaPathFinder):
    """Finds modules below the made-up packages, and only those."""

    def __init__(self, code: UserCode) -> None:
        self._code = code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._code.knows(fullname.partition(".")[0]):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        # Extension modules and bytecode without source are left as they are: they have no import statements to serve.
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _UserModuleLoader(spec.loader.name, spec.loader.path, self._code)
        return spec


class _UserModuleLoader(SourceFileLoader):
    """Runs a file with an ``__import__`` that looks among its neighbours first."""

    def __init__(self, fullname: str, path: str, code: UserCode) -> None:
        super().__init__(fullname, path)
        self._code = code

    def exec_module(self, module: ModuleType) -> None:
        # Functions find `__import__` in the builtins of their module, whenever they run.
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._import}
        super().exec_module(module)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0:
            module = self._code.neighbour(self.name, name, fromlist or ())
            if module is not None:
                return module
        return builtins.__import__(name, globals, locals, fromlist or (), level)
