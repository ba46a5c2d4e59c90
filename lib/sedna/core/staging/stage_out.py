"""Results of an order, from the folder of its worker into the store: content first, the result that lists it last."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, JsonValue, ValidationError

from sedna.common.errors import ConflictError, DataError, IntegrityError, NotFoundError
from sedna.common.log import LOGGER
from sedna.common.types import Value
from sedna.common.validation import as_error, first_fault
from sedna.core.report import MAX_REPORT_BYTES, parse_report
from sedna.core.staging.folder import WorkFolder
from sedna.core.staging.order import WorkOrder
from sedna.core.staging.stage_in import checkpoint_manifest_key, read_checkpoints
from sedna.store.file_sets import FileEntry, FileStore, LocalFile, StoredFile, list_files, upload

__all__ = [
    "CheckpointKeeper",
    "WorkEnd",
    "WorkResult",
    "load_end",
    "load_failure",
    "load_result",
    "may_write",
    "output_key",
    "store_end",
    "store_failure",
    "store_result",
]

_Stored = TypeVar("_Stored", bound=Value)

_MAX_NOTE_BYTES = 2 * MAX_REPORT_BYTES
"""A result is a report and a list of files; written anew its numbers may take more room than as they were sent."""

_PAUSE_FACTOR = 20
"""Storing checkpoints takes at most a twentieth of the time: they are large, and the training needs the disk too."""


class WorkResult(Value):
    """What a worker made, once all of it is in the store."""

    result_format: int = 1
    worker: str
    report: dict[str, JsonValue] = Field(description="as the worker sent it")
    output: tuple[StoredFile, ...] = Field(default=(), description="files of the model")
    entry: str = Field(default="", description='file of the output that the report names as the model; "" = none')
    forms: dict[str, str] = Field(default_factory=dict, description='file or folder by reported format; "" = all')


class WorkEnd(Value):
    """How the program of a worker ended; negative: by that signal."""

    exit_code: int


def output_key(prefix: str, file: FileEntry) -> str:
    """Where a file of the output of an attempt lies: nowhere else, for a result that names other keys is forged."""
    return f"{prefix}files/{file.sha256}/{file.name}"


def may_write(order: WorkOrder, key: str) -> bool:
    """Whether the worker of ``order`` may write an object: its notes by their names, files, and checkpoints.

    No other names: what the service writes beside them must always find its place free.
    """
    notes = {f"{order.prefix}{name}.json" for name in ("result", "failure", "end", "problems")}
    folders = [f"{order.prefix}files/"]
    if order.checkpoints is not None:
        notes.add(checkpoint_manifest_key(order.checkpoints))
        folders.append(f"{order.checkpoints}files/")
    return key in notes or key.startswith(tuple(folders))


def store_result(order: WorkOrder, store: FileStore, folder: WorkFolder, report: dict[str, Any]) -> WorkResult:
    """Store the output and, after it, the result. The first result of an attempt stays.

    Raises:
        DataError: the output holds links, devices or names that no store takes; or the report holds what is no JSON.
        ConflictError: the output changes while it is stored.
        TemporaryError: the store does not answer, or is full.
    """
    local = _output(folder) if order.kind == "train" else []
    output = upload(store, local, lambda file: output_key(order.prefix, file))
    results = report.get("results")
    entries = [one for one in results if isinstance(one, dict)] if isinstance(results, list) else []
    try:
        made = WorkResult(
            worker=order.worker,
            report=report,
            output=output,
            entry=_entry(folder, entries[0].get("url")) if entries else "",
            forms=_forms(folder, entries),
        )
    except ValidationError as error:
        raise as_error(DataError, error, order.worker, what="the report cannot be read") from error
    if store.put_if_absent(_result_key(order.prefix), _encoded(made)):
        return made
    existing = load_result(store, order.prefix)
    assert existing is not None, "it was there a moment ago"
    return existing


def store_failure(order: WorkOrder, store: FileStore, report: dict[str, Any]) -> None:
    """Keep the report of a worker that says that it failed; the last one counts."""
    # Escaped: messages may name files whose names are no UTF-8.
    store.put(f"{order.prefix}failure.json", json.dumps(report).encode())


def store_end(order: WorkOrder, store: FileStore, exit_code: int) -> None:
    """Say how the program ended; after everything else."""
    store.put(f"{order.prefix}end.json", WorkEnd(exit_code=exit_code).model_dump_json().encode())


def load_result(store: FileStore, prefix: str) -> WorkResult | None:
    """The result of an attempt, or None. Whatever is below the prefix without one does not count.

    Raises:
        IntegrityError: what is there is no result.
    """
    return _load(store, _result_key(prefix), WorkResult)


def load_failure(store: FileStore, prefix: str) -> dict[str, Any] | None:
    """The report of an attempt that said that it failed, or None.

    Raises:
        IntegrityError: what is there is no report.
    """
    key = f"{prefix}failure.json"
    try:
        return parse_report(_read(store, key))
    except NotFoundError:
        return None
    except ValueError as error:
        raise IntegrityError(f"no report: {error}", where=key) from error


def load_end(store: FileStore, prefix: str) -> WorkEnd | None:
    """How the program of an attempt ended, or None while it runs, or when nobody was left to say.

    Raises:
        IntegrityError: what is there says something else.
    """
    return _load(store, f"{prefix}end.json", WorkEnd)


def _load(store: FileStore, key: str, kind: type[_Stored]) -> _Stored | None:
    try:
        return kind.model_validate_json(_read(store, key))
    except NotFoundError:
        return None
    except ValidationError as error:
        raise IntegrityError(f"no {kind.__name__}: {first_fault(error)}", where=key) from error


def _read(store: FileStore, key: str) -> bytes:
    """A note of a worker, within a bound: users' code may have written it, and the service reads it."""
    with store.open(key) as stream:
        data = stream.read(_MAX_NOTE_BYTES + 1)
    if len(data) > _MAX_NOTE_BYTES:
        raise IntegrityError(f"it has more than {_MAX_NOTE_BYTES} bytes", where=key)
    return data


