"""How a labelled data set becomes tasks with few labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.task import BaseSplitSemiTask, CLType, Indices
from sedna.algorithms.continual.rng import generator
from sedna.algorithms.continual.transforms.pipeline import ViewPipeline
from sedna.common.errors import DataError

_VALIDATION = 12345
"""Seed of the validation pictures; another one would be another validation set."""


@dataclass(frozen=True)
class SplitSettings:
    """Numbers of a split.

    Args:
        labels_per_class: labelled pictures of each class.
        label_draw: "random" draws them with the seed; "first" takes the first in file order, as the published
            protocol does (which depends on the order of the files).
        unlabelled_per_class: pictures of each class whose label is hidden; None: all. The labelled ones are among
            them, as in the published protocol.
        test_per_class: test pictures of each class; None: all.
        uratio: unlabelled pictures with each labelled one in a batch.
    """

    labels_per_class: int = 5
    label_draw: Literal["random", "first"] = "random"
    unlabelled_per_class: int | None = None
    test_per_class: int | None = None
    uratio: int = 7
    cl_type: CLType = "task-il"
    seed: int = 0


def split_task(
    kind: type[BaseSplitSemiTask],
    train: ImageSet,
    test: ImageSet,
    task_id: int,
    class_index: Sequence[int],
    settings: SplitSettings,
    pipeline: ViewPipeline | None = None,
) -> BaseSplitSemiTask:
    """One task: the chosen classes of ``train`` with most labels hidden, and their test pictures.

    Raises:
        DataError: a class has fewer pictures than labels are asked for.
    """
    rng = generator(settings.seed, "labels", task_id)
    labelled: list[Indices] = []
    unlabelled: list[Indices] = []
    tested: list[Indices] = []
    for label in class_index:
        members = np.flatnonzero(train.y_N == label).astype(np.int64)
        if len(members) < settings.labels_per_class:
            raise DataError(
                f"class {train.class_names[label]!r} has {len(members)} pictures",
                where=f"task {task_id} of {train.name}",
                hint=f"at least labels_per_class = {settings.labels_per_class}",
            )
        ordered = rng.permutation(members) if settings.label_draw == "random" else members
        chosen = ordered[: settings.labels_per_class]
        rest = np.setdiff1d(members, chosen)
        wanted = len(members) if settings.unlabelled_per_class is None else settings.unlabelled_per_class
        labelled.append(chosen)
        # The labelled ones come first, so that they are among the unlabelled whatever number is wanted.
        unlabelled.append(np.concatenate([chosen, rest])[:wanted])
        tested.append(np.flatnonzero(test.y_N == label)[: settings.test_per_class].astype(np.int64))
    # File order mixes the classes where the files do; the neighbours of a batch rely on it.
    unlabelled_positions = np.sort(np.concatenate(unlabelled))
    return kind(
        task_id,
        class_index,
        train.take(np.concatenate(labelled)),
        train.take(unlabelled_positions),
        test.take(np.sort(np.concatenate(tested))),
        pipeline=pipeline,
        uratio=settings.uratio,
        cl_type=settings.cl_type,
        seed=settings.seed,
    )


def hold_out_validation(train: ImageSet, per_class: int, domains: Sequence[str] = ()) -> tuple[ImageSet, ImageSet]:
    """Training pictures without, and only, ``per_class`` random ones of each class; the same ones in every run, so that
    what was chosen by them was not chosen by the test pictures.

    Args:
        domains: the domain of each picture; where given, ``per_class`` counts within each domain.

    Raises:
        DataError: a class has too few pictures.
    """
    rng = np.random.default_rng(_VALIDATION)
    kept: list[Indices] = []
    held_out: list[Indices] = []
    for domain, (label, name) in product(sorted(set(domains)) or [""], enumerate(train.class_names)):
        inside_N = train.y_N == label
        if domain:
            inside_N = inside_N & (np.asarray(domains) == domain)
        members = np.flatnonzero(inside_N).astype(np.int64)
        if 0 < len(members) <= per_class:
            raise DataError(
                f"class {name!r} has {len(members)} pictures{f' in {domain}' if domain else ''}",
                where=train.name,
                hint=f"more than {per_class} for both",
            )
        ordered = rng.permutation(members)
        kept.append(ordered[: len(members) - per_class])
        held_out.append(ordered[len(members) - per_class :])
    return train.take(np.sort(np.concatenate(kept))), train.take(np.sort(np.concatenate(held_out)))


def select_classes(images: ImageSet, classes: Sequence[int]) -> ImageSet:
    """Only these classes, relabelled 0, 1, ... in the given order.

    Raises:
        DataError: a class does not exist, or is named twice.
    """
    unknown = [label for label in classes if not 0 <= label < len(images.class_names)]
    if unknown or len(set(classes)) != len(classes):
        raise DataError(
            f"classes {list(classes)}", where=images.name, hint=f"distinct labels in 0..{len(images.class_names) - 1}"
        )
    table = np.full(len(images.class_names), -1, dtype=np.int64)
    table[np.asarray(classes)] = np.arange(len(classes))
    kept = images.take(np.flatnonzero(np.isin(images.y_N, np.asarray(classes))).astype(np.int64))
    names = tuple(images.class_names[label] for label in classes)
    return ImageSet(kept.x_NCHW, table[kept.y_N], names, images.name, kept.sample_names)
