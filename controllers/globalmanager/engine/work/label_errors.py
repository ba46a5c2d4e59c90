"""Look for labels that are wrong, after each evaluation: there may be new ones, and newer models' word about others."""

from __future__ import annotations

from globalmanager.db import judged_labels
from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.labelling.label_errors import LOOKED_AT, note_suspects, suspects_of

__all__ = ["note_label_errors"]


def note_label_errors(seams: EngineSeams, job: JobRow) -> None:
    """Hand suspects to people. Nothing of the round hangs on it: after a crash before it, the next evaluation looks."""
    with seams.db.read() as session:
        labels = judged_labels.newest(session, job.id, LOOKED_AT)
    # Outside of any transaction: it takes a second, and others write meanwhile.
    suspects = suspects_of(labels, job.class_names)
    if suspects:
        with seams.write() as session:
            note_suspects(session, job.id, suspects, seams.clock.now())
