"""One look at one job's custom resource: make the record, the object and its status agree."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field

from globalmanager.cluster.api import Body, ClusterUnavailableError, QuotaExceededError
from globalmanager.cluster.kinds import JOBS
from globalmanager.db import jobs
from globalmanager.db.values import JobRow
from globalmanager.operator.annotations import FINALIZER, MANAGED_BY, TRIGGER, TRIGGER_ID, TRIGGER_REASON
from globalmanager.operator.context import Context, StaleError
from globalmanager.operator.described import Refusal
from globalmanager.operator.edges import EdgesRollout, ensure_edges
from globalmanager.operator.facts import JobFacts, is_busy, read_facts
from globalmanager.operator.job_records import JobRecords, is_of
from globalmanager.operator.job_status import Situation, job_status
from globalmanager.operator.other_operators import OtherOperators
from globalmanager.operator.status import TriggerAnswer
from globalmanager.operator.stored_status import stored_status
from globalmanager.operator.story import Told, story_of
from globalmanager.operator.trigger_request import Ask, ask_in, refused, store_ask
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SpecError, TemporaryError
from sedna.common.types import JobKey

__all__ = ["JobReconciler"]

log = logging.getLogger("sedna.globalmanager.operator")

ENDING_S = 1.0
"""Between two looks at a job whose round is being ended."""

WAITING_S = 15.0
"""Between two looks at what nobody announces, such as a Secret."""


@dataclass
class JobReconciler:
    """Looks at jobs. It keeps nothing that matters: it may end between any two requests, and another goes on."""

    context: Context
    records: JobRecords = field(init=False)
    others: OtherOperators = field(init=False)

    def __post_init__(self) -> None:
        self.records = JobRecords(self.context)
        self.others = OtherOperators(self.context)

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Look once. Returns in how many seconds to look again although nothing changes; None = not.

        Raises:
            TemporaryError: not now; look again.
            SednaError: something stands in the way that time alone does not cure.
        """
        key = JobKey(namespace=namespace, name=name)
        body = self.context.view.get(JOBS, namespace, name)
        if body is None:
            self._absent(key)
            return None
        owner = (body["metadata"].get("annotations") or {}).get(MANAGED_BY)
        if owner is not None and owner != self.context.release:
            self.others.keep_away(body, owner)
            return None
        if body["metadata"].get("deletionTimestamp"):
            return self._deleting(key, body)
        fight = self.others.fought_over(body, is_known=owner is not None)
        if fight.pause_s:
            return fight.pause_s
        if owner is None:
            notes = {"annotations": {MANAGED_BY: self.context.release}}
            body = self.context.change_metadata(JOBS, body, notes)
        return self._look(key, body, fight.message)

    def _look(self, key: JobKey, body: Body, fought_over: str) -> float | None:
        row, refusal = self.records.take_in(key, body)
        ask = ask_in(body)
        answer = None
        if ask is not None:
            body, ask, answer = self._ask(key, body, ask, row)
        facts = self._facts(key) if row is not None else None
        body = self._hold(body, wanted=facts is not None and facts.busy)
        edges, refusal = self._edges(facts, refusal)
        situation = Situation(
            generation=body["metadata"].get("generation", 0),
            refusal=refusal,
            fought_over=fought_over,
            answer=answer,
            edges=edges,
        )
        self._write(body, facts, situation)
        if ask is not None and row is not None:
            # Last: before this the annotations are what a crash goes on from.
            taken_off: dict[str, None] = dict.fromkeys((TRIGGER, TRIGGER_REASON, TRIGGER_ID))
            fresh = self.context.view.get(JOBS, key.namespace, key.name) or body
            if ask_in(fresh) == ask:
                self.context.change_metadata(JOBS, fresh, {"annotations": taken_off})
        return WAITING_S if refusal is not None and refusal.waits else None

    def _ask(self, key: JobKey, body: Body, ask: Ask, row: JobRow | None) -> tuple[Body, Ask, TriggerAnswer | None]:
        """Store what an annotation asks for. An answer is returned only where it cannot be stored."""
        context = self.context
        if row is None:
            text = "the job is not taken in yet; its condition Ready says why"
            return body, ask, TriggerAnswer(value=ask.value[:100], state="pending", message=text)
        if ask.id is None:
            ask = ask.model_copy(update={"id": str(uuid.uuid4())})
            body = context.change_metadata(JOBS, body, {"annotations": {TRIGGER_ID: ask.id}})
        now = context.clock.now()
        try:
            with context.db.write() as session:
                store_ask(session, jobs.get(session, key), body["metadata"]["uid"], ask, now)
        except (SpecError, NotFoundError) as error:
            return body, ask, refused(ask, str(error), now)
        context.engine.wake()
        return body, ask, None

    def _hold(self, body: Body, *, wanted: bool) -> Body:
        """Put our finalizer on while there is something to end, and take it off: without us nobody would."""
        finalizers = body["metadata"].get("finalizers") or []
        wanted = wanted and self.context.may_hold
        if wanted == (FINALIZER in finalizers):
            return body
        changed = [*finalizers, FINALIZER] if wanted else [name for name in finalizers if name != FINALIZER]
        return self.context.change_metadata(JOBS, body, {"finalizers": changed})

    def _edges(self, facts: JobFacts | None, refusal: Refusal | None) -> tuple[EdgesRollout | None, Refusal | None]:
        """Edges in the cluster. What the job asks for and cannot have is said like any other mistake of it."""
        if facts is None:
            return None, refusal
        context = self.context
        try:
            rollout = ensure_edges(context.api, context.view, facts.row, context.settings)
            return None if rollout is None else rollout.with_words_of(facts.edge_troubles), refusal
        except (ClusterUnavailableError, StaleError):
            raise
        except TemporaryError as error:  # a quota, a name that is still taken: rounds go on, and the status tells them
            reason = "QuotaExceeded" if isinstance(error, QuotaExceededError) else "EdgesWaiting"
            return None, refusal or Refusal(reason=reason, message=f"spec.deploySpec: {error}", waits=True)
        except (SpecError, ConflictError, AuthError) as error:
            return None, refusal or Refusal(reason="EdgesRefused", message=f"spec.deploySpec: {error}", waits=True)

    def _write(self, body: Body, facts: JobFacts | None, situation: Situation) -> None:
        stored = stored_status(body)
        status = job_status(facts, situation, stored, self.context.clock.now())

        def told() -> list[Told]:
            return story_of(stored, status)

        self.context.write_status(JOBS, body, status, told)

    def _facts(self, key: JobKey) -> JobFacts:
        context = self.context
        with context.db.read() as session:
            return read_facts(session, jobs.get(session, key), context.clock.now(), context.live_seconds)

    # --- the end -------------------------------------------------------------------------------------------------

    def _deleting(self, key: JobKey, body: Body) -> float | None:
        """End what is under way, then let the object go."""
        context = self.context
        with context.db.read() as session:
            row = jobs.find(session, key)
        if row is not None and is_of(row, body):
            self.records.end(key, row)
            with context.db.read() as session:
                row = jobs.by_id(session, row.id)
                busy = is_busy(session, row)
                facts = read_facts(session, row, context.clock.now(), context.live_seconds) if busy else None
            ensure_edges(context.api, context.view, row, context.settings)
            if facts is not None:
                situation = Situation(generation=body["metadata"].get("generation", 0), deleting=True)
                self._write(body, facts, situation)
                return ENDING_S
        self._hold(body, wanted=False)
        return None

    def _absent(self, key: JobKey) -> None:
        """The object went. Its record goes out of service; jobs that came over REST are no business of ours."""
        context = self.context
        with context.db.read() as session:
            row = jobs.find(session, key)
        if row is None or row.deleted_at is not None or "uid" not in row.metadata:
            return
        if not context.is_watched(key.namespace) or not context.view.synced:
            return
        if context.is_gone(JOBS, key.namespace, key.name):
            self.records.end(key, row)
