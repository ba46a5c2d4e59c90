"""One task of a semi-supervised continual-learning sequence, and the batches that training reads from it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sedna.algorithms.continual.data.images import ImageSet, Pixels
from sedna.algorithms.continual.rng import generator
from sedna.algorithms.continual.transforms.pipeline import IMAGENET, Normalisation, ViewPipeline
from sedna.common.errors import DataError, SpecError

CLType = Literal["class-il", "task-il", "domain-il"]
"""What a model is told at test time: the task (task-il), nothing (class-il), nothing with equal classes in every task
(domain-il)."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SemiSample:
    """One labelled picture ``(3, H, W)`` and views of the unlabelled ones with it ``(uratio, 3, H, W)``, float32."""

    img: Tensor
    gt_label: int
    task_id: int
    index: int
    weak: Tensor
    strong: Tensor


@dataclass
class TrainBatch:
    """What one iteration trains on. Views are made when they are first asked for: a method that never looks at the
    unlabelled pictures does not pay for them.

    Args:
        x_BCHW: labelled pictures as stored (uint8), not augmented.
        index_B: their positions in the task's labelled set.
        u_UCHW: unlabelled pictures as stored.
        index_U: their positions in the task's unlabelled set.
        key: seed, task, iteration and retry, from which every view derives its random numbers.
    """

    task_id: int
    iteration: int
    x_BCHW: Pixels
    y_B: Tensor
    index_B: Indices
    u_UCHW: Pixels
    index_U: Indices
    pipeline: ViewPipeline
    key: tuple[int, ...]
    view_seconds: float = 0.0

    @cached_property
    def weak_images(self) -> Pixels:
        """Weak views of the labelled pictures, uint8."""
        return self._view("labelled", self.x_BCHW, strong=False)

    @cached_property
    def images(self) -> Tensor:
        """Weak views of the labelled pictures, normalised float32."""
        return self.pipeline.normalise(self.weak_images)

    @cached_property
    def unlabelled_weak(self) -> Pixels:
        """Weak views of the unlabelled pictures, uint8."""
        return self._view("weak", self.u_UCHW, strong=False)

    @cached_property
    def unlabelled_strong(self) -> Pixels:
        """Strong views of the unlabelled pictures, uint8."""
        return self._view("strong", self.u_UCHW, strong=True)

    def generator(self, purpose: str) -> np.random.Generator:
        """Random numbers of this iteration for one purpose."""
        return generator(self.key[0], purpose, *self.key[1:])

    def view(self, purpose: str, x_BCHW: Pixels, *, strong: bool) -> Tensor:
        """A fresh normalised view of any pictures (replayed ones, say)."""
        return self.pipeline.normalise(self._view(purpose, x_BCHW, strong=strong))

    def _view(self, purpose: str, x_BCHW: Pixels, *, strong: bool) -> Pixels:
        start = time.perf_counter()
        rng = self.generator(f"view {purpose}")
        views = self.pipeline.strong(x_BCHW, rng) if strong else self.pipeline.weak(x_BCHW, rng)
        self.view_seconds += time.perf_counter() - start
        return views


