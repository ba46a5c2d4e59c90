"""Dataset versions: immutable lists of labelled samples, each a JSON-lines manifest in the store."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar

from pydantic import ValidationError

from sedna.common.errors import ConflictError, DataError, IntegrityError
from sedna.common.types import JobKey
from sedna.common.validation import as_error
from sedna.store.base import ObjectStore
from sedna.store.dataset_values import (
    DatasetCounts,
    DatasetEntry,
    DatasetHeader,
    DatasetManifest,
    DatasetPart,
    DatasetRef,
)
from sedna.store.file_sets import FileStore
from sedna.store.layout import dataset_manifest_key
from sedna.store.materialise import materialise, materialise_unlabelled

__all__ = [
    "DatasetCounts",
    "DatasetEntry",
    "DatasetHeader",
    "DatasetManifest",
    "DatasetPart",
    "DatasetRef",
    "materialise",
    "materialise_unlabelled",
    "parse_dataset",
    "read_dataset",
    "write_dataset",
]

_Line = TypeVar("_Line", DatasetHeader, DatasetEntry)


def write_dataset(
    store: ObjectStore,
    job: JobKey,
    version: int,
    parent: int | None,
    entries: Iterable[DatasetEntry],
    *,
    class_names: Sequence[str] = (),
) -> DatasetRef:
    """Store a dataset version. Doing it again with the same entries, in any order, changes nothing.

    Args:
        class_names: what the labels index; they are checked against it if it is given.

    Raises:
        DataError: a sample is listed twice, a label is not in ``class_names``, or ``parent`` is not before ``version``.
        ConflictError: this version exists with other content.
    """
    manifest = _checked(job, version, parent, entries, class_names)
    data = _to_bytes(manifest)
    key = dataset_manifest_key(job, version)
    ref = DatasetRef(
        job=job, version=version, key=key, sha256=hashlib.sha256(data).hexdigest(), counts=manifest.header.counts
    )
    if not store.put_if_absent(key, data) and store.get(key) != data:
        hint = "versions are immutable: take the next number"
        raise ConflictError(f"dataset version {version} exists with other content", where=key, hint=hint)
    return ref


def read_dataset(store: FileStore, ref: DatasetRef) -> DatasetManifest:
    """The dataset version that ``ref`` stands for.

    Raises:
        NotFoundError: its manifest is gone.
        IntegrityError: its bytes are not those that were written.
        DataError: the bytes are right, and not of a format that this version of the program knows.
    """
    data = store.get(ref.key)
    found = hashlib.sha256(data).hexdigest()
    if found != ref.sha256:
        raise IntegrityError(f"the manifest has sha256 {found}, recorded is {ref.sha256}", where=ref.key)
    return parse_dataset(data, ref.key)


def _checked(
    job: JobKey, version: int, parent: int | None, entries: Iterable[DatasetEntry], class_names: Sequence[str]
) -> DatasetManifest:
    ordered = tuple(sorted(entries, key=lambda entry: entry.sample_id))
    where = f"dataset version {version} of {job}"
    for entry, following in itertools.pairwise(ordered):
        if entry.sample_id == following.sample_id:
            hint = "a sample is in one part, once"
            raise DataError(f"sample {entry.sample_id} is listed twice", where=where, hint=hint)
    for entry in ordered:
        labels = [box.label for box in entry.annotation.boxes]
        labels += [] if entry.annotation.label is None else [entry.annotation.label]
        if class_names and labels and max(labels) >= len(class_names):
            hint = f"there are {len(class_names)} classes, counted from 0"
            raise DataError(f"sample {entry.sample_id} has label {max(labels)}", where=where, hint=hint)
    counts = DatasetCounts.of(ordered)
    try:
        header = DatasetHeader(job=job, version=version, parent=parent, class_names=tuple(class_names), counts=counts)
    except ValidationError as error:
        raise as_error(DataError, error, where) from error
    return DatasetManifest(header=header, entries=ordered)


def _to_bytes(manifest: DatasetManifest) -> bytes:
    lines = [manifest.header.model_dump_json(), *(entry.model_dump_json() for entry in manifest.entries)]
    return "".join(f"{line}\n" for line in lines).encode()


def parse_dataset(data: bytes, where: str) -> DatasetManifest:
    """A manifest's bytes, of which nobody has recorded what they must be.

    Raises:
        DataError: they are not of a format that this version of the program knows.
    """
    lines = data.splitlines() or [b""]
    header = _parse(DatasetHeader, lines[0], f"{where}: line 1")
    entries = (_parse(DatasetEntry, line, f"{where}: line {n}") for n, line in enumerate(lines[1:], start=2))
    return DatasetManifest(header=header, entries=tuple(entries))


def _parse(kind: type[_Line], line: bytes, where: str) -> _Line:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise as_error(DataError, error, where, what="not understood", hint="written by a newer program?") from error