def _encoded(made: WorkResult) -> bytes:
    try:
        return made.model_dump_json().encode()
    except ValueError as error:  # text that no UTF-8 expresses, values nested too deeply
        raise DataError(f"the report cannot be stored: {error}", where=made.worker) from error


def _result_key(prefix: str) -> str:
    return f"{prefix}result.json"


def _output(folder: WorkFolder) -> list[LocalFile]:
    if folder.output.is_symlink():
        hint = "write into the folder that MODEL_URL names"
        raise DataError("the output folder was replaced by a link", where=str(folder.output), hint=hint)
    if not any(path.is_file() or path.is_symlink() for path in folder.output.rglob("*")):
        return []
    return list_files(folder.output)


def _entry(folder: WorkFolder, url: object) -> str:
    """The file that the worker named as its model, relative to the output; empty when it named no file there."""
    if isinstance(url, str) and url:
        named = folder.reported(url)
        if named.is_relative_to(folder.output) and named.is_file():
            return named.relative_to(folder.output).as_posix()
    return ""


def _forms(folder: WorkFolder, results: list[dict[str, Any]]) -> dict[str, str]:
    """Which file or folder of the output was reported as which form of the model; "" is the whole folder."""
    forms: dict[str, str] = {}
    for result in results:
        form, url = result.get("format"), result.get("url")
        if isinstance(form, str) and form and isinstance(url, str) and url:
            named = folder.reported(url)
            if named.is_relative_to(folder.output) and named.exists():
                inside = named.relative_to(folder.output).as_posix()
                forms.setdefault(form, "" if inside == "." else inside)
    return forms


class CheckpointKeeper:
    """Brings checkpoints into the store while the training runs, so that its machine may be lost.

    Files are stored when two looks have found them unchanged: whoever writes them has closed them then, or writes so
    slowly that `upload` notices. One that was renamed into its place is whole at once: programs that write a checkpoint
    a second would never be found unchanged. The list of files comes after them; what no list names any more goes last.
    """

    def __init__(self, order: WorkOrder, store: FileStore, folder: WorkFolder) -> None:
        self._prefix = order.checkpoints
        self._store = store
        self._folder = folder.checkpoints
        self._looked: dict[str, tuple[int, int]] = {}
        self._stored: dict[str, tuple[int, int]] = {}
        self._not_before = 0.0
        self._lock = threading.Lock()

    def look(self, *, at_last: bool = False, hurry: bool = False) -> None:
        """Store the checkpoint if it is another one than before, and whole.

        Args:
            at_last: the training has ended: nothing changes any more, and it cannot wait.
            hurry: it is about to be ended, whatever storing costs it.

        Raises:
            TemporaryError: the store does not answer, or is full.
        """
        with self._lock:
            found, renamed = _stamps(self._folder)
            still = self._is_whole(found, renamed)
            self._looked = found
            if self._prefix is None or not found or found == self._stored:
                return
            if at_last or (still and (hurry or time.monotonic() >= self._not_before)):
                started = time.monotonic()
                if self._store_files(self._prefix):
                    self._stored = found
                self._not_before = started + (_PAUSE_FACTOR + 1) * (time.monotonic() - started)

    def _is_whole(self, found: dict[str, tuple[int, int]], renamed: set[str]) -> bool:
        changed = {path for path in found if self._looked.get(path) != found[path]}
        if self._looked.keys() - found.keys():
            return False
        # Of several that changed, one may belong to another checkpoint than the others.
        return not changed or (len(changed) == 1 and changed <= renamed)

    def _store_files(self, prefix: str) -> bool:
        before = read_checkpoints(self._store, prefix)
        try:
            files = upload(self._store, list_files(self._folder), lambda file: _checkpoint_key(prefix, file))
        except (ConflictError, DataError, NotFoundError) as error:
            LOGGER.info("the checkpoint is still being written: %s", error)
            return False
        body = json.dumps([file.model_dump() for file in files]).encode()
        self._store.put(checkpoint_manifest_key(prefix), body)
        for key in {file.key for file in before} - {file.key for file in files}:
            self._store.delete(key)
        return True


def _checkpoint_key(prefix: str, file: FileEntry) -> str:
    return f"{prefix}files/{file.sha256}/{file.name}"


def _stamps(folder: Path) -> tuple[dict[str, tuple[int, int]], set[str]]:
    """Time of change (ns) and size of every file, by path; and which of them were renamed since they were written.

    A write sets the times of content and inode alike, a rename that of the inode alone.
    """
    found, renamed = {}, set()
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                stat = path.stat()
                found[str(path)] = (stat.st_mtime_ns, stat.st_size)
                if stat.st_ctime_ns > stat.st_mtime_ns:
                    renamed.add(str(path))
        except FileNotFoundError:  # renamed since the folder was read
            continue
    return found, renamed
