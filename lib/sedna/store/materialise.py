"""From a dataset version to what a worker reads: images in a local folder and a txt index that lists them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sedna.common.atomic import sha256_file, write_atomic
from sedna.common.errors import IntegrityError, SpecError
from sedna.common.types import Annotation, JobKey
from sedna.labels.txt import format_line
from sedna.store.base import ObjectStore
from sedna.store.dataset_values import DatasetEntry, DatasetPart
from sedna.store.download import stream_to_file
from sedna.store.layout import sample_key
from sedna.store.oserrors import os_errors

__all__ = ["SampleCache", "materialise", "materialise_unlabelled"]

_PARALLEL = 8  # downloads at a time: enough to hide the latency of an object store


@dataclass(frozen=True)
class SampleCache:
    """Samples of ``job`` from ``store`` in a local folder, ``<folder>/<first two of the id>/<id>.<extension>``.

    Samples are named by their content, so a cached file is right or damaged, never old; several processes and jobs
    can share the folder.
    """

    store: ObjectStore
    job: JobKey
    folder: Path

    def fetch(self, sample_id: str, extension: str) -> Path:
        """The absolute path of a sample's file; downloaded if it is missing or its bytes have changed.

        Raises:
            NotFoundError: the store has no such sample.
            IntegrityError: the store's bytes are not the sample's; nothing is left in the cache.
        """
        path = self.folder.absolute() / sample_id[:2] / f"{sample_id}.{extension}"
        with os_errors(str(path), writing=True):
            if path.is_file() and sha256_file(path) == sample_id:
                return path
            path.unlink(missing_ok=True)
        key = sample_key(self.job, sample_id, extension)
        try:
            stream_to_file(self.store.open(key), path, sha256=sample_id)
        except IntegrityError as error:
            raise IntegrityError("the store's bytes are not the sample's", where=f"{self.store.url}/{key}") from error
        return path

    def fetch_all(self, samples: Iterable[tuple[str, str]]) -> list[Path]:
        """`fetch` for many (sample id, extension), several at a time; paths in the same order."""
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="sample-cache") as pool:
            pending = [pool.submit(self.fetch, *sample) for sample in samples]
            try:
                return [future.result() for future in pending]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def materialise(
    store: ObjectStore,
    job: JobKey,
    entries: Iterable[DatasetEntry],
    cache_dir: Path,
    index_path: Path,
    *,
    parts: Collection[DatasetPart] = tuple(DatasetPart),
) -> int:
    """Fetch the images of dataset entries and write the index that upstream's workers read.

    A line is ``<absolute path> x1,y1,x2,y2,label ...`` in whole pixels, ``<path> label`` for whole-image labels, or
    the path alone for an image that shows nothing. The stem of the file name is the sample id. Lines are in the order
    of the entries. The index appears only when all its images are there and verified.

    Args:
        parts: which samples to take.

    Returns:
        the number of lines.

    Raises:
        SpecError: ``cache_dir`` holds white space, which the index cannot express.
        NotFoundError, IntegrityError: see `SampleCache.fetch`. The index is not written.
        StorageFullError: the disk is full, likewise.
    """
    wanted = [entry for entry in entries if entry.part in parts]
    samples = [(entry.sample_id, entry.extension) for entry in wanted]
    return _write_index(SampleCache(store, job, cache_dir), samples, [e.annotation for e in wanted], index_path)


def materialise_unlabelled(
    store: ObjectStore, job: JobKey, samples: Iterable[tuple[str, str]], cache_dir: Path, index_path: Path
) -> int:
    """Fetch samples, given as (sample id, extension), and write an index of their paths alone.

    Whether a path alone means "shows nothing" or "not labelled" is up to who reads the index: this one is for
    learning from unlabelled data. Returns and raises as `materialise`.
    """
    listed = list(samples)
    return _write_index(SampleCache(store, job, cache_dir), listed, [Annotation()] * len(listed), index_path)


def _write_index(
    cache: SampleCache, samples: list[tuple[str, str]], annotations: list[Annotation], index_path: Path
) -> int:
    folder = str(cache.folder.absolute())
    if len(folder.split()) != 1 or folder != folder.strip():
        raise SpecError("the cache folder holds white space", where=repr(folder), hint="txt lines are split there")
    paths = cache.fetch_all(samples)
    lines = [format_line(str(path), annotation) for path, annotation in zip(paths, annotations, strict=True)]
    with os_errors(str(index_path), writing=True):
        index_path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(index_path, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)
