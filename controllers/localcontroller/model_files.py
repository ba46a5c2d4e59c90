"""Which part of a model version a worker loads, and how it gets to the path where the worker looks for it."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from sedna.common.atomic import fsync_dir
from sedna.common.errors import ModelError
from sedna.store.models import ModelManifest
from sedna.store.oserrors import os_errors

__all__ = ["Chosen", "choose", "place"]


class Chosen:
    """What the worker loads of a version: a file, with those beside it that share its name, or a folder.

    Attributes:
        entry: below the version's folder; empty = the whole version.
        sha256: of a file; None for a folder.
        alone: whether that file is all that the worker needs.
    """

    def __init__(self, manifest: ModelManifest, entry: str) -> None:
        files = {file.name: file for file in manifest.files}
        self.entry = entry
        self.sha256 = files[entry].sha256 if entry in files else None
        self.alone = self.sha256 is not None and not any(
            name != entry and _belongs(name, PurePosixPath(entry)) for name in files
        )


def choose(manifest: ModelManifest, file: str, model_format: str) -> Chosen:
    """What the worker loads.

    Args:
        file: the name of that file; empty = not said.
        model_format: the form that the worker reads, such as pb; empty = not said.

    Raises:
        ModelError: it is not clear, or not there.
    """
    names = [entry.name for entry in manifest.files]
    if file:
        found = [name for name in names if name == file]
    elif model_format in manifest.entries:
        return Chosen(manifest, manifest.entries[model_format])
    elif len(names) == 1:
        found = names
    else:
        found = [
            name for name in names if name.rpartition(".")[2] in (model_format or manifest.format, manifest.format)
        ]
    if len(found) == 1:
        return Chosen(manifest, found[0])
    raise ModelError(
        f"model {manifest.version} has the files {', '.join(names)}; which one the worker loads is not clear",
        where=str(manifest.job),
        hint="set 'file' of the hot update to one of them",
    )


def place(source: Path, target: Path) -> None:
    """Put a model at the path where a worker that starts looks for it; a worker may be reading what was there.

    A file is replaced in one step, after those that belong to it; a folder in two.

    Raises:
        StorageFullError, TemporaryError: it could not be written.
    """
    with os_errors(str(target), writing=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.new")
        _remove(beside)
        if source.is_dir():
            shutil.copytree(source, beside)
            old = target.with_name(f".{target.name}.old")
            _remove(old)
            if target.exists():
                target.rename(old)
            beside.rename(target)
            _remove(old)
        else:
            for path in sorted(source.parent.iterdir()):
                if path != source and path.is_file() and _belongs(path.name, PurePosixPath(source.name)):
                    # Under their own names: a model names its other files from inside.
                    partial = target.with_name(f".{path.name}.new")
                    shutil.copyfile(path, partial)
                    partial.replace(target.with_name(path.name))
            shutil.copyfile(source, beside)
            _remove(target, folder_only=True)
            beside.replace(target)
        fsync_dir(target.parent)


def _belongs(name: str, entry: PurePosixPath) -> bool:
    """Whether a file is one of those that come with ``entry``: beside it, and of its name up to the suffix."""
    path = PurePosixPath(name)
    return path.parent == entry.parent and path.name.startswith(f"{entry.stem}.")


def _remove(path: Path, *, folder_only: bool = False) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif not folder_only and (path.exists() or path.is_symlink()):
        path.unlink()
