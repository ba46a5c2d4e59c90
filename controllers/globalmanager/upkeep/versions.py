"""Dataset and model versions that only one of database and store has; and what the store's versions say of samples."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from globalmanager.db.take_back import Known
from globalmanager.upkeep.findings import Finding, Kind
from globalmanager.upkeep.listing import Stored
from sedna.common.errors import DataError, NotFoundError, PermanentError, UserError
from sedna.common.types import JobKey
from sedna.store.base import ObjectStore
from sedna.store.datasets import DatasetEntry, parse_dataset
from sedna.store.layout import dataset_manifest_key, model_file_key
from sedna.store.models import load_manifest

__all__ = ["LostLabels", "compare_versions"]


class LostLabels:
    """What dataset versions say of samples that the database has lost; unreadable versions are ``findings``."""

    def __init__(self, store: ObjectStore, job: JobKey, versions: Collection[int], lost: Collection[str]) -> None:
        self.findings: list[Finding] = []
        self._found: dict[str, DatasetEntry] = {}
        wanted = set(lost)
        # The newest first: a version holds what the one before held, with newer labels.
        for version in sorted(versions, reverse=True):
            if not wanted:
                break
            key = dataset_manifest_key(job, version)
            try:
                manifest = parse_dataset(store.get(key), key)
            except (DataError, NotFoundError) as error:
                what = f"dataset version {version}"
                self.findings.append(
                    Finding(kind=Kind.MISSING_DATASET, job=str(job), what=what, message=f"not readable: {error}")
                )
                continue
            self._found.update((entry.sample_id, entry) for entry in manifest.entries if entry.sample_id in wanted)
            wanted -= self._found.keys()

    def of(self, sample: str) -> DatasetEntry | None:
        """The newest entry of a sample, or None."""
        return self._found.get(sample)


def compare_versions(store: ObjectStore, job: JobKey, before: Known, stored: Stored) -> Iterator[Finding]:
    """Versions that one side lacks."""
    for version in sorted(stored.datasets - before.datasets.keys()):
        message = "it is in the store alone, and stays there: later rounds make new ones"
        yield _of(Kind.LOST_DATASET, job, f"dataset version {version}", message)
    for version, key in sorted(before.datasets.items()):
        if key is not None and version not in stored.datasets:
            yield _of(Kind.MISSING_DATASET, job, f"dataset version {version}", f"{key} is not in the store")
    for version in sorted(stored.models - before.models.keys()):
        message = f"it is in the store alone, below models/{version}/files; a Model that names its file brings it back"
        yield _of(Kind.LOST_MODEL, job, f"model {version}", message)
    for version, sha256 in sorted(before.models.items()):
        if (fault := _model_fault(store, job, version, sha256, stored)) is not None:
            yield _of(Kind.MISSING_MODEL, job, f"model {version}", fault)


def _model_fault(store: ObjectStore, job: JobKey, version: int, sha256: str, stored: Stored) -> str | None:
    try:
        manifest = load_manifest(store, job, version)
    except (UserError, PermanentError) as error:
        return str(error)
    if manifest.sha256 != sha256:
        return f"its manifest has sha256 {manifest.sha256}, the database says {sha256}"
    for file in manifest.files:
        size = stored.model_files.get(model_file_key(job, version, file.sha256, file.name))
        if size != file.size:
            return f"file {file.name!r} " + ("is missing" if size is None else f"has {size} of {file.size} bytes")
    return None


def _of(kind: Kind, job: JobKey, what: str, message: str) -> Finding:
    return Finding(kind=kind, job=str(job), what=what, message=message)
