"""From a dataset version to what a worker reads: pictures in a folder and a txt index that lists them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping
from pathlib import Path

from sedna.common.atomic import write_atomic
from sedna.common.errors import SednaError, SpecError
from sedna.common.types import Annotation, JobKey
from sedna.labels.txt import format_line
from sedna.store.dataset_values import DatasetEntry, DatasetPart
from sedna.store.file_sets import FileStore
from sedna.store.layout import sample_key
from sedna.store.node_cache import NodeCache
from sedna.store.oserrors import os_errors

__all__ = ["check_index_folder", "materialise", "materialise_unlabelled"]


def materialise(
    store: FileStore,
    job: JobKey,
    entries: Iterable[DatasetEntry],
    cache: NodeCache,
    folder: Path,
    index_path: Path,
    *,
    parts: Collection[DatasetPart] = tuple(DatasetPart),
    problems: MutableMapping[str, str] | None = None,
) -> int:
    """Bring the pictures of dataset entries into ``folder`` and write the index that upstream's workers read.

    A line is ``<absolute path> x1,y1,x2,y2,label ...`` in whole pixels, ``<path> label`` for whole-image labels, or
    the path alone for an image that shows nothing. The stem of the file name is the sample id. Lines are in the order
    of the entries. The index appears only when all its images are there and verified.

    Args:
        parts: which samples to take.
        problems: takes up what is wrong with samples whose bytes are missing or damaged, by their ids; they are left
            out of the index. None = the first one is an error.

    Returns:
        the number of lines.

    Raises:
        SpecError: the path of ``folder`` holds white space, which the index cannot express.
        NotFoundError, IntegrityError: see `NodeCache.place`. The index is not written.
        StorageFullError: the disk is full, likewise.
    """
    wanted = [entry for entry in entries if entry.part in parts]
    samples = [(entry.sample_id, entry.extension) for entry in wanted]
    annotations = [entry.annotation for entry in wanted]
    return _write(store, job, samples, annotations, cache, folder, index_path, problems)


def materialise_unlabelled(
    store: FileStore,
    job: JobKey,
    samples: Iterable[tuple[str, str]],
    cache: NodeCache,
    folder: Path,
    index_path: Path,
    *,
    problems: MutableMapping[str, str] | None = None,
) -> int:
    """Bring samples, given as (sample id, extension), into ``folder`` and write an index of their paths alone.

    Whether a path alone means "shows nothing" or "not labelled" is up to who reads the index: this one is for
    learning from unlabelled data. Returns and raises as `materialise`.
    """
    listed = list(samples)
    return _write(store, job, listed, [Annotation()] * len(listed), cache, folder, index_path, problems)


def check_index_folder(folder: Path) -> None:
    """Raise `SpecError` if an index cannot name files in ``folder``."""
    text = str(folder.absolute())
    if len(text.split()) != 1 or text != text.strip():
        hint = "txt indexes are split there; choose another data folder"
        raise SpecError("the path of the work folder holds white space", where=repr(text), hint=hint)


def _write(
    store: FileStore,
    job: JobKey,
    samples: list[tuple[str, str]],
    annotations: list[Annotation],
    cache: NodeCache,
    folder: Path,
    index_path: Path,
    problems: MutableMapping[str, str] | None,
) -> int:
    check_index_folder(folder)
    paths = [folder.absolute() / f"{sample_id}.{extension}" for sample_id, extension in samples]
    keys = [(sample_key(job, *sample), sample[0]) for sample in samples]
    wanted = [(key, digest, path) for (key, digest), path in zip(keys, paths, strict=True)]
    faults: dict[str, SednaError] = {}
    if problems is None:
        cache.place_all(store, wanted)
    else:
        faults = cache.place_each(store, wanted)
        problems.update({digest: str(faults[key]) for key, digest in keys if key in faults})
    lines = [
        format_line(str(path), annotation)
        for (key, _), path, annotation in zip(keys, paths, annotations, strict=True)
        if key not in faults
    ]
    with os_errors(str(index_path), writing=True):
        index_path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(index_path, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)
