"""How far the labelling of a sample is, and the end of a series of answers."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.orm import Session

from globalmanager.db.label_tables import LabelAnswer, LabelReview
from globalmanager.db.label_values import LabelState
from globalmanager.db.tables import Sample

__all__ = ["close_series", "state_is", "state_of"]


def state_of(sample: Sample) -> LabelState:
    """The state of a sample."""
    if sample.label_state is not None:
        return LabelState(sample.label_state)
    if sample.labelled_at is not None:
        return LabelState.SETTLED
    return LabelState.ANSWERED if sample.answers else LabelState.WAITING


def state_is(state: LabelState) -> ColumnElement[bool]:
    """The condition that a sample is in this state; "waiting" are also those that some have answered."""
    if state in (LabelState.REVIEW, LabelState.BAD):
        return Sample.label_state == state.value
    none = Sample.label_state.is_(None)
    if state is LabelState.SETTLED:
        return none & Sample.labelled_at.is_not(None)
    waiting = none & Sample.labelled_at.is_(None)
    return waiting & (Sample.answers > 0) if state is LabelState.ANSWERED else waiting


def close_series(session: Session, sample: Sample, label_seq: int | None = None) -> None:
    """The open answers to a sample count no longer, and nobody has to decide about it.

    Args:
        label_seq: the label that came of them.
    """
    # Asked first: most labels come from files, and nobody has answered those.
    if not sample.answers and sample.label_state is None:
        return
    # Rows of these that the session has read already are changed with them.
    session.execute(
        update(LabelAnswer).where(LabelAnswer.open_for == sample.id).values(open_for=None, label_seq=label_seq)
    )
    session.execute(delete(LabelReview).where(LabelReview.sample_pk == sample.id))
    sample.answers = 0
    sample.label_state = None
    session.flush()
