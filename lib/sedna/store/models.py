"""Model versions: published whole or not at all, fetched verified or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue, ValidationError

from sedna.common.atomic import is_temporary, sha256_file
from sedna.common.errors import ConflictError, DataError, IntegrityError, NotFoundError
from sedna.common.types import JobKey
from sedna.common.validation import as_error
from sedna.store.base import ObjectStore
from sedna.store.download import sha256_stream
from sedna.store.layout import model_file_key, model_manifest_key
from sedna.store.model_fetch import OpenFile, fetch_model, fetch_model_over, verify_model
from sedna.store.model_values import Metrics, ModelFile, ModelInput, ModelManifest, Runtime
from sedna.store.oserrors import os_errors

__all__ = [
    "Metrics",
    "ModelFile",
    "ModelInput",
    "ModelManifest",
    "OpenFile",
    "Runtime",
    "fetch_model",
    "fetch_model_over",
    "load_manifest",
    "publish_model",
    "verify_model",
]


@dataclass(frozen=True)
class _Local:
    """A file to publish, and the state in which it was hashed."""

    path: Path
    file: ModelFile
    stamp: tuple[int, int]


def publish_model(
    store: ObjectStore,
    job: JobKey,
    version: int,
    source: Path,
    *,
    algorithm: str,
    runtime: Runtime,
    format: str,  # noqa: A002  the manifest's word
    created_at: datetime,
    parent: int | None = None,
    round: int | None = None,  # noqa: A002  likewise
    dataset_version: int | None = None,
    class_names: Sequence[str] = (),
    input: ModelInput | None = None,  # noqa: A002  likewise
    metrics: Mapping[str, float | Sequence[float]] | None = None,
    parameters: Mapping[str, JsonValue] | None = None,
    entries: Mapping[str, str] | None = None,
    note: str = "",
) -> ModelManifest:
    """Store a model: a file, or all files of a folder. First the content, at last the manifest.

    Doing it again with the same files and description changes nothing and returns the manifest of the first time,
    with its ``created_at``. A crash in between leaves no model version.

    Raises:
        NotFoundError: ``source`` does not exist.
        DataError: it is an empty folder, holds links or names that no store takes; or the description is wrong.
        ConflictError: the version exists with other content; or a file changes while it is published.
    """
    files = [_described(name, path) for name, path in _model_files(source).items()]
    where = f"model {version} of {job}"
    try:
        manifest = ModelManifest(
            job=job,
            version=version,
            parent=parent,
            round=round,
            dataset_version=dataset_version,
            algorithm=algorithm,
            parameters=dict(parameters or {}),
            entries=dict(entries or {}),
            runtime=runtime,
            format=format,
            class_names=tuple(class_names),
            input=input,
            metrics=_plain(metrics or {}),
            files=tuple(local.file for local in files),
            created_at=created_at,
            note=note,
        )
    except ValidationError as error:
        raise as_error(DataError, error, where) from error
    for local in files:
        _upload(store, manifest, local)
    # The manifest goes last, and only once: a model without one does not exist, and one with it never changes.
    if store.put_if_absent(model_manifest_key(job, version), manifest.to_bytes()):
        return manifest
    # A repeated publication after a crash is the same but for its time.
    existing = load_manifest(store, job, version)
    if existing != manifest.model_copy(update={"created_at": existing.created_at}):
        raise ConflictError("this version exists with other content", where=where, hint="take the next number")
    return existing


def load_manifest(store: ObjectStore, job: JobKey, version: int) -> ModelManifest:
    """The manifest of a model version.

    Raises:
        NotFoundError: the version is not published.
        IntegrityError: the manifest is damaged, or another model's.
    """
    key = model_manifest_key(job, version)
    try:
        manifest = ModelManifest.model_validate_json(store.get(key))
    except ValidationError as error:
        hint = "damaged, or written by a newer program"
        raise as_error(IntegrityError, error, key, what="no model manifest", hint=hint) from error
    if (manifest.job, manifest.version) != (job, version):
        raise IntegrityError(f"the manifest is of version {manifest.version} of {manifest.job}", where=key)
    return manifest


def _model_files(source: Path) -> dict[str, Path]:
    """Path by name, in the order of the names."""
    if source.is_file():
        return {source.name: source}
    if not source.is_dir():
        raise NotFoundError("there is no such model file or folder", where=str(source))
    found = {path.relative_to(source).as_posix(): path for path in source.rglob("*") if not is_temporary(path)}
    for path in found.values():
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DataError("a model holds plain files and folders only", where=str(path), hint="copy what it links to")
    files = {name: found[name] for name in sorted(found) if found[name].is_file()}
    if not files:
        raise DataError("the model folder is empty", where=str(source), hint="save the model there first")
    return files


def _described(name: str, path: Path) -> _Local:
    with os_errors(str(path), writing=False):
        stamp = _stamp(path)
        digest = sha256_file(path)
    try:
        return _Local(path, ModelFile(name=name, sha256=digest, size=stamp[1]), stamp)
    except ValidationError as error:
        raise as_error(DataError, error, str(path)) from error


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever the file is written to: (time of change in ns, size)."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _plain(metrics: Mapping[str, float | Sequence[float]]) -> Metrics:
    return {name: tuple(value) if isinstance(value, Sequence) else value for name, value in metrics.items()}


def _upload(store: ObjectStore, manifest: ModelManifest, local: _Local) -> None:
    file = local.file
    key = model_file_key(manifest.job, manifest.version, file.sha256, file.name)
    if not store.put_if_absent(key, local.path):
        with store.open(key) as stored:
            if sha256_stream(stored) == file.sha256:
                return
        store.put(key, local.path)  # the key names the content, so what is there is damaged
    with os_errors(str(local.path), writing=False):
        unchanged = _stamp(local.path) == local.stamp
    if not unchanged:
        store.delete(key)
        hint = "end its writer first"
        raise ConflictError("the file changed while it was published", where=str(local.path), hint=hint)
