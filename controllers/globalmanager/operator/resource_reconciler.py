"""One look at a Dataset or a Model: its record, and a status that says whether it was taken in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from globalmanager.cluster.api import Body
from globalmanager.cluster.kinds import JOBS, Kind
from globalmanager.db import jobs, models, resources
from globalmanager.engine.apply import apply_resources
from globalmanager.operator.annotations import MANAGED_BY
from globalmanager.operator.conditions import State
from globalmanager.operator.context import Context, Key
from globalmanager.operator.described import Refusal, described
from globalmanager.operator.facts import imported_by_users
from globalmanager.operator.job_status import dated
from globalmanager.operator.prerequisites import KINDS_OF_RECORDS
from globalmanager.operator.status import Condition, ConditionType, DatasetStatus, Metric, ModelStatus
from globalmanager.operator.stored_status import Stored, stored_status
from globalmanager.operator.story import Told
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey
from sedna.loop.spec import Dataset, Model

__all__ = ["ResourceReconciler", "users_of"]

RecordKind = Literal["Dataset", "Model"]


def users_of(context: Context, kind: RecordKind, namespace: str, name: str) -> list[Body]:
    """The jobs whose custom resources refer to a Dataset or a Model, taken in or not."""
    return [
        body
        for body in context.view.all(JOBS)
        if body["metadata"]["namespace"] == namespace and _refers(body.get("spec"), kind, name)
    ]


@dataclass
class ResourceReconciler:
    """Looks at Datasets and Models. ``_outcomes``: what the jobs that use one were last told of."""

    context: Context
    _outcomes: dict[Key, str] = field(default_factory=dict)

    def reconcile(self, kind: Kind, namespace: str, name: str) -> float | None:
        """Look once; see `JobReconciler.reconcile`."""
        record: RecordKind = "Dataset" if kind.kind == "Dataset" else "Model"
        body = self.context.view.get(kind, namespace, name)
        if body is None:
            self._absent(kind, record, namespace, name)
            return None
        refusal = self._take_in(record, body)
        self._tell_users(kind, record, body, "" if refusal is None else refusal.message)
        if self._is_ours(record, body):
            stored = stored_status(body)
            status = self._status(record, body, refusal, stored)

            def told() -> list[Told]:
                before = stored.conditions.get(ConditionType.READY)
                if refusal is None or (before is not None and before.reason == refusal.reason):
                    return []
                return [Told(type="Warning", reason=refusal.reason, message=refusal.message)]

            self.context.write_status(kind, body, status, told)
        return None

    def _take_in(self, record: RecordKind, body: Body) -> Refusal | None:
        resource = described(body)
        if isinstance(resource, Refusal):
            return resource
        assert isinstance(resource, Dataset | Model)
        context = self.context
        with context.db.read() as session:
            known = resources.find(session, record, resource.key)
        spec = resource.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if known is not None and "uid" not in known.metadata and known.spec != spec:
            text = (
                f"a {record} {resource.key} with another description was applied over the service's API; "
                "delete that one, give this one the same spec, or another name"
            )
            return Refusal(reason="NameTaken", message=text)
        (applied,) = apply_resources(context.db, [resource], context.clock.now())
        if applied.action != "unchanged":
            context.engine.wake()
            self._outcomes.pop((KINDS_OF_RECORDS[record], resource.key.namespace, resource.key.name), None)
        return None

    def _absent(self, kind: Kind, record: RecordKind, namespace: str, name: str) -> None:
        """It went: so does its record, unless a job still works with it. That job says that it is missing."""
        context = self.context
        key = JobKey(namespace=namespace, name=name)
        with context.db.read() as session:
            known = resources.find(session, record, key)
        if known is None or "uid" not in known.metadata or not context.is_watched(namespace) or not context.view.synced:
            return
        if not context.is_gone(kind, namespace, name):
            return
        try:
            with context.db.write() as session:
                resources.remove(session, record, key)
        except (ConflictError, NotFoundError):
            pass
        self._outcomes.pop((kind, namespace, name), None)
        for body in users_of(context, record, namespace, name):
            context.look_at((JOBS, namespace, body["metadata"]["name"]))

    def _tell_users(self, kind: Kind, record: RecordKind, body: Body, outcome: str) -> None:
        """Jobs that wait for it look again."""
        meta = body["metadata"]
        key = (kind, meta["namespace"], meta["name"])
        if self._outcomes.get(key) == outcome:
            return
        self._outcomes[key] = outcome
        for job in users_of(self.context, record, meta["namespace"], meta["name"]):
            self.context.look_at((JOBS, meta["namespace"], job["metadata"]["name"]))

    def _is_ours(self, record: RecordKind, body: Body) -> bool:
        """Whether its status is ours to write: two releases would overwrite each other for ever."""
        meta = body["metadata"]
        owners = {
            (job["metadata"].get("annotations") or {}).get(MANAGED_BY)
            for job in users_of(self.context, record, meta["namespace"], meta["name"])
        }
        return not owners - {None, self.context.release} and not meta.get("deletionTimestamp")

    def _status(
        self, record: RecordKind, body: Body, refusal: Refusal | None, stored: Stored
    ) -> DatasetStatus | ModelStatus:
        now, generation = self.context.clock.now(), body["metadata"].get("generation", 0)
        state = State(status="True", reason="Accepted", message=f"jobs may use this {record}")
        if refusal is not None:
            state = State(status="False", reason=refusal.reason, message=refusal.message)
        conditions = dated({ConditionType.READY: state}, stored, generation, now)
        meta = body["metadata"]
        if record == "Dataset":
            return self._dataset(meta["namespace"], meta["name"], generation, conditions, stored, now)
        return self._model(meta["namespace"], meta["name"], generation, conditions, stored, now)

    def _dataset(
        self, namespace: str, name: str, generation: int, conditions: tuple[Condition, ...], stored: Stored,
        now: datetime,
    ) -> DatasetStatus:  # fmt: skip
        with self.context.db.read() as session:
            number = imported_by_users(session, namespace, name)
        same = stored.raw.get("numberOfSamples") == number
        return DatasetStatus(
            observed_generation=generation,
            number_of_samples=number,
            update_time=None if number is None else stored.update_time or now if same else now,
            conditions=conditions,
        )

    def _model(
        self, namespace: str, name: str, generation: int, conditions: tuple[Condition, ...], stored: Stored,
        now: datetime,
    ) -> ModelStatus:  # fmt: skip
        metrics = self._metrics(namespace, name)
        same = stored.raw.get("metrics", []) == [metric.model_dump() for metric in metrics]
        return ModelStatus(
            observed_generation=generation,
            update_time=None if not metrics else stored.update_time or now if same else now,
            metrics=metrics,
            conditions=conditions,
        )

    def _metrics(self, namespace: str, name: str) -> tuple[Metric, ...]:
        """Figures of what the first job that deploys as this Model has in service."""
        with self.context.db.read() as session:
            for row in jobs.users_of(session, namespace, "Model", name):
                if row.spec.deploy_spec.model.name != name or row.state.champion is None:
                    continue
                found = models.find(session, row.id, row.state.champion)
                figures = {} if found is None else found.metrics
                return tuple(
                    Metric(key=figure, value=f"{value:g}")
                    for figure, value in sorted(figures.items())
                    if isinstance(value, int | float) and not isinstance(value, bool)
                )
        return ()


def _refers(spec: object, kind: RecordKind, name: str) -> bool:
    """Looked up as it is written: a job that was not taken in may wait for just this object."""

    def at(*path: str) -> object:
        found = spec
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    if kind == "Dataset":
        return at("dataset", "name") == name
    places = (("initialModel",), ("deploySpec", "model"), ("evalSpec", "initialEvalModel"))
    return any(at(*place, "name") == name for place in places)
