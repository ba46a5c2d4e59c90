"""The registry through which job descriptions name code: algorithms, miners, call-backs."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import FrameType, ModuleType
from typing import Any, ClassVar, TypeVar

from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.extras import MissingPackageError, extra_needed

__all__ = [
    "ClassFactory",
    "ClassType",
    "MissingPackageError",
    "Registrations",
    "ReplacedBuiltInWarning",
    "UnknownClassError",
]

T = TypeVar("T", bound=Callable[..., Any])


class ClassType:
    """Kinds of registered classes. The values are part of upstream's contract, spelling included."""

    GENERAL = "general"
    HEM = "hard_example_mining"
    FL_AGG = "aggregation"
    MTL = "multi_task_learening"
    UTD = "unseen_task_detect"
    UTP = "unseen_task_processing"
    KM = "knowledge_management"
    STP = "seen_task_processing"
    OF = "optical_flow"
    ALGORITHM = "algorithm"
    DATASET = "data_process"
    CALLBACK = "post_process_callback"


class UnknownClassError(NotFoundError, ValueError):
    """No class is registered under this type and name. Also a ``ValueError``, as upstream raises one."""


class ReplacedBuiltInWarning(UserWarning):
    """A user's class took the name of a built-in."""


@dataclass(frozen=True)
class _Registration:
    """One registered class, or the promise of one (``target`` None: import ``module`` and it registers
    itself)."""

    target: Callable[..., Any] | None
    module: str
    # (file or module, qualified name): equal for a reload, different for a second class
    definition: tuple[str, str]
    place: str  # "file:line", or the module of a promise
    announced: bool = False  # a warning has already said that this user's class stands for a built-in
    override: bool = False  # it was registered to take the place of another
    by: str = ""  # the module whose line registers it

    @property
    def built_in(self) -> bool:
        return self.module == "sedna" or self.module.startswith("sedna.")


@dataclass
class Registrations:
    """What one version of a file has registered: two versions take the same names, and are not in each other's way.

    ``module``: the name under which it was loaded.
    """

    module: str = ""
    entries: dict[str, dict[str, _Registration]] = field(default_factory=dict)

    def names(self, type_name: str) -> tuple[str, ...]:
        """The names of a type, sorted."""
        return tuple(sorted(self.entries.get(type_name, {})))


@dataclass(frozen=True)
class _Scope:
    """Registrations that come before those of everybody; ``open``: new ones are kept there too."""

    own: Registrations
    open: bool


_SCOPE: ContextVar[_Scope | None] = ContextVar("sedna_class_scope", default=None)


