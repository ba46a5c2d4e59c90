"""A labeller that knows the truth: for demonstrations and benchmarks on public data sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from globalmanager.db import Database, jobs, sample_labels, samples
from globalmanager.db.label_values import LabelSource
from globalmanager.db.values import SampleFilter
from sedna.common.errors import DataError, NotFoundError
from sedna.common.types import Annotation, Box, JobKey, Sha256
from sedna.common.validation import as_error

_PAGE = 200


class _LabelledBoard(BaseModel):
    """An image of a manifest, by the sha256 of its file. ``boxes``: x1, y1, x2, y2 in pixels, label."""

    model_config = ConfigDict(extra="ignore")

    sha256: Sha256 | None = None
    boxes: tuple[tuple[float, float, float, float, int], ...] | None = None
    label: int | None = None

    def annotation(self) -> Annotation:
        boxes = tuple(Box(x1=x1, y1=y1, x2=x2, y2=y2, label=label) for x1, y1, x2, y2, label in self.boxes or ())
        return Annotation(boxes=boxes, label=self.label)


class _LabelManifest(BaseModel):
    model_config = ConfigDict(extra="ignore")

    boards: tuple[_LabelledBoard, ...]


class Oracle:
    """Labels samples from a list of annotations by sample id; passes over the ones that it does not know."""

    def __init__(self, known: Mapping[str, Annotation], *, author: str = "oracle") -> None:
        self._known = dict(known)
        self._author = author
        self._passed: dict[JobKey, str] = {}

    @classmethod
    def from_manifest(cls, path: Path, *, author: str = "oracle") -> Self:
        """Read ``{"boards": [{"sha256", "boxes": [[x1, y1, x2, y2, label], ...]} | {"sha256", "label"}, ...]}``.

        Raises:
            NotFoundError: there is no such file.
            DataError: it is not such a manifest.
        """
        try:
            manifest = _LabelManifest.model_validate_json(path.read_bytes())
            known = {board.sha256: board.annotation() for board in manifest.boards if board.sha256 is not None}
        except FileNotFoundError as error:
            raise NotFoundError("there is no such manifest", where=str(path)) from error
        except ValidationError as error:
            raise as_error(DataError, error, str(path), hint="a manifest of boards") from error
        return cls(known, author=author)

    def label(self, db: Database, key: JobKey, now: datetime, limit: int = 1000) -> int:
        """Label the oldest unlabelled samples of a job, ``limit`` at most. Returns how many.

        Raises:
            NotFoundError: there is no such job.
        """
        done = 0
        # A transaction per page: edges and engine write in between.
        while done < limit:
            with db.write() as session:
                job = jobs.get(session, key)
                page = samples.list_page(
                    session,
                    job.id,
                    SampleFilter(labelled=False),
                    limit=min(_PAGE, limit - done),
                    cursor=self._passed.get(key),
                    newest_first=False,
                )
                for row in page.items:
                    annotation = self._known.get(row.record.sample_id)
                    if annotation is not None:
                        sample_labels.add_label(
                            session,
                            job.id,
                            row.record.sample_id,
                            annotation,
                            self._author,
                            now,
                            source=LabelSource.ORACLE,
                        )
                        done += 1
            if page.items:
                self._passed[key] = str(page.items[-1].id)  # older ones are labelled, or unknown for good
            if page.next is None:
                return done
        return done
