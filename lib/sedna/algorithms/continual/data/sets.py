"""The task sets by name: CIFAR-10, CIFAR-100, TinyImageNet, folders, COCO and VOC files, synthetic shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

import numpy as np

from sedna.algorithms.continual.data.boxes import load_coco_crops, load_voc_crops
from sedna.algorithms.continual.data.cifar import Variant, load_cifar
from sedna.algorithms.continual.data.config import DataConfig
from sedna.algorithms.continual.data.folders import (
    domain_names,
    domain_of,
    load_domains,
    load_image_folder,
    load_tiny_imagenet,
)
from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.split import SplitSettings, hold_out_validation, select_classes, split_task
from sedna.algorithms.continual.data.synthetic import make_shapes
from sedna.algorithms.continual.data.task import BaseSplitSemiTask, CLType, Indices
from sedna.algorithms.continual.transforms.pipeline import CIFAR10, CIFAR100, ViewPipeline
from sedna.common.errors import SpecError


class SplitSemiCifar10(BaseSplitSemiTask):
    """CIFAR-10 in tasks of a few classes."""

    NORMALISATION = CIFAR10


class SplitSemiCifar100(BaseSplitSemiTask):
    """CIFAR-100 in tasks of a few classes."""

    NORMALISATION = CIFAR100


class SplitSemiTinyImageNet(BaseSplitSemiTask):
    """TinyImageNet (64 x 64) in tasks of a few classes."""


class SplitSemiImages(BaseSplitSemiTask):
    """Any pictures of the user: folders, or the boxes of COCO and VOC files."""


KINDS: dict[str, type[BaseSplitSemiTask]] = {
    "cifar10": SplitSemiCifar10,
    "cifar100": SplitSemiCifar100,
    "tiny_imagenet": SplitSemiTinyImageNet,
}


class ContinualLearningTasks(Sequence[BaseSplitSemiTask]):
    """The tasks of a run in their order.

    Raises:
        SpecError: no task, or tasks that differ in class list or CL type.
    """

    def __init__(self, tasks: Sequence[BaseSplitSemiTask]) -> None:
        if not tasks:
            raise SpecError("no task", where="tasks", hint="one or more")
        first = tasks[0]
        for task in tasks:
            if task.CLASSES != first.CLASSES or task.cl_type != first.cl_type:
                raise SpecError(
                    "differs from the first task in class list or CL type", where=task.where, hint="equal in all tasks"
                )
        self._tasks = list(tasks)
        self.class_names = first.CLASSES
        self.cl_type: CLType = first.cl_type
        self.pipeline = first.pipeline

    @overload
    def __getitem__(self, index: int) -> BaseSplitSemiTask: ...
    @overload
    def __getitem__(self, index: slice) -> ContinualLearningTasks: ...
    def __getitem__(self, index: int | slice) -> BaseSplitSemiTask | ContinualLearningTasks:
        return ContinualLearningTasks(self._tasks[index]) if isinstance(index, slice) else self._tasks[index]

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[BaseSplitSemiTask]:
        return iter(self._tasks)

    def use_pipeline(self, pipeline: ViewPipeline) -> None:
        """Let every task read its pictures through ``pipeline``."""
        self.pipeline = pipeline
        for task in self._tasks:
            task.pipeline = pipeline

    def checksum(self) -> str:
        """Tells two task sets apart: pixels, labels and order of every part."""
        parts = [(t.labelled.checksum(), t.unlabelled.checksum(), t.test.checksum()) for t in self._tasks]
        return "-".join(f"{a:08x}{b:08x}{c:08x}" for a, b, c in parts)


def build_tasks(config: DataConfig, seed: int) -> ContinualLearningTasks:
    """Load the data of a configuration and split it.

    Raises:
        NotFoundError: the data is not where ``root`` says.
        DataError: it is damaged, or too small for the split.
        SpecError: the split does not fit the class list.
    """
    return split_tasks(config, seed, *load_images(config))


def load_images(config: DataConfig) -> tuple[ImageSet, ImageSet]:
    """The training and test pictures of a configuration, labels complete."""
    root = Path(config.root)
    if config.kind in ("cifar10", "cifar100"):
        variant: Variant = "cifar10" if config.kind == "cifar10" else "cifar100"
        train = load_cifar(root, variant, "train", config.classes, on_corrupt=config.on_corrupt)
        test = load_cifar(root, variant, "test", config.classes, on_corrupt=config.on_corrupt)
    elif config.kind == "tiny_imagenet":
        size, classes, corrupt = config.image_size, config.classes, config.on_corrupt
        train = load_tiny_imagenet(root, "train", image_size=size, classes=classes, on_corrupt=corrupt)
        test = load_tiny_imagenet(root, "test", image_size=size, classes=classes, on_corrupt=corrupt)
    elif config.kind == "synthetic":
        train = make_shapes(config.image_size, 60, seed=0)
        test = make_shapes(config.image_size, 20, seed=1)
    else:
        train = _load_user_images(config, "train", ())
        test = _load_user_images(config, "test", train.class_names)
    if config.classes is not None:
        train, test = select_classes(train, config.classes), select_classes(test, config.classes)
    if not config.validation_per_class:
        return train, test
    domains = [domain_of(name) for name in train.sample_names] if config.kind == "domains" else []
    return hold_out_validation(train, config.validation_per_class, domains)


def _load_user_images(config: DataConfig, part: Literal["train", "test"], class_names: tuple[str, ...]) -> ImageSet:
    root = Path(config.root)
    names = tuple(config.class_names) or class_names
    if config.kind == "folder":
        return load_image_folder(
            root / part, image_size=config.image_size, class_names=names, on_corrupt=config.on_corrupt
        )
    if config.kind == "domains":
        return load_domains(
            root,
            part,
            image_size=config.image_size,
            domains=config.domains,
            class_names=names,
            on_corrupt=config.on_corrupt,
        )
    if config.kind == "coco":
        return load_coco_crops(
            root / f"{part}.json",
            root / part,
            image_size=config.image_size,
            class_names=names,
            on_corrupt=config.on_corrupt,
        )
    return load_voc_crops(
        root / part / "Annotations",
        root / part / "JPEGImages",
        image_size=config.image_size,
        class_names=names,
        on_corrupt=config.on_corrupt,
    )


def split_tasks(config: DataConfig, seed: int, train: ImageSet, test: ImageSet) -> ContinualLearningTasks:
    """Split loaded pictures: natural class order, ``classes_per_task`` classes a task.

    With domain-il the same classes come in every task and the pictures are divided instead: by their domain, or where
    the data has none, evenly.
    """
    settings = SplitSettings(
        config.labels_per_class,
        config.label_draw,
        config.unlabelled_per_class,
        config.test_per_class,
        config.uratio,
        config.cl_type,
        seed,
    )
    kind = KINDS.get(config.kind, SplitSemiImages)
    # One for all tasks: what a memory keeps of one task is normalised with the next.
    pipeline = ViewPipeline(config.normalisation or kind.NORMALISATION, config.padding, config.flip)
    num_classes = len(train.class_names)
    count, step = range(config.num_tasks), config.classes_per_task
    if config.cl_type == "domain-il":
        shards = [[part.take(indices) for part, indices in _shard(config, (train, test), t)] for t in count]
        return ContinualLearningTasks(
            [split_task(kind, shards[t][0], shards[t][1], t, range(num_classes), settings, pipeline) for t in count]
        )
    if config.kind == "domains":
        raise SpecError(f"cl_type {config.cl_type} with data of kind domains", where="data.cl_type", hint="domain-il")
    if len(count) * step > num_classes:
        raise SpecError(f"{len(count)} tasks of {step} classes", where="data", hint=f"there are {num_classes} classes")
    return ContinualLearningTasks(
        [split_task(kind, train, test, t, range(step * t, step * (t + 1)), settings, pipeline) for t in count]
    )


def _shard(config: DataConfig, parts: tuple[ImageSet, ImageSet], task: int) -> list[tuple[ImageSet, Indices]]:
    """Which pictures of each part belong to a task of a domain-il run."""
    if config.kind != "domains":
        return [(part, _every(part, config.num_tasks, task)) for part in parts]
    names = domain_names(Path(config.root), config.domains)
    if config.num_tasks != len(names):
        raise SpecError(
            f"{config.num_tasks} tasks", where="data.num_tasks", hint=f"there are {len(names)}: {', '.join(names)}"
        )
    inside = [np.array([domain_of(name) == names[task] for name in part.sample_names], dtype=bool) for part in parts]
    return [(part, np.flatnonzero(own).astype(np.int64)) for part, own in zip(parts, inside, strict=True)]


def _every(images: ImageSet, parts: int, part: int) -> Indices:
    """Every ``parts``-th picture of each class, from number ``part`` on, in file order."""
    members = [np.flatnonzero(images.y_N == label)[part::parts] for label in range(len(images.class_names))]
    return np.sort(np.concatenate(members)).astype(np.int64)
