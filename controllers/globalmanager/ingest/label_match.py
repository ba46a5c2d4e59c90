"""Which sample an image of a label file is."""

from __future__ import annotations

from collections.abc import Sequence

from globalmanager.db import samples
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from sedna.common.errors import DataError
from sedna.labels.items import LabelItem
from sedna.labels.names import sample_ids_in


class SampleNames:
    """The samples of a job by the names that label files give them."""

    def __init__(self, session: Session, job: JobRow, items: Sequence[LabelItem]) -> None:
        """Args: ``items``: all that will be asked for, so that their names are looked up together."""
        self._session = session
        self._job = job
        names = {name for item in items for name in (item.name, *item.others) if name}
        self._by_source = samples.by_source(session, job.id, sorted(names))

    def sample_of(self, item: LabelItem) -> str | None:
        """The id of the sample, or None where the job has it not.

        By a name under which a Dataset brought the image, or by the sample id, wherever that stands in the name.

        Raises:
            DataError: the name holds the ids of several samples.
        """
        names = list(dict.fromkeys((item.name, *item.others)))
        known = next((self._by_source[name] for name in names if name in self._by_source), None)
        if known is not None:
            return known
        ids = dict.fromkeys(found for name in names for found in sample_ids_in(name))
        found = [one for one in ids if samples.exists(self._session, self._job.id, one)]
        if len(found) > 1:
            hint = f"name it by one of {', '.join(found[:5])}"
            raise DataError(f"{item.name!r} names {len(found)} samples", where=item.where, hint=hint)
        return found[0] if found else None
