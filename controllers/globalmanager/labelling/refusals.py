"""Answers that cannot be taken as they are, and are kept as drafts."""

from __future__ import annotations

from pydantic import JsonValue

from globalmanager.db import sample_labels
from globalmanager.db.database import Session
from globalmanager.db.label_values import Task
from sedna.common.errors import ConflictError

__all__ = ["NotTakenError", "changed"]


class NotTakenError(ConflictError):
    """What somebody said meets something newer. It is kept as a draft.

    ``current``: what holds now, so that both can be shown.
    """

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", current: dict[str, JsonValue] | None = None
    ) -> None:
        self.current = current
        super().__init__(message, where=where, hint=hint)


def changed(session: Session, job_id: int, task: Task) -> NotTakenError:
    """That the sample has another label, or another state, than the one that somebody has seen."""
    label = sample_labels.current_label(session, job_id, task.sample_id)
    current: dict[str, JsonValue] = {"revision": task.revision, "state": task.label_state.value}
    if label is None:
        text = "the label that you saw was withdrawn"
    else:
        text = f"{label.author} has labelled it on {label.created_at:%Y-%m-%d %H:%M} UTC"
        current |= label.model_dump(mode="json", include={"annotation", "author", "source", "created_at"})
    hint = f"look at both, and send yours again with base_revision {task.revision}"
    return NotTakenError(text, where=f"sample {task.sample_id}", hint=hint, current=current)