class ClassFactory:
    """Registry ``{type: {name: class}}`` with upstream's methods and a duplicate check that works.

    - A user's class under the name of a built-in replaces it, with a ``ReplacedBuiltInWarning`` that names
      both places.
    - Two different user classes under one name: ``ConflictError`` that names both, unless ``override=True``.
    - The same definition again (same file and qualified name: a reloaded module, a notebook cell) replaces
      silently.
    - What a file registers while it is `recorded` is known within `using` alone, until it is `share`d.

    "Built-in" means defined below the ``sedna`` package. All methods may be called from several threads.
    """

    __registry__: ClassVar[dict[str, dict[str, _Registration]]] = {}
    _lock: ClassVar[threading.RLock] = threading.RLock()

    @classmethod
    def register(
        cls, type_name: str = ClassType.GENERAL, alias: str | None = None, *, override: bool = False
    ) -> Callable[[T], T]:
        """Decorator that registers a class or function under ``alias`` (default: its own name), unchanged.

        Raises:
            ConflictError: another user class already has the name.
        """

        def wrapper(t_cls: T) -> T:
            cls._add(t_cls, type_name, alias, override, inspect.currentframe())
            return t_cls

        return wrapper

    @classmethod
    def register_cls(
        cls, t_cls: T, type_name: str = ClassType.GENERAL, alias: str | None = None, *, override: bool = False
    ) -> T:
        """Register ``t_cls``; the function form of `register`."""
        cls._add(t_cls, type_name, alias, override, inspect.currentframe())
        return t_cls

    @classmethod
    def register_from_package(cls, package: ModuleType, type_name: str = ClassType.GENERAL) -> None:
        """Register every public class and function that ``package`` shows, each under its own name."""
        for name, member in vars(package).items():
            if not name.startswith("_") and (inspect.isclass(member) or inspect.isfunction(member)):
                cls._add(member, type_name, None, False, inspect.currentframe())

    @classmethod
    def register_lazy(cls, type_name: str, alias: str, module: str) -> None:
        """Make ``alias`` known; ``module`` is imported when it is asked for and must register the alias
        itself."""
        entry = _Registration(None, module, (module, alias), module)
        with cls._lock:
            # setdefault: a class that is there already is worth more than the promise of one.
            cls.__registry__.setdefault(type_name, {}).setdefault(alias, entry)

    @classmethod
    @contextmanager
    def recorded(cls, module: str) -> Iterator[Registrations]:
        """Keep apart what the module of this name registers within the block; the block itself sees it.

        What a package registers that it imports is known to everybody: the package is loaded once for all versions.
        """
        own = Registrations(module)
        token = _SCOPE.set(_Scope(own, open=True))
        try:
            yield own
        finally:
            _SCOPE.reset(token)

    @classmethod
    @contextmanager
    def using(cls, own: Registrations | None) -> Iterator[None]:
        """Look into ``own`` first, in this thread and for the block. None changes nothing."""
        token = _SCOPE.set(_SCOPE.get() if own is None else _Scope(own, open=False))
        try:
            yield
        finally:
            _SCOPE.reset(token)

    @classmethod
    def share(cls, own: Registrations) -> None:
        """Make recorded registrations known to everybody: all of them or, where one is refused, none.

        Raises:
            ConflictError: another user class already has one of the names.
        """
        found = [(kind, name, entry) for kind, known in own.entries.items() for name, entry in known.items()]
        with cls._lock:
            for kind, name, entry in found:
                old = cls.__registry__.get(kind, {}).get(name)
                if old is not None:
                    _supersedes(entry, old, f"{kind}/{name}", override=entry.override)
            for kind, name, entry in found:
                cls._enter(kind, name, entry)

    @classmethod
    def is_exists(cls, type_name: str, cls_name: str | None = None) -> bool:
        """Whether the type has any class, or the class ``cls_name``."""
        scope = _SCOPE.get()
        with cls._lock:
            for registry in ((scope.own.entries,) if scope else ()) + (cls.__registry__,):
                known = registry.get(type_name)
                if known is not None and (cls_name is None or cls_name in known):
                    return True
        return False

    @classmethod
    def is_built_in(cls, type_name: str, cls_name: str) -> bool:
        """Whether the name stands for a class of this package, and for no user's."""
        with cls._lock:
            entry = cls.__registry__.get(type_name, {}).get(cls_name)
        return entry is not None and entry.built_in

    @classmethod
    def names(cls, type_name: str) -> tuple[str, ...]:
        """The registered names of a type, sorted."""
        scope = _SCOPE.get()
        own = scope.own.names(type_name) if scope else ()
        with cls._lock:
            return tuple(sorted({*own, *cls.__registry__.get(type_name, {})}))

    @classmethod
    def get_cls(cls, type_name: str, t_cls_name: str | None = None) -> Any:
        """The class registered under type and name; a built-in is imported now if it was not yet.

        Raises:
            UnknownClassError: nothing has this name (the message lists what has).
            MissingPackageError: the built-in needs a package that is not installed.
        """
        entry = cls._find(type_name, t_cls_name)
        if entry.target is None:
            # Outside the lock: the import registers classes itself, and may take seconds.
            _import_built_in(entry.module, f"{type_name}/{t_cls_name}")
            entry = cls._find(type_name, t_cls_name)
            if entry.target is None:
                raise UnknownClassError(
                    f"module {entry.module} did not register it",
                    where=f"{type_name}/{t_cls_name}",
                    hint="its class needs @ClassFactory.register with this type and alias",
                )
        return entry.target

    @classmethod
    def _find(cls, type_name: str, name: str | None) -> _Registration:
        scope = _SCOPE.get()
        entry = scope.own.entries.get(type_name, {}).get(name or "") if scope else None
        if entry is None:
            with cls._lock:
                entry = cls.__registry__.get(type_name, {}).get(name or "")
        if entry is not None:
            return entry
        known = ", ".join(cls.names(type_name)) or "none"
        raise UnknownClassError(f"no class {name!r} of type {type_name!r} is registered", hint=f"known names: {known}")

    @classmethod
    def _add(
        cls,
        t_cls: Callable[..., Any],
        type_name: str,
        alias: str | None,
        override: bool,
        frame: FrameType | None,
    ) -> None:
        entry = _describe(t_cls, frame.f_back if frame else None, override)
        name = alias if alias is not None else t_cls.__name__
        scope = _SCOPE.get()
        if scope is None or not scope.open or scope.own.module not in (entry.module, entry.by):
            cls._enter(type_name, name, entry)
            return
        known = scope.own.entries.setdefault(type_name, {})
        old = known.get(name)
        if old is None or _supersedes(entry, old, f"{type_name}/{name}", override):
            known[name] = entry

    @classmethod
    def _enter(cls, type_name: str, name: str, entry: _Registration) -> None:
        where = f"{type_name}/{name}"
        with cls._lock:
            known = cls.__registry__.setdefault(type_name, {})
            old = known.get(name)
            # Noted with the entry: a module that is loaded twice must not warn twice.
            mixed = old is not None and old.built_in != entry.built_in and not entry.override
            winner = entry if old is None or _supersedes(entry, old, where, entry.override) else old
            known[name] = replace(winner, announced=True) if mixed else winner
        if mixed and old is not None and not old.announced:
            users, ours = (old, entry) if entry.built_in else (entry, old)
            file, _, line = users.place.rpartition(":")
            # At the user's line, whoever loads the file.
            warnings.warn_explicit(
                f"{where}: the class at {users.place} replaces the built-in of {ours.place}",
                ReplacedBuiltInWarning,
                file or users.place,
                int(line) if line.isdecimal() else 0,
            )


