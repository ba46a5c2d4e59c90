"""The users' Python files that an edge holds: a model is opened by the very version that it was made with."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from sedna import __version__
from sedna.common.atomic import sha256_file, write_atomic
from sedna.common.class_factory import ClassFactory
from sedna.common.errors import ConflictError, NotFoundError, TemporaryError
from sedna.common.plugin import Plugin, load_version, plugin_errors
from sedna.store.download import stream_to_file
from sedna.store.models import ModelManifest

__all__ = ["EdgeModules", "MissingModuleError", "OpenModule"]

LOG = logging.getLogger("sedna.edge.modules")

OpenModule = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens the Python file of a model where the model is published."""

_HELD = "held"
_FROM_SERVICE = "from-service"
_KEPT = 32
"""Versions on the disk, of each origin: they are small, and an old model needs its own."""


class MissingModuleError(NotFoundError):
    """This edge does not hold the version of a user's file that a model was made with."""


class EdgeModules:
    """The versions of users' files on one edge, by their sha256.

    Held are the files that the edge was told of, as they are now, and those of their earlier versions with which it has
    opened a model: these are kept, so that a start after an edit still serves the model of before. Code that comes from
    the service is run only where ``from_service`` allows it.

    Args:
        paths: that the edge was told of, ``--module``.
        folder: where versions are kept.
        from_service: whether a version that is missing is fetched and run.
    """

    def __init__(self, paths: Sequence[Path], folder: Path, *, from_service: bool = False) -> None:
        self._paths = tuple(paths)
        self._folder = folder
        self._from_service = from_service
        self._loaded: dict[str, Plugin] = {}
        self._foreign: set[str] = set()

    def load(self) -> None:
        """Run every file, and make known what it registers: miners, and classes of models without a noted version.

        Of two files that register one name the first one counts there; the other serves the models made with it.

        Raises:
            SpecError, NotFoundError: a file cannot be loaded; the message has its line.
        """
        for path in self._paths:
            plugin = self._run(path)
            try:
                ClassFactory.share(plugin.own)
            except ConflictError as error:
                if not self._shares_a_name(plugin):
                    raise
                LOG.warning("%s serves only models that were made with it: %s", path, error)

    def find(self, manifest: ModelManifest, open_module: OpenModule) -> Plugin | None:
        """The version that opens a model; None where no file is noted with it.

        Raises:
            MissingModuleError: it is not here, and is not taken from the service.
            SpecError: the file cannot be loaded.
            TemporaryError: the service does not give it now.
        """
        wanted = manifest.module
        if wanted is None:
            return None
        found = self._loaded.get(wanted.sha256)
        if found is None:
            # Read anew: whoever trains on this machine has edited the file that the edge was told of.
            path = next((path for path in self._paths if _has(path, wanted.sha256)), None)
            found = None if path is None else self._run(path, wanted.sha256)
        if found is not None:
            # What came from the service must not become what this edge was told of.
            if found.sha256 not in self._foreign:
                self._keep(found, wanted.name)
            return found
        kept = self._folder / _HELD / wanted.sha256 / wanted.name
        if kept.is_file():
            os.utime(kept.parent)
            return self._run(kept, wanted.sha256)
        if not self._from_service:
            raise self._missing(manifest)
        plugin = self._run(self._fetched(manifest, open_module), wanted.sha256)
        self._foreign.add(plugin.sha256)
        return plugin

    def stamp(self) -> str:
        """Another one, when the software of this edge has changed: its files, its packages, or itself."""
        parts = [__version__, sys.version]
        for path in (*self._paths, *_package_folders()):
            try:
                found = path.stat()
                parts.append(f"{path} {found.st_mtime_ns} {found.st_size if path.is_file() else 0}")
            except OSError:
                parts.append(f"{path} is not there")
        parts.append(f"from the service: {self._from_service}")
        return "\n".join(parts)

    def _run(self, path: Path, sha256: str | None = None) -> Plugin:
        importlib.invalidate_caches()  # a package that was missing may have been installed meanwhile
        with plugin_errors(path):
            plugin = load_version(path, sha256)
        self._loaded[plugin.sha256] = plugin
        return plugin

    def _shares_a_name(self, plugin: Plugin) -> bool:
        """Whether the file is given in order to open older or newer models: it registers what another one does."""
        others = [one for one in self._loaded.values() if one is not plugin]
        return any(_names(plugin) & _names(other) for other in others)

    def _keep(self, plugin: Plugin, name: str) -> None:
        """On the disk: the file may be edited while its model is in service."""
        target = self._folder / _HELD / plugin.sha256 / name
        try:
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, plugin.source)
                self._forget_oldest(target.parent.parent)
            os.utime(target.parent)
        except (TemporaryError, OSError) as error:
            LOG.warning("%s is not kept; a start after an edit of it cannot serve its models: %s", name, error)

    def _fetched(self, manifest: ModelManifest, open_module: OpenModule) -> Path:
        assert manifest.module is not None, "looked at by the caller"
        module = manifest.module
        path = self._folder / _FROM_SERVICE / module.sha256 / module.name
        if not path.is_file():
            stream_to_file(open_module(), path, sha256=module.sha256, size=module.size)
            LOG.info(
                "%s of sha256 %s came from the service and is run, as this edge allows", module.name, module.sha256
            )
            self._forget_oldest(path.parent.parent)
        os.utime(path.parent)
        return path

    @staticmethod
    def _forget_oldest(folder: Path) -> None:
        found = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime_ns)
        for path in found[:-_KEPT]:
            shutil.rmtree(path, ignore_errors=True)

    def _missing(self, manifest: ModelManifest) -> MissingModuleError:
        assert manifest.module is not None, "looked at by the caller"
        wanted = manifest.module
        job = f"{manifest.job.namespace}/{manifest.job.name}"
        here = [f"{path.name} of sha256 {sha256_file(path)[:12]}" for path in self._paths if path.is_file()]
        return MissingModuleError(
            f"model {manifest.version} was made with {wanted.name} of sha256 {wanted.sha256[:12]}, which this edge "
            f"does not hold; it holds {', '.join(here) or 'no module'}",
            hint=f"'sedna model module {job} {manifest.version}' gives that version: start the edge with it as "
            "--module FILE, or with --allow-module-from-service",
        )


def _has(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_file(path) == sha256


def _names(plugin: Plugin) -> set[tuple[str, str]]:
    return {(kind, name) for kind in plugin.own.entries for name in plugin.own.names(kind)}


def _package_folders() -> list[Path]:
    """Folders whose entries change when a package is installed, updated or removed."""
    return [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
