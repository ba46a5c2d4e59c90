"""What a store has of each job, from one walk over its keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pydantic import ValidationError

from sedna.common.types import JobKey
from sedna.store.base import ObjectStore

__all__ = ["Stored", "list_store"]

_SAMPLE = re.compile(r"([0-9a-f]{64})\.([a-z0-9]{1,8})")
_PARTS = 4  # namespace, job, room, and at least a name


@dataclass
class Stored:
    """The objects of one job, by what they are."""

    pictures: dict[str, dict[str, int]] = field(default_factory=dict)
    """Bytes by sample and file name extension."""
    records: set[str] = field(default_factory=set)
    datasets: set[int] = field(default_factory=set)
    models: set[int] = field(default_factory=set)
    model_files: dict[str, int] = field(default_factory=dict)
    """Bytes by key."""
    rounds: set[int] = field(default_factory=set)

    def add(self, key: str, room: str, rest: str, size: int) -> None:
        """Note one object. What no job of ours writes is passed over."""
        number = rest.partition("/")[0]
        if room == "samples" and (name := _SAMPLE.fullmatch(rest)) is not None:
            sample, extension = name.groups()
            if extension == "json":
                self.records.add(sample)
            else:
                self.pictures.setdefault(sample, {})[extension] = size
        elif room == "datasets" and rest == f"{number}/manifest.jsonl" and number.isdecimal():
            self.datasets.add(int(number))
        elif room == "models" and number.isdecimal():
            if rest == f"{number}/manifest.json":
                self.models.add(int(number))
            self.model_files[key] = size
        elif room == "rounds" and number.isdecimal():
            self.rounds.add(int(number))


def list_store(store: ObjectStore) -> dict[JobKey, Stored]:
    """By job. A store may hold other things beside: they are nobody's here."""
    found: dict[JobKey, Stored] = {}
    for info in store.list():
        parts = info.key.split("/", _PARTS - 1)
        if len(parts) < _PARTS:
            continue
        try:
            job = JobKey(namespace=parts[0], name=parts[1])
        except ValidationError:
            continue
        found.setdefault(job, Stored()).add(info.key, parts[2], parts[3], info.size)
    return found
