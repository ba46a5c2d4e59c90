"""Optional packages: a missing one becomes an error that names the extra to install."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sedna.common.errors import UserError

__all__ = ["MissingPackageError", "extra_needed", "install_command"]

_OURS = ("sedna", "ianvs", "globalmanager", "localcontroller")


class MissingPackageError(UserError):
    """A package that a part of the software needs is not installed."""


@contextmanager
def extra_needed(extra: str, what: str, *packages: str) -> Iterator[None]:
    """Imports in this block need an extra of the distribution.

    Args:
        extra: its name; several are separated by commas.
        what: the part that needs it.
        packages: further packages that the part needs without importing them; they are looked for, and not loaded.

    Raises:
        MissingPackageError: a package of another project is not installed.
        ModuleNotFoundError: a module of this project is missing, which is a defect.
    """
    try:
        for package in packages:
            if importlib.util.find_spec(package) is None:
                raise ModuleNotFoundError(package, name=package)
        yield
    except ModuleNotFoundError as error:
        # A missing module of ours is a defect; no extra brings it.
        if error.name is None or error.name.partition(".")[0] in _OURS:
            raise
        raise MissingPackageError(
            f"needs the package {error.name!r}, which is not installed",
            where=what,
            hint=install_command(extra),
        ) from error


def install_command(extra: str) -> str:
    """The command that installs an extra: from the copy of the repository that this code runs in, if it does."""
    root = Path(__file__).resolve().parents[3]
    if (root / "lib" / "sedna").is_dir() and (root / "pyproject.toml").is_file():
        return f"pip install --editable {shlex.quote(f'{root}[{extra}]')}"
    return f"pip install '.[{extra}]' in a copy of this software's repository"
