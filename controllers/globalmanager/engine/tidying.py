"""What finished rounds leave on the service's disk: kept while somebody may look, not for ever.

A model, an evaluation and a dataset version are in the object store. What workers leave beside them only serves to look
into a round: checkpoints and the output folder go with its end, inputs, reports and logs after some more rounds. Models
fetched for workers are kept as long as the next round may need them.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from globalmanager.db import workers
from globalmanager.db.values import JobRow
from globalmanager.engine.inputs import CHECKPOINTS, OUTPUT
from globalmanager.engine.seams import EngineSeams

__all__ = ["tidy"]

_NEWEST_MODELS = 2
"""Kept beside those that the next round needs: the last two that were compared."""

LOGGER = logging.getLogger("sedna.globalmanager.engine")


def tidy(seams: EngineSeams, job: JobRow) -> None:
    """Delete what the finished rounds of a job need no more; harmless at any time, also after a crash half-way."""
    with seams.db.read() as session:
        busy = {row.round for row in workers.active(session, job.id)}
    if job.state.current is not None:
        busy.add(job.state.current.id)
    for path in _rounds(seams, job, busy):
        _delete(path)
    for path in _models(seams, job):
        _delete(path)


def _rounds(seams: EngineSeams, job: JobRow, busy: set[int]) -> Iterator[Path]:
    oldest_kept = job.state.next_round - seams.settings.work_rounds_kept
    for number, folder in _numbered(seams.job_dir(job)):
        if number in busy:
            continue
        if number < oldest_kept:
            yield folder
            continue
        yield from folder.glob(f"{CHECKPOINTS}*")
        yield from folder.glob(f"*/{OUTPUT}")


def _models(seams: EngineSeams, job: JobRow) -> Iterator[Path]:
    found = dict(_numbered(seams.models_dir(job)))
    needed = {job.state.champion, job.state.last_candidate, *sorted(found)[-_NEWEST_MODELS:]}
    for version, folder in found.items():
        if job.deleted_at is not None or version not in needed:
            yield folder


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    if folder.is_dir():
        yield from ((int(path.name), path) for path in sorted(folder.iterdir()) if path.name.isdecimal())


def _delete(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:  # it costs space, and is tried again when the next round has ended
        LOGGER.warning("%s cannot be deleted: %s", path, error)
