"""What a watch has seen: every object once, the newest of what events, lists and own writes said of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from globalmanager.cluster.api import Body, KindWatched
from globalmanager.cluster.kinds import Kind

__all__ = ["ObjectCache", "Snapshot"]

log = logging.getLogger("sedna.globalmanager.cluster")

GONE_KEPT = 1000
"""Deletions that are remembered, so that a list or an answer that left before one does not bring the object back."""

UNREAD_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
"""The whole object once more, as a text."""

Key = tuple[Kind, str, str]

Snapshot = dict[tuple[str, str], str]
"""Resource version by namespace and name."""


class ObjectCache:
    """A `ClusterView` that is told by others. From any thread."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[tuple[str, str], Body]] = {}
        self._gone: dict[Key, str] = {}
        self._subscribers: list[KindWatched] = []
        self._lock = threading.Lock()
        self.synced = False

    # --- ClusterView ---------------------------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """The object as it was last seen, or None."""
        with self._lock:
            return self._objects.get(kind, {}).get((namespace, name))

    def all(self, kind: Kind) -> list[Body]:
        """Every object of a kind that is watched."""
        with self._lock:
            return list(self._objects.get(kind, {}).values())

    def seen(self, kind: Kind, body: Body) -> None:
        """Take in an object; an older state than the known one is passed over."""
        body = _slim(body)
        meta = body["metadata"]
        key = kind, str(meta.get("namespace", "")), str(meta["name"])
        version = _version(body)
        with self._lock:
            known = self._objects.setdefault(kind, {}).get(key[1:])
            if known is not None and not _is_newer(version, _version(known)):
                return
            if key in self._gone and not _is_newer(version, self._gone[key]):
                return
            self._gone.pop(key, None)
            self._objects[kind][key[1:]] = body
        self._tell(key)

    def subscribe(self, on_change: KindWatched) -> None:
        """Call ``on_change`` for every change from now on."""
        self._subscribers.append(on_change)

    # --- what the watch says -------------------------------------------------------------------------------------

    def gone(self, kind: Kind, body: Body) -> None:
        """The object was deleted; ``body`` is its last state."""
        meta = body["metadata"]
        key = kind, str(meta.get("namespace", "")), str(meta["name"])
        with self._lock:
            known = self._objects.get(kind, {}).get(key[1:])
            version = _version(body)
            if known is not None and _is_newer(_version(known), version):
                return  # made anew meanwhile
            self._forget(key, version)
        self._tell(key)

    def snapshot(self, kind: Kind, namespace: str | None) -> Snapshot:
        """What is known now of a namespace, or of all: taken before a list is asked for."""
        with self._lock:
            known = self._objects.get(kind, {})
            return {key: _version(body) for key, body in known.items() if namespace in (None, key[0])}

    def listed(self, kind: Kind, before: Snapshot, bodies: Iterable[Body]) -> None:
        """Take in a whole list that was asked for after ``before``: what it lacks and nobody changed since is gone."""
        there = set()
        for body in bodies:
            key = str(body["metadata"].get("namespace", "")), str(body["metadata"]["name"])
            there.add(key)
            with self._lock:
                # A cluster that was put back to a backup counts its versions anew from there.
                known = self._objects.get(kind, {}).get(key)
                if known is not None and _version(known) == before.get(key) and _is_newer(before[key], _version(body)):
                    del self._objects[kind][key]
            self.seen(kind, body)
        for key in before.keys() - there:
            with self._lock:
                known = self._objects.get(kind, {}).get(key)
                if known is None or _version(known) != before[key]:
                    continue
                self._forget((kind, *key), before[key])
            self._tell((kind, *key))

    # --- inside --------------------------------------------------------------------------------------------------

    def _forget(self, key: Key, version: str) -> None:
        self._objects.get(key[0], {}).pop(key[1:], None)
        self._gone[key] = version
        while len(self._gone) > GONE_KEPT:
            self._gone.pop(next(iter(self._gone)))

    def _tell(self, key: Key) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(*key)
            except Exception:  # one listener's mistake is not the others' nor the watch's
                log.exception("a listener failed over %s %s/%s", key[0].kind, key[1], key[2])


def _slim(body: Body) -> Body:
    """Without what nobody reads: half of an object is notes about who wrote which field."""
    meta = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    if UNREAD_ANNOTATION in (meta.get("annotations") or {}):
        meta["annotations"] = {k: v for k, v in meta["annotations"].items() if k != UNREAD_ANNOTATION}
    return body | {"metadata": meta}


def _version(body: Body) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def _is_newer(version: str, than: str) -> bool:
    # Versions are promised to be comparable as numbers (KEP-5504); anything else is taken as it comes.
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than