def _supersedes(new: _Registration, old: _Registration, where: str, override: bool) -> bool:
    """Whether ``new`` takes the name from ``old``; raises when that would silently change a user's job."""
    if new.definition == old.definition or override:
        return True
    if old.target is None and new.module == old.module:
        return True  # the promised built-in has arrived
    if old.built_in != new.built_in:
        return old.built_in  # a user's class wins, whichever of the two was loaded first
    raise ConflictError(
        f"registered twice: at {old.place} and at {new.place}",
        where=where,
        hint="give one of them another alias, or register the second with override=True",
    )


def _describe(target: Callable[..., Any], frame: FrameType | None, override: bool) -> _Registration:
    module = str(getattr(target, "__module__", "") or "")
    here = frame.f_code.co_filename if frame else ""
    line = frame.f_lineno if frame else 0
    by = str(frame.f_globals.get("__name__", "")) if frame else ""
    code = getattr(target, "__code__", None)
    loaded = sys.modules.get(module)
    # A module loaded by path may not be in sys.modules; then the registering line is the best witness of its
    # file.
    file = code.co_filename if code else str(getattr(loaded, "__file__", None) or (module if loaded else here))
    qualified = getattr(target, "__qualname__", type(target).__qualname__)
    return _Registration(target, module, (file, qualified), f"{here}:{line}", override=override, by=by)


def _import_built_in(module: str, where: str) -> None:
    with extra_needed("train", where):
        importlib.import_module(module)
