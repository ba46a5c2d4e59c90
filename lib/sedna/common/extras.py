"""Packages that only some installations have: which extra brings them, said instead of a bare import error."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from sedna.common.errors import UserError

__all__ = ["MissingPackageError", "extra_needed"]

_OURS = ("sedna", "ianvs", "globalmanager", "localcontroller")


class MissingPackageError(UserError):
    """A part of the software needs a package that is not installed."""


@contextmanager
def extra_needed(extra: str, what: str, *packages: str) -> Iterator[None]:
    """Imports in this block need an extra of the distribution.

    Args:
        extra: its name; several are separated by commas.
        what: the part that needs it.
        packages: needed too, though nobody in this process imports them: they are looked for, and not loaded.

    Raises:
        MissingPackageError: a package of somebody else's is not there.
        ModuleNotFoundError: a module of ours is not there, which is a defect.
    """
    try:
        for package in packages:
            if importlib.util.find_spec(package) is None:
                raise ModuleNotFoundError(package, name=package)
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OURS:
            raise
        raise MissingPackageError(
            f"needs the package {error.name!r}, which is not installed",
            where=what,
            hint=f"pip install 'sedna-il[{extra}]'",
        ) from error
