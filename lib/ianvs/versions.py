"""Dataset and model versions of a test case, in the object layout of production (folder ``store``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ianvs.data.index import read_lines
from ianvs.sampling import HardExample
from sedna.common.atomic import sha256_file
from sedna.common.errors import UserError
from sedna.common.types import Annotation, JobKey, Picked
from sedna.labels.txt import parse_line
from sedna.labels.voc import read_voc
from sedna.store import FolderStore
from sedna.store.datasets import DatasetEntry, DatasetPart, write_dataset
from sedna.store.models import publish_model

if TYPE_CHECKING:
    from ianvs.paradigms.base import Case

NAMESPACE = "ianvs"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class Versions:
    """Writes versions as the loop makes them.

    Labels become annotations where they can be read as such: a class number, ``x1,y1,x2,y2,label`` boxes, or a Pascal
    VOC file. Labels of other kinds stay in the index files alone, and no dataset version is written. Samples are named
    by their sha256 and stay where the index has them: copying each durably would cost more than the rest of a case.

    Args:
        initial: path of the initial model; version 1, if it exists.
    """

    def __init__(self, case: Case, initial: str, created: datetime) -> None:
        self.store = FolderStore(Path(case.output_dir) / "store")
        self.job = JobKey(namespace=NAMESPACE, name=job_name(case.algorithm.name))
        self._algorithm = case.module("basemodel").name
        self._created = created
        self._entries: dict[str, DatasetEntry] = {}
        self._last: int | None = None
        self._labels = Labels.of(case.dataset.train_url, case.testenv.class_names)
        self._has_initial = bool(initial) and Path(initial).exists()
        if self._has_initial:
            self._publish(1, None, None, Path(initial))

    def dataset(self, number: int, used: Sequence[HardExample], judging: str) -> None:
        """The version that round ``number`` trains and judges with; it holds all earlier ones."""
        if self._labels is None:
            return
        entries = [self._entry(sample.copy, sample.label, DatasetPart.TRAIN, sample.picked, number) for sample in used]
        for line in read_lines(judging):
            name, _, label = line.partition(" ")
            entries.append(self._entry(name, label.strip(), DatasetPart.EVAL, Picked.IMPORT, number))
        earlier = {key: entry.model_copy(update={"new": False}) for key, entry in self._entries.items()}
        self._entries = {entry.sample_id: entry for entry in entries} | earlier
        write_dataset(
            self.store, self.job, number, self._last, self._entries.values(), class_names=self._labels.class_names
        )
        self._last = number

    def _entry(self, path: str, label: Any, part: DatasetPart, picked: Picked, number: int) -> DatasetEntry:
        assert self._labels is not None
        sample = sha256_file(path)
        extension = _NOT_IN_NAMES.sub("", Path(path).suffix.lower())[:8] or "bin"
        return DatasetEntry(
            sample_id=sample,
            extension=extension,
            part=part,
            annotation=self._labels.read(str(label)),
            picked=picked,
            new=True,
            round=number,
        )

    def model(self, version: int, parent: int, number: int, path: str) -> None:
        """A candidate, made in round ``number`` from version ``parent``."""
        self._publish(version, parent if parent > 1 or self._has_initial else None, number, Path(path))

    def _publish(self, version: int, parent: int | None, number: int | None, path: Path) -> None:
        publish_model(
            self.store,
            self.job,
            version,
            path,
            algorithm=self._algorithm,
            runtime="python",
            format=path.suffix.lstrip(".") or "folder",
            created_at=self._created,
            parent=parent,
            round=number,
            dataset_version=self._last if number is not None else None,
            class_names=self._labels.class_names if self._labels is not None else (),
        )


class Labels:
    """Reads the labels of one index as annotations."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)

    @classmethod
    def of(cls, index: str, class_names: Sequence[str]) -> Labels | None:
        """A reader for an index, or None if its labels are of another kind. Class names not given are found."""
        if Path(index).suffix != ".txt":
            return None
        labels = [line.partition(" ")[2].strip() for line in read_lines(index)]
        try:
            reader = cls.over(labels, class_names)
            for label in labels:
                reader.read(label)
        except (UserError, ValueError):
            return None
        return reader

    @classmethod
    def over(cls, labels: Sequence[str], class_names: Sequence[str] = ()) -> Labels:
        """A reader for these labels.

        Raises:
            DataError, ValueError: their classes cannot be found out.
        """
        return cls(tuple(class_names) or _found_names(labels))

    def read(self, label: str) -> Annotation:
        """The annotation that a label stands for.

        Raises:
            DataError, ValueError: it stands for none.
        """
        if label.endswith(".xml"):
            return read_voc([Path(label)], class_names=self.class_names, mode="clip").labels.items[0].annotation
        line = parse_line(f"x {_number_of(label)}".strip(), label)
        annotation = Annotation(label=line.label) if line.label is not None else _boxes(line.boxes)
        numbers = [box.label for box in annotation.boxes] + ([] if annotation.label is None else [annotation.label])
        if any(number >= len(self.class_names) for number in numbers):
            raise ValueError(f"label {max(numbers)} of {len(self.class_names)} classes")
        return annotation


def _number_of(label: str) -> str:
    """Upstream turns the class number of a relative index into a path: ``/folder/3`` is 3."""
    last = label.rpartition("/")[2]
    return last if last.isdigit() else label


def _found_names(labels: Sequence[str]) -> tuple[str, ...]:
    if labels and all(label.endswith(".xml") for label in labels):
        return read_voc([Path(label) for label in labels], mode="clip").labels.class_names
    highest = -1
    for label in labels:
        line = parse_line(f"x {_number_of(label)}".strip(), label)
        highest = max([highest, *(box.label for box in line.boxes), -1 if line.label is None else line.label])
    return tuple(str(number) for number in range(highest + 1))


def _boxes(raw: Sequence[Any]) -> Annotation:
    return Annotation.model_validate(
        {"boxes": [{"x1": b.x1, "y1": b.y1, "x2": b.x2, "y2": b.y2, "label": b.label} for b in raw]}
    )


def job_name(algorithm: str) -> str:
    """An algorithm's name as the name of an object."""
    return _NOT_IN_NAMES.sub("-", algorithm.lower()).strip("-") or "algorithm"
