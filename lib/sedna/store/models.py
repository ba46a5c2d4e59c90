"""Model versions: published whole or not at all, fetched verified or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sedna.common.errors import ConflictError, DataError, IntegrityError
from sedna.common.types import JobKey
from sedna.common.validation import as_error, first_fault
from sedna.store.base import ObjectStore
from sedna.store.file_sets import FileEntry, StoredFile, list_files, upload
from sedna.store.layout import model_file_key, model_manifest_key, model_module_key
from sedna.store.model_fetch import OpenFile, fetch_model, fetch_model_over, verify_model
from sedna.store.model_values import Metrics, ModelDescription, ModelInput, ModelManifest, Runtime, runtime_of

__all__ = [
    "Metrics",
    "ModelDescription",
    "ModelInput",
    "ModelManifest",
    "OpenFile",
    "Runtime",
    "describe_model",
    "fetch_model",
    "fetch_model_over",
    "load_manifest",
    "publish_model",
    "publish_stored",
    "runtime_of",
    "verify_model",
]


def describe_model(
    job: JobKey, version: int, *, metrics: Mapping[str, float | Sequence[float]] | None = None, **fields: Any
) -> ModelDescription:
    """A `ModelDescription`, from figures and names as workers and users give them.

    Args:
        fields: of `ModelDescription`.

    Raises:
        DataError: one of them is not what it should be; the message names it.
    """
    plain: Metrics = {
        name: tuple(value) if isinstance(value, Sequence) else value for name, value in (metrics or {}).items()
    }
    try:
        return ModelDescription(job=job, version=version, metrics=plain, **fields)
    except ValidationError as error:
        raise as_error(DataError, error, f"model {version} of {job}") from error


def publish_model(
    store: ObjectStore, source: Path, description: ModelDescription, module: StoredFile | None = None
) -> ModelManifest:
    """Store a model: a file, or all files of a folder. First the content, at last the manifest.

    Args:
        module: the Python file that opens it, which is in the same store already.

    Doing it again with the same files and description changes nothing and returns the manifest of the first time,
    with its ``created_at``. A crash in between leaves no model version.

    Raises:
        NotFoundError: ``source`` does not exist.
        DataError: it is an empty folder, or holds links or names that no store takes.
        ConflictError: the version exists with other content; or a file changes while it is published.
    """
    files = list_files(source)
    manifest = _manifest(description, [file.entry for file in files], module)
    job, version = description.job, description.version
    upload(store, files, lambda file: model_file_key(job, version, file.sha256, file.name))
    _keep_module(store, manifest, module)
    return _seal(store, manifest)


def publish_stored(
    store: ObjectStore, files: Sequence[StoredFile], description: ModelDescription, module: StoredFile | None = None
) -> ModelManifest:
    """As `publish_model`, of files that are in the same store already, such as the output of a worker.

    Raises:
        NotFoundError: one of them is gone.
        DataError, ConflictError: as `publish_model`.
    """
    job, version = description.job, description.version
    manifest = _manifest(description, [_entry(file) for file in files], module)
    for file in files:
        store.copy(file.key, model_file_key(job, version, file.sha256, file.name))
    _keep_module(store, manifest, module)
    return _seal(store, manifest)


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
        message = f"no model manifest: {first_fault(error).message}"
        raise IntegrityError(message, where=key, hint=hint) from error
    if (manifest.job, manifest.version) != (job, version):
        raise IntegrityError(f"the manifest is of version {manifest.version} of {manifest.job}", where=key)
    return manifest


def _entry(file: StoredFile) -> FileEntry:
    return FileEntry(name=file.name, sha256=file.sha256, size=file.size)


def _keep_module(store: ObjectStore, manifest: ModelManifest, module: StoredFile | None) -> None:
    if module is not None:
        store.copy(module.key, model_module_key(manifest.job, manifest.version, module.sha256, module.name))


def _manifest(description: ModelDescription, files: Sequence[FileEntry], module: StoredFile | None) -> ModelManifest:
    given = {name: getattr(description, name) for name in ModelDescription.model_fields}
    if module is not None:
        given["module"] = _entry(module)
    try:
        return ModelManifest(**given, files=tuple(sorted(files, key=lambda file: file.name)))
    except ValidationError as error:
        raise as_error(DataError, error, f"model {description.version} of {description.job}") from error


def _seal(store: ObjectStore, manifest: ModelManifest) -> ModelManifest:
    """Write the manifest, last of all: what it lists is there."""
    job, version = manifest.job, manifest.version
    if store.put_if_absent(model_manifest_key(job, version), manifest.to_bytes()):
        return manifest
    existing = load_manifest(store, job, version)
    # The time of the first try counts: a repetition after a crash comes later and is the same model.
    if existing != manifest.model_copy(update={"created_at": existing.created_at}):
        where = f"model {version} of {job}"
        raise ConflictError("this version exists with other content", where=where, hint="take the next number")
    return existing
