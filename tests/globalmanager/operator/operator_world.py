"""The operator between a cluster's twin and a whole global manager, all in one thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fixtures_cluster import FakeCluster
from fixtures_gm import World, job_spec
from globalmanager.cluster.kinds import DATASETS, EVENTS, JOBS, MODELS, Kind
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.operator.operator import Operator
from sedna.common.class_factory import ClassFactory, ClassType

NAMESPACE = "default"
SETTINGS = KubernetesSettings(namespace="sedna", service_url="http://sedna.sedna:8080", image="sedna:test")


@ClassFactory.register(ClassType.GENERAL, alias="twin")
class _Twin:
    """Known by name only: the workers are twins."""


class OperatorWorld:
    """One job's world seen through custom resources."""

    def __init__(self, world: World, cluster: FakeCluster | None = None) -> None:
        self.world = world
        self.cluster = cluster or FakeCluster()
        self.settings = SETTINGS
        self.operator = self.new_operator()

    def new_operator(self, settings: KubernetesSettings | None = None) -> Operator:
        """An operator that knows nothing yet, as after a restart."""
        return Operator(
            self.cluster,
            self.cluster.view,
            self.world.db,
            self.world.engine(),
            self.world.clock,
            settings or self.settings,
            live_seconds=self.world.settings.live_seconds,
        )

    def restart(self) -> None:
        """The process died and another begins; the cluster's twin forgets who listened."""
        self.cluster._subscribers.clear()
        self.operator = self.new_operator()

    # --- what people do ------------------------------------------------------------------------------------------

    def apply(self, kind: Kind, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
        """As `kubectl apply` of one object."""
        if self.cluster.get(kind, NAMESPACE, name) is None:
            return self.cluster.create(kind, NAMESPACE, {"metadata": {"name": name, **metadata}, "spec": spec})
        patch = [{"op": "replace", "path": "/spec", "value": spec}]
        return self.cluster.patch(kind, NAMESPACE, name, patch)

    def apply_dataset(self, **spec: Any) -> None:
        index = self.world.folder / "stream.txt"
        if not index.exists():
            index.write_text("")
        self.apply(DATASETS, "stream", {"url": str(index), "format": "txt", **spec})

    def apply_model(self, **spec: Any) -> None:
        model = self.world.folder / "first" / "skill.json"
        model.parent.mkdir(exist_ok=True)
        model.write_text(json.dumps({"skill": 0}))
        self.apply(MODELS, "first", {"url": str(model), "format": "json", **spec})

    def apply_job(self, spec: dict[str, Any] | None = None, **metadata: Any) -> None:
        self.apply(JOBS, "boards", spec or job_spec(), **metadata)

    def apply_all(self) -> None:
        self.apply_dataset()
        self.apply_model()
        self.apply_job()

    def annotate(self, **annotations: str) -> None:
        """``trigger="train"`` sets sedna.io/trigger."""
        values = {f"sedna.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
        self.cluster.merge(JOBS, NAMESPACE, "boards", {"metadata": {"annotations": values}})

    # --- time ----------------------------------------------------------------------------------------------------

    def step(self, seconds: int = 1) -> None:
        """The engine looks, and the operator at all that is due."""
        for _ in range(seconds):
            self.world.tick_all()
            self.drain()

    def drain(self) -> None:
        for _ in range(1000):
            if not self.operator.step():
                return
        raise AssertionError("the operator never comes to rest")

    def until(self, holds: Callable[[], Any], seconds: int = 60) -> None:
        for _ in range(seconds):
            self.step()
            if holds():
                return
        raise AssertionError(f"not reached; status {self.status()}")

    def ready(self) -> None:
        """Everything is applied and taken in."""
        self.apply_all()
        self.step(3)

    def train(self) -> None:
        """A round trains, and its worker ends when `let_go` says so."""
        self.world.runtime.held = True
        self.world.samples(10)
        self.until(lambda: self.shown("Progressing") == ("True", "Training"))

    def let_go(self) -> None:
        """The round goes on to its deployment."""
        self.world.runtime.held = False
        self.world.runtime.let_go()
        self.until(lambda: self.shown("Deployed") == ("True", "Deployed"))

    # --- what is seen --------------------------------------------------------------------------------------------

    def body(self, kind: Kind = JOBS, name: str = "boards") -> dict[str, Any]:
        requests = list(self.cluster.requests)
        body = self.cluster.get(kind, NAMESPACE, name)
        self.cluster.requests[:] = requests
        assert body is not None
        return body

    def is_there(self, kind: Kind = JOBS, name: str = "boards") -> bool:
        return self.cluster.view.get(kind, NAMESPACE, name) is not None

    def status(self, kind: Kind = JOBS, name: str = "boards") -> dict[str, Any]:
        return self.body(kind, name).get("status", {}) if self.is_there(kind, name) else {}

    def condition(self, type_: str, kind: Kind = JOBS, name: str = "boards") -> dict[str, Any]:
        found = [one for one in self.status(kind, name).get("conditions", ()) if one["type"] == type_]
        assert len(found) < 2
        return found[0] if found else {}

    def shown(self, type_: str, kind: Kind = JOBS, name: str = "boards") -> tuple[str | None, str | None]:
        """Status and reason of a condition."""
        found = self.condition(type_, kind, name)
        return found.get("status"), found.get("reason")

    def annotations(self) -> dict[str, str]:
        return self.body()["metadata"].get("annotations", {})

    def told(self) -> list[str]:
        """Reasons of the Events, in their order."""
        before = list(self.cluster.requests)
        events = sorted(self.cluster.list(EVENTS), key=lambda event: int(event["metadata"]["resourceVersion"]))
        self.cluster.requests[:] = before
        return [event["reason"] for event in events]

    def writes(self) -> list[tuple[str, str, str]]:
        """Requests that change something: verb, kind and name."""
        return [
            (verb, plural, name)
            for verb, plural, _, name in self.cluster.requests
            if verb in ("create", "merge", "patch", "delete")
        ]
