"""Checkpoints, from which a killed test case goes on: all that the rest of it depends on, saved after each piece.

The basemodel is kept whole if it can be pickled. One that cannot (it holds a session, a lock, a lambda) goes on as
production's workers do, each of which begins with what ``save`` wrote and no more; the result says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ianvs.cases.meters import CaseMeter, ResourceUsage
from ianvs.cases.seeding import random_states, set_random_states
from sedna.common.atomic import write_atomic
from sedna.common.errors import ConflictError, DataError

LOG = logging.getLogger("ianvs")
CHECKPOINT, LOCK = "checkpoint.pickle", ".running"
FORMAT = 2
"""Raised whenever a class in a checkpoint moves or changes: pickles name classes by module. An older checkpoint then
counts as none, and its test case starts anew, instead of failing."""


@dataclass(frozen=True)
class CaseState:
    """The state that an earlier process saved after ``pieces`` of the stream. ``estimator`` is None if it could not be
    pickled, or the paradigm has none."""

    pieces: int
    parts: Any
    estimator: Any = None


@dataclass(frozen=True)
class _StoredCheckpoint:
    pieces: int
    usage: ResourceUsage
    random: bytes
    parts: bytes
    estimator: bytes | None
    notes: tuple[str, ...]


@dataclass
class Checkpoints:
    """The checkpoint of one test case.

    Args:
        folder: of the test case.
        key: of the test case; a checkpoint of another one is not taken.
        meter: goes on from what the earlier process used.
    """

    folder: Path
    key: str
    meter: CaseMeter
    notes: list[str] = field(default_factory=list)

    def save(self, pieces: int, parts: Any, estimator: Any = None) -> None:
        """Replace the checkpoint by that of ``parts`` after ``pieces`` of the stream.

        Answers of user code are part of the state. If they cannot be pickled, the earlier checkpoint stays, and a note
        says so.
        """
        # Two pickles, so that a basemodel that cannot be pickled does not cost the rest.
        kept = self._pickled(parts, "what it answered", "a resumed run begins at an earlier piece")
        if kept is None:
            return
        known = None
        if estimator is not None:
            known = self._pickled(estimator, "the basemodel", "a resumed run begins a piece with what save() wrote")
        stored = _StoredCheckpoint(
            pieces=pieces,
            usage=self.meter.usage(),
            random=pickle.dumps(random_states()),
            parts=kept,
            estimator=known,
            notes=tuple(self.notes),
        )
        write_atomic(self.folder / CHECKPOINT, _framed(self.key, pickle.dumps(stored)))

    def restore(self) -> CaseState | None:
        """The checkpoint, if there is one. Random generators and the meter are set to where they were, so call this
        when everything else is made.

        Raises:
            DataError: it was written by other code, and cannot be read.
        """
        path = self.folder / CHECKPOINT
        data = _payload(path, self.key)
        if data is None:
            return None
        try:
            stored: _StoredCheckpoint = pickle.loads(data)  # noqa: S301 - written by this user's own run, which runs their code
            kept = CaseState(stored.pieces, pickle.loads(stored.parts), self._unpickled(stored.estimator))  # noqa: S301
            # Last, as unpickling may run code of the user that draws numbers.
            set_random_states(pickle.loads(stored.random))  # noqa: S301
        except (pickle.UnpicklingError, AttributeError, ImportError, TypeError, EOFError, IndexError) as error:
            raise DataError(
                f"the checkpoint cannot be read: {error}", where=str(path), hint="delete it to start this case anew"
            ) from error
        self.meter.carry(stored.usage)
        self.notes[:0] = stored.notes
        self.notes.append(f"resumed after piece {kept.pieces}")
        return kept

    def _pickled(self, value: Any, what: str, then: str) -> bytes | None:
        try:
            return pickle.dumps(value)
        except Exception as error:  # __reduce__ and __getstate__ are the user's, and may raise anything
            LOG.debug("%s cannot be pickled", what, exc_info=True)
            self._add_note(f"{what} cannot be pickled ({type(error).__name__}: {error}); {then}")
            return None

    def _unpickled(self, data: bytes | None) -> Any:
        if data is None:
            return None
        try:
            return pickle.loads(data)  # noqa: S301 - as above
        except Exception as error:
            LOG.debug("the basemodel cannot be unpickled", exc_info=True)
            self._add_note(
                f"the basemodel cannot be unpickled ({type(error).__name__}: {error}); save()'s file is used"
            )
            return None

    def _add_note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def is_resumable(folder: Path, key: str) -> bool:
    """Whether a whole checkpoint of the test case ``key`` is in ``folder``, and no process is working on it."""
    if _payload(folder / CHECKPOINT, key) is None:
        return False
    try:
        with locked_folder(folder):
            return True
    except ConflictError:
        return False


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a test case's folder; the system releases the lock when the process ends, however it ends.

    Raises:
        ConflictError: another process holds it.
    """
    # A lock of the system, not a file with a process id: it ends with its process, and ids are given out again.
    with (folder / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError("another process runs this test case", where=str(folder)) from error
        yield


def _framed(key: str, data: bytes) -> bytes:
    """Format, key, checksum and content: a file that a power cut left half written is not taken for a checkpoint."""
    return _head(key, data).encode() + b"\n" + data


def _head(key: str, data: bytes) -> str:
    return f"{FORMAT} {key} {hashlib.sha256(data).hexdigest()}"


def _payload(path: Path, key: str) -> bytes | None:
    """The content of a checkpoint; None if there is none, or it is damaged or another test case's."""
    try:
        head, _, data = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return data if head.decode(errors="replace") == _head(key, data) else None
