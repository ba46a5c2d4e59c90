"""The pictures and labels that a class is checked with: a few of a folder, laid out as workers get them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sedna.common.errors import DataError, NotFoundError, SednaError, SpecError
from sedna.common.label_format import LabelFormat
from sedna.common.pictures import SUFFIXES, look
from sedna.common.types import Annotation, sample_id
from sedna.labels.classes import ClassNames
from sedna.labels.files import FolderFiles
from sedna.labels.reading import read_labels
from sedna.labels.txt import format_line

__all__ = ["CheckSamples", "Sample", "find_samples", "write_index"]

_LAYOUTS = (
    "a folder of pictures for each class; or pictures with labels as a YOLO data.yaml, COCO (one .json), "
    "VOC (.xml files) or an index .txt, .csv or .jsonl"
)


@dataclass(frozen=True)
class Sample:
    """A picture and what it shows."""

    path: Path
    annotation: Annotation


@dataclass(frozen=True)
class CheckSamples:
    """Samples in two shares that have nothing in common, and the names of the classes."""

    train: tuple[Sample, ...]
    evaluation: tuple[Sample, ...]
    class_names: tuple[str, ...]

    @property
    def detection(self) -> bool:
        """Whether they are labelled with boxes."""
        return all(sample.annotation.label is None for sample in (*self.train, *self.evaluation))


def find_samples(
    folder: Path, label_format: LabelFormat | None, class_names: Sequence[str], limit: int
) -> CheckSamples:
    """Up to ``limit`` labelled pictures of a folder.

    Args:
        label_format: of the label files; None = told by what is there, class folders where there are no such files.
        class_names: of the job; empty = the class folders, or as many numbers as there are labels.

    Raises:
        NotFoundError: there is no such folder.
        DataError: there are no labelled pictures, or too few.
    """
    if not folder.is_dir():
        raise NotFoundError("there is no such folder", where=str(folder), hint=_LAYOUTS)
    kind = label_format or _format_of(folder)
    names, groups = _of_folders(folder, class_names) if kind is None else _of_labels(folder, kind, class_names)
    taken = _spread(groups, limit)
    if len(taken) < 4:
        raise DataError(f"{len(taken)} labelled pictures are too few", where=str(folder), hint=_LAYOUTS)
    # Every fourth: of each class where there are enough.
    evaluation = taken[::4]
    return CheckSamples(tuple(one for place, one in enumerate(taken) if place % 4), tuple(evaluation), names)


def write_index(samples: Sequence[Sample], folder: Path, index: Path) -> tuple[Path, ...]:
    """Copies of the pictures, called as on a worker by their sample id, and the index that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, copies = [], []
    for sample in samples:
        copy = folder / f"{sample_id(sample.path.read_bytes())}{sample.path.suffix.lower()}"
        shutil.copyfile(sample.path, copy)
        copies.append(copy)
        lines.append(format_line(str(copy), sample.annotation))
    index.write_text("".join(f"{line}\n" for line in lines))
    return tuple(copies)


def _format_of(folder: Path) -> LabelFormat | None:
    names = [path.name.lower() for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if any(name.endswith((".yaml", ".yml")) for name in names) or (folder / "labels").is_dir():
        return LabelFormat.YOLO
    for suffix, kind in ((".json", LabelFormat.COCO), (".jsonl", LabelFormat.JSONL), (".csv", LabelFormat.CSV)):
        if any(name.endswith(suffix) for name in names):
            return kind
    if any(name.endswith(".xml") for name in names) or (folder / "Annotations").is_dir():
        return LabelFormat.VOC
    texts = [name for name in names if name.endswith(".txt")]
    if len(texts) > 1:
        return LabelFormat.YOLO
    return LabelFormat.TXT if texts else None


def _of_folders(folder: Path, class_names: Sequence[str]) -> tuple[tuple[str, ...], list[list[Sample]]]:
    found = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    names = tuple(class_names) or tuple(found)
    if not found:
        raise DataError("no pictures with labels are here", where=str(folder), hint=_LAYOUTS)
    strange = sorted(set(found) - set(names))
    if strange:
        raise SpecError(f"folder {strange[0]!r} is none of the classes", where=str(folder), hint=", ".join(names))
    groups = []
    for label, name in enumerate(names):
        pictures = sorted(_pictures(folder / name)) if name in found else []
        groups.append([Sample(path, Annotation(label=label)) for path in pictures])
    return names, groups


def _of_labels(
    folder: Path, kind: LabelFormat, class_names: Sequence[str]
) -> tuple[tuple[str, ...], list[list[Sample]]]:
    # By name, as label files call them; the stem as well, where a format leaves out the rest.
    pictures = {path.name: path for path in _pictures(folder)}
    stems = {path.stem: path for path in pictures.values()}
    samples, faults = [], []
    classes = ClassNames.of(class_names)  # where none are named, those of the files
    for item in read_labels(FolderFiles(folder), kind, classes):
        names = (item.name, *item.others)
        path = next((pictures[Path(name).name] for name in names if Path(name).name in pictures), None)
        path = path or next((stems[Path(name).stem] for name in names if Path(name).stem in stems), None)
        try:
            if path is None:
                raise DataError("there is no such picture", where=item.where)
            facts = look(path.read_bytes(), where=str(path))
            annotation = item.read().annotation(
                (facts.width, facts.height), tuple(classes.names), where=item.where, orientation=facts.orientation
            )
            samples.append(Sample(path, annotation))
        except SednaError as error:
            faults.append(str(error))
    if not samples:
        hint = faults[0] if faults else "the label files name no picture"
        raise DataError(f"none of the labels ({kind.value}) can be used", where=str(folder), hint=hint)
    labels = [box.label for one in samples for box in one.annotation.boxes]
    labels += [one.annotation.label for one in samples if one.annotation.label is not None]
    names_ = tuple(classes.names) or tuple(str(number) for number in range(max(labels, default=0) + 1))
    return names_, [samples]


def _pictures(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
    ]


def _spread(groups: Sequence[Sequence[Sample]], limit: int) -> list[Sample]:
    """Of each group in turn, so that few samples still show every class; the same sample only once."""
    taken: dict[str, Sample] = {}
    for place in range(max((len(group) for group in groups), default=0)):
        for group in groups:
            if place < len(group) and len(taken) < limit:
                taken.setdefault(sample_id(group[place].path.read_bytes()), group[place])
    return list(taken.values())
