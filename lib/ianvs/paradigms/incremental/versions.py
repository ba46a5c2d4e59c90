"""Dataset and model versions of a test case, in the object layout of production (folder ``store``)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ianvs.data.index import read_lines
from ianvs.data.labels import LabelReader
from ianvs.paradigms.base import Case
from ianvs.paradigms.incremental.sampling import HardExample
from sedna.common.atomic import sha256_file
from sedna.common.errors import UserError
from sedna.common.types import JobKey, Picked
from sedna.store import FolderStore
from sedna.store.datasets import DatasetEntry, DatasetPart, write_dataset
from sedna.store.layout import datasets_prefix, models_prefix, sample_key
from sedna.store.models import describe_model, publish_model

NAMESPACE = "ianvs"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


@dataclass
class WrittenDatasets:
    """The samples of the last dataset version by id, and its number."""

    entries: dict[str, DatasetEntry] = field(default_factory=dict)
    last: int | None = None


class VersionStore:
    """Writes versions as the loop makes them, with the bytes of every sample and model, so that production's tools
    (``sedna.store.datasets.materialise``, ``fetch_model``) read them.

    Labels become annotations where they can be read as such: a class number, ``x1,y1,x2,y2,label`` boxes, or a Pascal
    VOC file. Labels of other kinds stay in the index files alone, and no dataset version is written; a note of the
    result says why. Nothing is flushed to the disk: what a power cut takes, the run makes again.

    Args:
        initial: path of the initial model; version 1, if it exists.
    """

    def __init__(self, case: Case, initial: str, created: datetime) -> None:
        # Not durable: flushing thousands of samples costs minutes, and a power cut is made good by running again.
        self.store = FolderStore(Path(case.output_dir) / "store", durable=False)
        self.job = JobKey(namespace=NAMESPACE, name=job_name(case.algorithm.name))
        self.written = WrittenDatasets()
        self._algorithm = case.module("basemodel").name
        self._created = created
        self._labels = self._read_labels(case)
        self._has_initial = bool(initial) and Path(initial).exists()
        if self._has_initial:
            self._publish(1, None, None, Path(initial))

    @staticmethod
    def _read_labels(case: Case) -> LabelReader | None:
        try:
            return LabelReader.of(case.dataset.train_url, case.testenv.class_names)
        except UserError as error:
            case.dataset.notes.append(f"the store gets no dataset versions, the labels are no annotations: {error}")
            return None

    def resume(self, written: WrittenDatasets, models: Collection[int]) -> None:
        """Take over what an earlier process wrote, less the versions of the round in whose middle it ended."""
        self.written = written
        for prefix, known in (
            (models_prefix(self.job), models),
            (datasets_prefix(self.job), range(1, (written.last or 0) + 1)),
        ):
            for info in list(self.store.list(prefix)):
                if int(info.key.removeprefix(prefix).partition("/")[0]) not in known:
                    self.store.delete(info.key)

    def dataset(self, round_id: int, used: Sequence[HardExample], judging: str) -> None:
        """The version that round ``round_id`` trains and judges with; it holds all earlier ones."""
        if self._labels is None:
            return
        entries = [
            self._entry(sample.copy, sample.label, DatasetPart.TRAIN, sample.picked, round_id) for sample in used
        ]
        for line in read_lines(judging):
            name, _, label = line.partition(" ")
            entries.append(self._entry(name, label.strip(), DatasetPart.EVAL, Picked.IMPORT, round_id))
        earlier = {key: entry.model_copy(update={"new": False}) for key, entry in self.written.entries.items()}
        # An earlier entry wins: a sample that judged once must not be trained on later.
        merged = {entry.sample_id: entry for entry in entries} | earlier
        write_dataset(
            self.store, self.job, round_id, self.written.last, merged.values(), class_names=self._labels.class_names
        )
        self.written = WrittenDatasets(merged, round_id)

    def _entry(self, path: str, label: Any, part: DatasetPart, picked: Picked, round_id: int) -> DatasetEntry:
        assert self._labels is not None
        sample = sha256_file(path)
        extension = _NOT_IN_NAMES.sub("", Path(path).suffix.lower())[:8] or "bin"
        # The same bytes are the same sample: a hard example that was also audited is stored once.
        self.store.put_if_absent(sample_key(self.job, sample, extension), Path(path))
        return DatasetEntry(
            sample_id=sample,
            extension=extension,
            part=part,
            annotation=self._labels.read(str(label)),
            picked=picked,
            new=True,
            round=round_id,
        )

    def model(self, version: int, parent: int, round_id: int, path: str) -> None:
        """A candidate, made in round ``round_id`` from version ``parent``."""
        self._publish(version, parent if parent > 1 or self._has_initial else None, round_id, Path(path))

    def _publish(self, version: int, parent: int | None, round_id: int | None, path: Path) -> None:
        description = describe_model(
            self.job,
            version,
            algorithm=self._algorithm,
            runtime="python",
            format=path.suffix.lstrip(".") or "folder",
            created_at=self._created,
            parent=parent,
            round=round_id,
            dataset_version=self.written.last if round_id is not None else None,
            class_names=self._labels.class_names if self._labels is not None else (),
        )
        publish_model(self.store, path, description)


def job_name(algorithm: str) -> str:
    """An algorithm's name as the name of an object."""
    return _NOT_IN_NAMES.sub("-", algorithm.lower()).strip("-") or "algorithm"
