"""From a job's custom resource to its record: taken in, edited, taken over, or refused with a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from globalmanager.cluster.api import Body
from globalmanager.db import jobs
from globalmanager.db.values import JobRow
from globalmanager.engine.apply import apply_resources, delete_job, references_of
from globalmanager.operator.context import Context
from globalmanager.operator.described import Refusal, described, metadata_of
from globalmanager.operator.facts import is_busy
from globalmanager.operator.prerequisites import (
    KINDS_OF_RECORDS,
    missing_reference,
    missing_secret,
    refused_template,
)
from sedna.common.errors import ConflictError, SpecError
from sedna.common.types import JobKey
from sedna.loop.spec import IncrementalLearningJob

__all__ = ["JobRecords", "is_of"]

PREVIOUS_JOB_ENDING = "PreviousJobEnding"


def is_of(row: JobRow | None, body: Body) -> bool:
    """Whether a record came from this very object."""
    return row is not None and row.metadata.get("uid") == body["metadata"]["uid"]


@dataclass
class JobRecords:
    """Takes jobs in. What it remembers saves time: a description that was taken in is not read again."""

    context: Context
    _taken: dict[JobKey, tuple[object, ...]] = field(default_factory=dict)

    def take_in(self, key: JobKey, body: Body) -> tuple[JobRow | None, Refusal | None]:
        """The record of a job after its object was looked at, and why the object is not acted on as it is.

        A refused edit leaves the record as it was: the job goes on with what it had.
        """
        context = self.context
        with context.db.read() as session:
            row = jobs.find(session, key)
            if self._is_taken(key, body, row):
                assert row is not None
                return row, missing_reference(context, session, key.namespace, row.spec)
            busy = row is not None and is_busy(session, row)
        row, ending = self._settled(body, row, busy)
        if ending is not None:
            return None, ending
        live = row if row is not None and row.deleted_at is None else None
        resource = described(body)
        if isinstance(resource, Refusal):
            return live, resource
        assert isinstance(resource, IncrementalLearningJob)
        refusal = _name_taken(live, resource) or self._lacks(live, resource)
        if refusal is not None:
            return live, refusal
        try:
            (applied,) = apply_resources(context.db, [resource], context.clock.now())
        except ConflictError as error:
            return live, Refusal(reason="ClassNamesChanged", message=str(error))
        except SpecError as error:  # between two looks a Dataset went
            return live, Refusal(reason="SpecInvalid", message=str(error), waits=True)
        if applied.action != "unchanged":
            context.engine.wake()
            for kind, name, _ in references_of(resource.spec):  # their status speaks of the jobs that use them
                context.look_at((KINDS_OF_RECORDS[kind], key.namespace, name))
        with context.db.read() as session:
            row = jobs.get(session, key)
        self._taken[key] = _mark(body, row)
        return row, None

    def end(self, key: JobKey, row: JobRow) -> None:
        """Take the job out of service; the engine ends its round and gives its samples back."""
        self._taken.pop(key, None)
        if row.deleted_at is None:
            delete_job(self.context.db, key, self.context.clock.now())
            self.context.engine.wake()

    def _settled(self, body: Body, row: JobRow | None, busy: bool) -> tuple[JobRow | None, Refusal | None]:
        """A record that may be written: an earlier job of this name ends first, with its round and its workers."""
        if row is None or (row.deleted_at is None and ("uid" not in row.metadata or is_of(row, body))):
            return row, None
        if row.deleted_at is None:
            self.end(row.key, row)
        if row.deleted_at is None or busy:
            text = f"an earlier job {row.key} is still ending; this one begins after it, with its samples and models"
            return None, Refusal(reason=PREVIOUS_JOB_ENDING, message=text, waits=True)
        return row, None

    def _lacks(self, live: JobRow | None, resource: IncrementalLearningJob) -> Refusal | None:
        namespace, spec = resource.key.namespace, resource.spec
        with self.context.db.read() as session:
            missing = missing_reference(self.context, session, namespace, spec)
            missing = missing or missing_secret(self.context, session, namespace, spec)
        known = live is not None and live.spec == spec
        if missing is not None or known or self.context.settings.runtime != "pods":
            return missing
        return refused_template(self.context, resource)

    def _is_taken(self, key: JobKey, body: Body, row: JobRow | None) -> bool:
        return row is not None and row.deleted_at is None and self._taken.get(key) == _mark(body, row)


def _mark(body: Body, row: JobRow) -> tuple[object, ...]:
    """Equal as long as neither the description nor the record was changed by anybody."""
    metadata = json.dumps(metadata_of(body), sort_keys=True)
    return body["metadata"].get("generation"), metadata, row.id, row.generation


def _name_taken(live: JobRow | None, resource: IncrementalLearningJob) -> Refusal | None:
    """A job that was applied over REST is taken over if both descriptions say the same."""
    if live is None or "uid" in live.metadata or live.spec == resource.spec:
        return None
    text = (
        f"a job {live.key} with another description was applied over the service's API; "
        "delete that one, give this one the same spec, or another name"
    )
    return Refusal(reason="NameTaken", message=text)