class BaseSplitSemiTask:
    """Few labelled pictures, many unlabelled ones, and test pictures of one task.

    ``len(task)`` is the number of labelled pictures; ``task[i]`` a `SemiSample`. The unlabelled set may carry labels
    (known to the split, hidden from training): only an oracle or a diagnosis may read them.

    Args:
        task_id: position in the sequence.
        class_index: the labels of this task, within the class list of the whole sequence.
        labelled, unlabelled, test: the pictures; the unlabelled set may be empty.
        uratio: unlabelled pictures that come with each labelled one.
        seed: decides the order of batches and all augmentation.
        complete: every class must have a labelled picture; False where earlier tasks brought some of the classes.

    Raises:
        DataError: no labels, fewer than two classes, or a label that is not in ``class_index``.
    """

    NORMALISATION: ClassVar[Normalisation] = IMAGENET
    PADDING: ClassVar[int] = 4

    def __init__(
        self,
        task_id: int,
        class_index: Sequence[int],
        labelled: ImageSet,
        unlabelled: ImageSet,
        test: ImageSet,
        *,
        pipeline: ViewPipeline | None = None,
        uratio: int = 7,
        cl_type: CLType = "task-il",
        seed: int = 0,
        complete: bool = True,
    ) -> None:
        self.task_id = task_id
        self.class_index = tuple(int(label) for label in class_index)
        self.labelled, self.unlabelled, self.test = labelled, unlabelled, test
        self.pipeline = pipeline or ViewPipeline(self.NORMALISATION, self.PADDING)
        self.uratio = uratio
        self.cl_type: CLType = cl_type
        self.seed = seed
        self._check(complete=complete)

    @property
    def CLASSES(self) -> tuple[str, ...]:  # noqa: N802 - the name is part of the framework's contract
        """Names of all classes of the sequence."""
        return self.labelled.class_names

    @property
    def where(self) -> str:
        """Name of this task in messages."""
        return f"task {self.task_id} of {self.labelled.name}"

    def _check(self, *, complete: bool) -> None:
        if len(self.labelled) == 0:
            raise DataError("has no labelled picture", where=self.where, hint="at least one a class")
        if len(set(self.class_index)) < 2:
            raise DataError(
                f"has {len(set(self.class_index))} class", where=self.where, hint="two or more: nothing to tell apart"
            )
        for part, images in (("labelled", self.labelled), ("test", self.test)):
            foreign = sorted(set(images.y_N.tolist()) - set(self.class_index))
            if foreign:
                raise DataError(
                    f"{part} pictures have labels {foreign} that are not of this task",
                    where=self.where,
                    hint=f"labels {list(self.class_index)}",
                )
        missing = sorted(set(self.class_index) - set(self.labelled.y_N.tolist()))
        if missing and complete:
            raise DataError(f"classes {missing} have no labelled picture", where=self.where, hint="one or more each")
        if self.uratio < 1:
            raise SpecError(f"uratio {self.uratio}", where=self.where, hint="1 or more")

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitem__(self, index: int) -> SemiSample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        batch = self._batch(np.asarray([index], dtype=np.int64), (self.seed, self.task_id, index), 0)
        return SemiSample(
            batch.images[0],
            int(batch.y_B[0]),
            self.task_id,
            index,
            self.pipeline.normalise(batch.unlabelled_weak),
            self.pipeline.normalise(batch.unlabelled_strong),
        )

    def batches_per_pass(self, batch_size: int, *, even: bool) -> int:
        """Batches in one pass over the labelled pictures; the last one is smaller unless ``even``."""
        return max(1, len(self) // batch_size) if even else -(-len(self) // batch_size)

    def batch(self, iteration: int, batch_size: int, *, even: bool = False, retry: int = 0) -> TrainBatch:
        """The batch of one iteration; equal arguments give equal batches.

        Args:
            batch_size: labelled pictures; a pass over 25 with 8 gives 8, 8, 8, 1.
            even: leave out the short rest of a pass instead.
            retry: how often training went back after diverging, so that the same batch is not met again.
        """
        per_pass = self.batches_per_pass(batch_size, even=even)
        # The order belongs to the pass, so that every picture comes once in it wherever a run was resumed.
        order = generator(self.seed, "order", self.task_id, iteration // per_pass, retry).permutation(len(self))
        start = (iteration % per_pass) * batch_size
        key = (self.seed, self.task_id, iteration, retry)
        return self._batch(order[start : start + batch_size].astype(np.int64), key, iteration)

    def _batch(self, index_B: Indices, key: tuple[int, ...], iteration: int) -> TrainBatch:
        index_U = self._neighbours(len(index_B), generator(key[0], "unlabelled", *key[1:]))
        return TrainBatch(
            self.task_id,
            iteration,
            self.labelled.x_NCHW[index_B],
            torch.from_numpy(self.labelled.y_N[index_B]).to(self.pipeline.device),
            index_B,
            self.unlabelled.x_NCHW[index_U],
            index_U,
            self.pipeline,
            key,
        )

    def _neighbours(self, count: int, rng: np.random.Generator) -> Indices:
        """For each labelled picture ``uratio`` consecutive positions of the unlabelled set, from a random start."""
        if len(self.unlabelled) == 0:
            return np.empty(0, dtype=np.int64)
        starts_B = rng.integers(len(self.unlabelled), size=count)
        positions = (starts_B[:, None] + np.arange(self.uratio)[None, :]) % len(self.unlabelled)
        return positions.reshape(-1).astype(np.int64)
