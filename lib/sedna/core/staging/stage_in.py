"""Inputs of an order, from the store into the folder of its worker."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sedna.common.atomic import sha256_file
from sedna.common.errors import IntegrityError, NotFoundError, SednaError
from sedna.common.log import LOGGER
from sedna.common.validation import first_fault
from sedna.core.staging.folder import WorkFolder
from sedna.core.staging.order import WorkOrder, read_unlabelled
from sedna.core.staging.problems import check_problems, store_problems
from sedna.store.datasets import read_dataset
from sedna.store.download import stream_to_file
from sedna.store.file_sets import FileStore, StoredFile
from sedna.store.materialise import check_index_folder, materialise, materialise_unlabelled
from sedna.store.node_cache import NodeCache
from sedna.store.oserrors import os_errors

__all__ = ["checkpoint_manifest_key", "read_checkpoints", "stage_in"]

_CHECKPOINTS = TypeAdapter(tuple[StoredFile, ...])


def stage_in(order: WorkOrder, store: FileStore, folder: WorkFolder, cache: NodeCache) -> None:
    """Bring everything that ``order`` names into ``folder``, verified. Done again, it gives the same folder.

    What an earlier start has left goes first, its output above all: half a model must not be taken for a result. Its
    checkpoints stay, for they are newer than those in the store. The index comes last: where it is, all is there.

    Samples whose bytes are missing from the store or damaged are left out, and named in the attempt's results.

    Raises:
        SpecError: the path of the folder holds white space, which a txt index cannot express.
        NotFoundError, IntegrityError: another input is gone or damaged, or most samples are.
        TemporaryError: the store does not answer, or the disk is full.
    """
    check_index_folder(folder.samples)  # before the models: it needs no download to be known
    _make_empty(order, folder)
    entries = order.samples(read_dataset(store, order.dataset))
    files = [
        (file.key, file.sha256, folder.model(model.role) / file.name) for model in order.models for file in model.files
    ]
    cache.place_all(store, [*files, *_modules_to_fetch(order, folder)])
    if order.checkpoints is not None:
        _restore_checkpoints(order.checkpoints, store, folder.checkpoints)
    problems: dict[str, str] = {}
    if order.unlabelled is not None:
        listed = read_unlabelled(store.get(order.unlabelled.key), order.unlabelled.key)
        samples = ((sample.sample_id, sample.extension) for sample in listed)
        materialise_unlabelled(store, order.job, samples, cache, folder.samples, folder.unlabelled, problems=problems)
    unlabelled = frozenset(problems)
    try:
        materialise(store, order.job, entries, cache, folder.samples, folder.index(order), problems=problems)
        check_problems({name: text for name, text in problems.items() if name not in unlabelled}, len(entries))
    except SednaError:
        folder.index(order).unlink(missing_ok=True)
        raise
    finally:
        store_problems(order, store, problems)
    LOGGER.info("%s: %d samples and %d models are here", order.worker, len(entries), len(order.models))


def checkpoint_manifest_key(prefix: str) -> str:
    """Which files the newest whole checkpoint consists of; written after them."""
    return f"{prefix}manifest.json"


def read_checkpoints(store: FileStore, prefix: str) -> tuple[StoredFile, ...]:
    """The files of the newest checkpoint in the store; none, if no training has left one.

    Raises:
        IntegrityError: what is there is not a list of files.
    """
    key = checkpoint_manifest_key(prefix)
    try:
        return _CHECKPOINTS.validate_json(store.get(key))
    except NotFoundError:
        return ()
    except ValidationError as error:
        raise IntegrityError(f"no list of checkpoints: {first_fault(error)}", where=key) from error


def _make_empty(order: WorkOrder, folder: WorkFolder) -> None:
    with os_errors(str(folder.root), writing=True):
        for path in (folder.samples, folder.models, folder.modules, folder.output):
            if path.exists():
                shutil.rmtree(path)
        for path in (folder.index(order), folder.unlabelled, folder.report, folder.progress):
            path.unlink(missing_ok=True)
        for path in (folder.samples, folder.output, folder.checkpoints):
            path.mkdir(parents=True, exist_ok=True)


def _modules_to_fetch(order: WorkOrder, folder: WorkFolder) -> Iterator[tuple[str, str, Path]]:
    """What has to be fetched of the user's modules: nothing where the file itself is on this machine, unchanged.

    The link leads to the file in its own folder, so that it can import its neighbours, as it does where it was written.
    """
    wanted = [(order.module, order.algorithm, folder.module(order))]
    wanted += [(model.module, model.algorithm, folder.module_of(model)) for model in order.models]
    for stored, algorithm, target in wanted:
        if stored is None or algorithm is None or target is None:
            continue
        if not _linked(Path(str(algorithm.module)), stored.sha256, target):
            yield stored.key, stored.sha256, target


def _linked(own: Path, sha256: str, target: Path) -> bool:
    with contextlib.suppress(OSError):  # another machine's path: the copy serves
        if own.is_file() and sha256_file(own) == sha256:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(own.absolute())
            return True
    return False


def _restore_checkpoints(prefix: str, store: FileStore, target: Path) -> None:
    """Files of their own and no links to the cache: a training writes over its checkpoints."""
    if any(target.iterdir()):
        return
    for file in read_checkpoints(store, prefix):
        stream_to_file(store.open(file.key), target / file.name, sha256=file.sha256, size=file.size)
