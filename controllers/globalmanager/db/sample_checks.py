"""Which models are right about which samples, and which classes are in them: for lists that ask for it.

Rules: a check is about the current label; another label ends the checks of before, but for that of the answer which the
edge recorded. A newer evaluation of a model replaces an older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from globalmanager.db.tables import Sample, SampleCheck, SampleClass
from globalmanager.db.values import CheckRow
from sedna.common.types import MAX_LABEL, Annotation, Picked, Prediction, SampleRecord
from sedna.loop.audit import count_sample
from sedna.loop.evidence import SampleScore

T = TypeVar("T")

KEPT_VERSIONS: Final = 20
"""The newest models whose checks are kept: with every model there ever was they would outgrow the samples."""

_BATCH: Final = 500
_MOST_CLASSES: Final = 100


def arrived(session: Session, sample: Sample, record: SampleRecord) -> None:
    """Note the classes that a new sample was predicted to have."""
    _set_classes(session, sample, _predicted(record.prediction))


def labelled(session: Session, sample: Sample, annotation: Annotation) -> tuple[int, int, int]:
    """Note what another label changes.

    Returns:
        tp, fp and fn of the recorded prediction.
    """
    record = SampleRecord.model_validate(sample.record)
    counts = count_sample(record.prediction, annotation)
    _set_classes(session, sample, _predicted(record.prediction) | annotation.classes)
    session.execute(delete(SampleCheck).where(SampleCheck.sample_pk == sample.id))
    check = _check_of_answer(sample, counts)
    if check:
        session.execute(insert(SampleCheck), check)
    return counts


def unlabelled(session: Session, sample: Sample) -> None:
    """Note that a sample has no label any more: nothing can be right or wrong about it."""
    session.execute(delete(SampleCheck).where(SampleCheck.sample_pk == sample.id))
    _set_classes(session, sample, _predicted(SampleRecord.model_validate(sample.record).prediction))


def filled_in(session: Session, rows: Sequence[tuple[Sample, SampleRecord, Annotation | None]]) -> None:
    """Note what samples of a program of before, at most 500, and their labels say; what is known of models stays."""
    names = [sample.id for sample, _, _ in rows]
    session.execute(delete(SampleClass).where(SampleClass.sample_pk.in_(names)))
    query = select(SampleCheck.sample_pk, SampleCheck.version).where(SampleCheck.sample_pk.in_(names))
    known = {(sample_pk, version) for sample_pk, version in session.execute(query)}
    classes: list[Mapping[str, int]] = []
    checks: list[Mapping[str, object]] = []
    for sample, record, label in rows:
        classes += _class_rows(sample, _predicted(record.prediction) | (label.classes if label else set()))
        if label is not None and (sample.id, sample.model_version) not in known:
            checks += _check_of_answer(sample, count_sample(record.prediction, label))
    if classes:
        session.execute(insert(SampleClass), classes)
    if checks:
        session.execute(insert(SampleCheck), checks)


def evaluated(session: Session, job_id: int, round_id: int, version: int, scores: Sequence[SampleScore]) -> None:
    """Note what an evaluation has found about a model, sample by sample; doing it again changes nothing."""
    for part in _parts(scores, _BATCH):
        names = [score.sample for score in part]
        query = select(Sample.sample_id, Sample.id).where(Sample.job_id == job_id, Sample.sample_id.in_(names))
        rows = {row.sample_id: row.id for row in session.execute(query)}
        session.execute(
            delete(SampleCheck).where(SampleCheck.version == version, SampleCheck.sample_pk.in_(list(rows.values())))
        )
        found = {
            rows[score.sample]: {
                "sample_pk": rows[score.sample], "version": version, "job_id": job_id, "round": round_id,
                "is_right": is_right(score),
            }
            for score in part
            if score.sample in rows
        }  # fmt: skip
        if found:
            session.execute(insert(SampleCheck), list(found.values()))


def forget_old(session: Session, job_id: int, kept: Iterable[int]) -> None:
    """Drop the checks of models that nobody compares any more: all but the newest and ``kept``."""
    of_job = SampleCheck.job_id == job_id
    known = session.scalars(select(SampleCheck.version).where(of_job).distinct().order_by(SampleCheck.version.desc()))
    old = set(list(known)[KEPT_VERSIONS:]) - set(kept)
    if old:
        session.execute(delete(SampleCheck).where(of_job, SampleCheck.version.in_(old)))


def of_sample(session: Session, sample_pk: int) -> tuple[CheckRow, ...]:
    """What is known of the models on a sample, by version."""
    query = select(SampleCheck).where(SampleCheck.sample_pk == sample_pk).order_by(SampleCheck.version)
    return tuple(CheckRow(version=row.version, round=row.round, right=row.is_right) for row in session.scalars(query))


def is_right(score: SampleScore) -> bool:
    """Whether nothing was missed and nothing wrongly found; of a value: whether it is a whole one."""
    if score.tp:
        return not any(score.fp) and not any(score.fn)
    return score.value is not None and score.value >= 1.0


def _predicted(prediction: Prediction) -> set[int]:
    found = {box.label for box in prediction.boxes}
    if prediction.label is not None:
        found.add(prediction.label)
    elif prediction.probabilities:
        found.add(max(range(len(prediction.probabilities)), key=prediction.probabilities.__getitem__))
    return found


def _check_of_answer(sample: Sample, counts: tuple[int, int, int]) -> list[Mapping[str, object]]:
    """Whether the answer that the edge recorded was right. Empty of what is imported: no model saw it."""
    if sample.model_version <= 0 or sample.picked == Picked.IMPORT:
        return []
    return [
        {
            "sample_pk": sample.id, "version": sample.model_version, "job_id": sample.job_id, "round": None,
            "is_right": counts[1:] == (0, 0),
        }
    ]  # fmt: skip


def _set_classes(session: Session, sample: Sample, classes: set[int]) -> None:
    session.execute(delete(SampleClass).where(SampleClass.sample_pk == sample.id))
    rows = _class_rows(sample, classes)
    if rows:
        session.execute(insert(SampleClass), rows)


def _class_rows(sample: Sample, classes: set[int]) -> list[Mapping[str, int]]:
    # Edges may write anything into a prediction.
    usable = sorted(number for number in classes if 0 <= number <= MAX_LABEL)[:_MOST_CLASSES]
    return [{"job_id": sample.job_id, "class_number": number, "sample_pk": sample.id} for number in usable]


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(items)
    while part := list(islice(waiting, size)):
        yield part
