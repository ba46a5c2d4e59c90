"""Label one sample."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import Database, events, jobs, sample_labels, samples
from globalmanager.db.values import SampleRow
from globalmanager.labelling.kinds import check_kind, kind_of
from sedna.common.types import Annotation, JobKey
from sedna.labels.items import ImageLabels
from sedna.labels.validate import RawBox


def label_sample(
    db: Database,
    key: JobKey,
    sample_id: str,
    annotation: Annotation,
    author: str,
    now: datetime,
    *,
    holdout: bool = False,
) -> SampleRow:
    """Say what a sample shows. Saying it again replaces the label and keeps the earlier one in its history.

    Args:
        holdout: whether a label of the frozen hold-out may change.

    Raises:
        NotFoundError: there is no such job or sample.
        DataError: a box lies outside the image, a class is not one of the job's, it is a class of the whole image where
            the job's labels are boxes or the other way round, or the sample is frozen hold-out.
        ConflictError: the sample was excluded.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        row = samples.get(session, job.id, sample_id)
        labels = ImageLabels(tuple(RawBox.of(box) for box in annotation.boxes), annotation.label)
        size = (row.record.width, row.record.height)
        possible = labels.annotation(size, job.spec.class_names, where=f"sample {sample_id}")
        check_kind(kind_of(session, job), possible, f"sample {sample_id}")
        changes = row.part == "holdout" and row.label is not None and row.label.annotation != possible
        labelled = sample_labels.add_label(session, job.id, sample_id, possible, author, now, holdout=holdout)
        if changes:
            events.holdout_changed(session, job.id, 1, author, now)
        return labelled
