"""A twin of the Kubernetes API: resource versions, 409, uid, finalizers, deletion with grace, status by itself."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fixtures_rights import SERVICE, Right, ask, rights_of
from globalmanager.cluster.api import Body, KindWatched
from globalmanager.cluster.kinds import JOBS, PODS, TOKEN_REVIEWS, Kind
from sedna.common.errors import ConflictError, NotFoundError

Key = tuple[str, str, str]

WITH_STATUS = {"incrementallearningjobs", "datasets", "models", "pods", "deployments", "daemonsets"}


class FakeCluster:
    """A `KubeApi` and a `ClusterView` over one dictionary. The view sees every change at once, unless ``paused``.

    ``fail``: called before each request with (verb, kind, namespace, name); raise in it what the request shall raise.
    ``rights``: what the code under test may ask for, by default what the chart's Role allows; None = everything.
    ``requests``: every request, for tests that count them.
    ``tokens``: projected tokens for the audience ``sedna``, each with (namespace, service account, Pod, its uid).
    """

    def __init__(self) -> None:
        self._objects: dict[Key, Body] = {}
        self._view: dict[Key, Body] = {}
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)
        self._subscribers: list[KindWatched] = []
        self._lock = threading.RLock()
        self.logs: dict[tuple[str, str, str], bytes] = {}
        self.tokens: dict[str, tuple[str, str, str, str]] = {}
        self.requests: list[tuple[str, str, str | None, str]] = []
        self.fail: Callable[[str, Kind, str | None, str], None] = lambda *_: None
        self.paused = False
        self.synced = True
        self.rights: frozenset[Right] | None = rights_of(SERVICE)

    # --- KubeApi -------------------------------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str | None, name: str) -> Body | None:
        self._request("get", kind, namespace, name)
        with self._lock:
            return copy.deepcopy(self._objects.get(_key(kind, namespace, name)))

    def list(self, kind: Kind, namespace: str | None = None, *, labels: Mapping[str, str] | None = None) -> list[Body]:
        self._request("list", kind, namespace, "")
        with self._lock:
            return [
                copy.deepcopy(body)
                for (plural, place, _), body in sorted(self._objects.items())
                if plural == kind.plural and namespace in (None, place) and _has_labels(body, labels)
            ]

    def create(self, kind: Kind, namespace: str | None, body: Body, *, dry_run: bool = False) -> Body:
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}{next(self._uids):05d}"
        self._request("dry-run" if dry_run else "create", kind, namespace, name)
        if kind == TOKEN_REVIEWS:
            return body | {"status": self._review(**body["spec"])}
        with self._lock:
            key = _key(kind, namespace, name)
            if key in self._objects:
                raise ConflictError("already exists", where=f"{kind.plural} {namespace}/{name}")
            made = copy.deepcopy(body)
            made.setdefault("apiVersion", kind.api_version)
            made.setdefault("kind", kind.kind)
            if kind.plural in WITH_STATUS:
                made.pop("status", None)
            meta = made["metadata"]
            meta |= {
                "name": name,
                "uid": f"uid-{next(self._uids)}",
                "generation": 1,
                "creationTimestamp": "2026-11-28T10:00:00Z",
            }
            if namespace is not None:
                meta["namespace"] = namespace
            if not dry_run:
                self._store(key, kind, made)
            return copy.deepcopy(made)

    def merge(self, kind: Kind, namespace: str | None, name: str, patch: Body, *, subresource: str = "") -> Body:
        self._request("merge", kind, namespace, name, subresource)
        with self._lock:
            key, before = self._existing(kind, namespace, name)
            wanted = patch.get("metadata", {}).get("resourceVersion")
            if wanted not in (None, before["metadata"]["resourceVersion"]):
                raise ConflictError("the object has been modified", where=f"{kind.plural} {namespace}/{name}")
            after = _merged(before, patch)
            return self._replace(key, kind, before, after, subresource)

    def patch(
        self, kind: Kind, namespace: str | None, name: str, operations: Sequence[Body], *, subresource: str = ""
    ) -> Body:
        self._request("patch", kind, namespace, name, subresource)
        with self._lock:
            key, before = self._existing(kind, namespace, name)
            after = copy.deepcopy(before)
            for operation in operations:
                _apply(after, operation)
            return self._replace(key, kind, before, after, subresource)

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: float | None = None,
        uid: str | None = None,
    ) -> bool:
        self._request("delete", kind, namespace, name)
        with self._lock:
            key = _key(kind, namespace, name)
            body = self._objects.get(key)
            if body is None:
                return False
            if uid not in (None, body["metadata"]["uid"]):
                raise ConflictError("the uid is another one", where=f"{kind.plural} {namespace}/{name}")
            waits = kind == PODS and grace_seconds != 0 and _is_running(body)
            if body["metadata"].get("finalizers") or waits:
                meta = body["metadata"]
                meta.setdefault("deletionTimestamp", "2026-11-28T10:00:01Z")
                meta["deletionGracePeriodSeconds"] = grace_seconds or 0
                self._store(key, kind, body)
            else:
                self._remove(key, kind)
            return True

    def read_log(self, namespace: str, pod: str, container: str, *, max_bytes: int | None = None) -> bytes:
        self._request("log", PODS, namespace, pod)
        data = self.logs.get((namespace, pod, container), b"")
        return data if max_bytes is None else data[:max_bytes]

    # --- ClusterView (its ``get`` is the twin's ``view.get``) ----------------------------------------------------

    @property
    def view(self) -> FakeView:
        """What a watch would show."""
        return FakeView(self)

    # --- what tests do to it -------------------------------------------------------------------------------------

    def set_status(self, kind: Kind, namespace: str, name: str, status: Body) -> None:
        """What a kubelet or a controller would write."""
        with self._lock:
            key, body = self._existing(kind, namespace, name)
            self._store(key, kind, body | {"status": copy.deepcopy(status)})

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """The object is gone, whoever did it; what it owned goes with it."""
        with self._lock:
            key, body = self._existing(kind, namespace, name)
            self._remove(key, kind)
            for other, owned in list(self._objects.items()):
                if any(ref["uid"] == body["metadata"]["uid"] for ref in owned["metadata"].get("ownerReferences", ())):
                    self._objects.pop(other, None)
                    self._show(other, PODS if other[0] == "pods" else JOBS, None)

    def relist(self) -> None:
        """After a pause: the view sees everything as it is now."""
        self.paused = False
        with self._lock:
            self._view = copy.deepcopy(self._objects)

    # --- inside --------------------------------------------------------------------------------------------------

    def _request(self, verb: str, kind: Kind, namespace: str | None, name: str, subresource: str = "") -> None:
        ask(verb, kind.plural, subresource, self.rights)
        self.requests.append((verb, kind.plural, namespace, name))
        self.fail(verb, kind, namespace, name)

    def _review(self, token: str, audiences: Sequence[str]) -> Body:
        if token not in self.tokens or "sedna" not in audiences:
            return {"user": {}, "error": "invalid bearer token"}
        namespace, account, pod, uid = self.tokens[token]
        extra = {"authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [uid]}
        user = {"username": f"system:serviceaccount:{namespace}:{account}", "extra": extra}
        return {"authenticated": True, "audiences": ["sedna"], "user": user}

    def _existing(self, kind: Kind, namespace: str | None, name: str) -> tuple[Key, Body]:
        key = _key(kind, namespace, name)
        if key not in self._objects:
            raise NotFoundError("not found", where=f"{kind.plural} {namespace}/{name}")
        return key, copy.deepcopy(self._objects[key])

    def _replace(self, key: Key, kind: Kind, before: Body, after: Body, subresource: str) -> Body:
        if kind.plural in WITH_STATUS:  # one half of the object each
            kept = before if subresource == "" else after
            other = after if subresource == "" else before
            after = {name: value for name, value in other.items() if name != "status"}
            if "status" in kept:
                after["status"] = kept["status"]
        if {k: v for k, v in after.items() if k != "metadata"} != {
            k: v for k, v in before.items() if k != "metadata"
        } or (_without_version(after) != _without_version(before)):
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] = before["metadata"]["generation"] + 1
            self._store(key, kind, after)
        if after["metadata"].get("deletionTimestamp") and not after["metadata"].get("finalizers"):
            self._remove(key, kind)
        return copy.deepcopy(after)

    def _store(self, key: Key, kind: Kind, body: Body) -> None:
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self._objects[key] = body
        self._show(key, kind, body)

    def _remove(self, key: Key, kind: Kind) -> None:
        self._objects.pop(key, None)
        self._show(key, kind, None)

    def _show(self, key: Key, kind: Kind, body: Body | None) -> None:
        if self.paused:
            return
        if body is None:
            self._view.pop(key, None)
        else:
            self._view[key] = copy.deepcopy(body)
        for subscriber in self._subscribers:
            subscriber(kind, key[1], key[2])


class FakeView:
    """The `ClusterView` of a `FakeCluster`."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    @property
    def synced(self) -> bool:
        return self._cluster.synced

    def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        return copy.deepcopy(self._cluster._view.get(_key(kind, namespace, name)))

    def all(self, kind: Kind) -> list[Body]:
        return [copy.deepcopy(body) for key, body in sorted(self._cluster._view.items()) if key[0] == kind.plural]

    def seen(self, kind: Kind, body: Body) -> None:
        meta = body["metadata"]
        self._cluster._view[_key(kind, meta.get("namespace"), meta["name"])] = copy.deepcopy(body)

    def subscribe(self, on_change: KindWatched) -> None:
        self._cluster._subscribers.append(on_change)


