"""Label one sample."""

from __future__ import annotations

from datetime import datetime

from globalmanager.db import Database, jobs, samples
from globalmanager.db.values import SampleRow
from sedna.common.types import Annotation, JobKey
from sedna.labels.items import ImageLabels
from sedna.labels.validate import RawBox


def label_sample(
    db: Database, key: JobKey, sample_id: str, annotation: Annotation, author: str, now: datetime
) -> SampleRow:
    """Say what a sample shows. Saying it again replaces the label and keeps the earlier one in its history.

    Raises:
        NotFoundError: there is no such job or sample.
        DataError: a box lies outside the image, or a class is not one of the job's.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        row = samples.get(session, job.id, sample_id)
        labels = ImageLabels(tuple(RawBox.of(box) for box in annotation.boxes), annotation.label)
        size = (row.record.width, row.record.height)
        possible, _ = labels.annotation(size, job.spec.class_names, where=f"sample {sample_id}")
        return samples.add_label(session, job.id, sample_id, possible, author, now)
