"""Files of descriptions, all of them read before a mistake is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from globalmanager.api.manifests import ManifestError, read_manifests
from globalmanager.cli.errors import ManyMistakesError
from sedna.common.errors import NotFoundError
from sedna.loop.spec import Resource

__all__ = ["read_files"]


def read_files(
    files: Sequence[Path],
    *,
    try_modules: bool = False,
    tell: Callable[[Path, tuple[Resource, ...]], None] = lambda _path, _resources: None,
) -> list[tuple[Path, tuple[Resource, ...]]]:
    """What the files describe.

    Args:
        try_modules: see `ModuleCheck`.
        tell: called for each file that is right, also where another is not.

    Raises:
        ManyMistakesError: with every mistake of every file.
        NotFoundError: the only file is not there.
    """
    found: list[tuple[Path, tuple[Resource, ...]]] = []
    mistakes: list[str] = []
    for path in files:
        try:
            resources = read_manifests(path, try_modules=try_modules)
        except ManifestError as error:
            mistakes += [str(diagnostic) for diagnostic in error.diagnostics]
            continue
        except NotFoundError as error:
            if len(files) == 1:
                raise
            mistakes.append(f"{error.where}: {error.message}")
            continue
        tell(path, resources)
        found.append((path, resources))
    if mistakes:
        raise ManyMistakesError(tuple(mistakes))
    return found