def _key(kind: Kind, namespace: str | None, name: str) -> Key:
    return kind.plural, namespace or "", name


def _has_labels(body: Body, labels: Mapping[str, str] | None) -> bool:
    own = body["metadata"].get("labels", {})
    return all(own.get(name) == value for name, value in (labels or {}).items())


def _is_running(pod: Body) -> bool:
    return pod.get("status", {}).get("phase", "Pending") in ("Pending", "Running")


def _without_version(body: Body) -> Body:
    meta = {name: value for name, value in body["metadata"].items() if name != "resourceVersion"}
    return body | {"metadata": meta}


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(copy.deepcopy(target)) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _apply(body: Body, operation: Body) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    place: Any = body
    try:
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if isinstance(place, list):
            index = len(place) if last == "-" else int(last)
        match operation["op"]:
            case "test":
                found = place[index] if isinstance(place, list) else place[last]
                if found != operation["value"]:
                    raise ConflictError("the test of a patch failed", where=operation["path"])
            case "add":
                if isinstance(place, list):
                    place.insert(index, operation["value"])
                else:
                    place[last] = operation["value"]
            case "replace":
                place[index if isinstance(place, list) else last] = operation["value"]
            case "remove":
                del place[index if isinstance(place, list) else last]
    except (KeyError, IndexError) as error:
        raise ConflictError("the path is not there", where=operation["path"]) from error
