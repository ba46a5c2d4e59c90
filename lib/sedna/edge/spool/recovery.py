"""What opening a spool repairs: every half-done step of a process that was killed or lost its power."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from datetime import datetime

from sedna.common.atomic import fsync_dir
from sedna.edge.spool.files import SpoolFiles
from sedna.edge.spool.index import IndexDamagedError, Row, SpoolIndex
from sedna.edge.spool.values import SpoolState

__all__ = ["open_index", "reconcile"]

LOG = logging.getLogger("sedna.edge.spool")


def open_index(files: SpoolFiles, now: datetime) -> SpoolIndex:
    """The index; if it is damaged or lost, what is left of it and the images are moved aside and an empty one is made.

    Without its rows nobody knows what the images are, so they are kept for a person to look at, in
    ``damaged-{time}/``, and do not count for the quota.
    """
    # Looked at before the index is opened: opening makes an empty one, beside which all these images would be leftovers
    # and be deleted.
    lost = not files.index.exists() or files.index.stat().st_size == 0
    if lost and any(True for _ in files.all()):
        _set_aside(files, now, "it is missing or empty")
    try:
        return SpoolIndex(files.index)
    except IndexDamagedError as error:
        _set_aside(files, now, str(error))
        return SpoolIndex(files.index)


def _set_aside(files: SpoolFiles, now: datetime, why: str) -> None:
    aside = files.folder / f"damaged-{now:%Y%m%dT%H%M%S.%f}"
    aside.mkdir()
    images = sum(1 for _ in files.all())
    for path in list(files.folder.iterdir()):
        if path.name.startswith("index.sqlite3") or path.name in ("images", "rejected", "quarantine"):
            path.rename(aside / path.name)
    # On the disk before a new index is made: a power cut must not leave the new index beside the old images.
    fsync_dir(files.folder)
    LOG.error("the spool's index is damaged (%s): it and %d images were moved to %s", why, images, aside)


def reconcile(files: SpoolFiles, index: SpoolIndex) -> Iterator[Row]:
    """Make files and rows agree again; yields the rows whose image is gone or torn, with the reason.

    - a file without a row, or of an uploaded sample: the crash came before the acknowledgement, or after the upload;
      it is deleted;
    - a file in the folder of another state than its row's: the move is finished;
    - a row without a file, or with one of another size: damaged.
    """
    deleted = 0
    # Files first, rows second: a move that is finished here makes its row agree below.
    for state, job, path in files.all():
        row = index.find(job, path.stem) if job is not None else None
        if row is None or row.file_name != path.name or row.state is SpoolState.DONE:
            # Nobody misses it: the cloud has it, or `add`, which answers only when the row is written, never answered.
            path.unlink(missing_ok=True)
            deleted += 1
        elif row.state is not state and not files.path(row).exists():
            files.move(row, row.state)
    if deleted:
        LOG.info("removed %d leftover files of an interrupted run", deleted)
    for row in index.in_order(SpoolState.PENDING):
        size = files.size(row)
        if size != row.size:
            reason = "its file is gone" if size is None else f"its file has {size} bytes instead of {row.size}"
            yield dataclasses.replace(row, reason=reason, size=size or 0)
