"""Which pictures a training step sees. Step i draws from generator (seed, retry, i), so a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sedna.algorithms.detection.annotations import Boxes, Labelled
from sedna.algorithms.detection.augment import crop_at, dihedral
from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.preprocess import letterbox, pad, read_picture
from sedna.algorithms.training.samples import Pixels

_MIB = 1 << 20


class Batch(NamedTuple):
    """``x_BCHW`` uint8 RGB and, per picture, boxes (M, 5) in its pixels."""

    x_BCHW: Tensor
    boxes: list[Tensor]


class Pool:
    """Labelled pictures at network scale, decoded once as far as the cache reaches, indexed by class."""

    def __init__(self, pictures: Sequence[Labelled], config: FPNConfig) -> None:
        self._pictures = pictures
        self._side = config.input_size
        self._room = config.cache_mb * _MIB
        self._cache: dict[int, tuple[Pixels, Boxes]] = {}
        self._by_class: dict[int, list[int]] = {}
        for index, picture in enumerate(pictures):
            for label in sorted(set(picture.boxes_M5[:, 4].astype(int).tolist())):
                self._by_class.setdefault(label, []).append(index)
        self._labels = sorted(self._by_class)

    def __len__(self) -> int:
        return len(self._pictures)

    def picture(self, index: int) -> tuple[Pixels, Boxes]:
        """Pixels shrunk to the network's input size if larger, and the boxes on them."""
        known = self._cache.get(index)
        if known is not None:
            return known
        labelled = self._pictures[index]
        boxed = letterbox(read_picture(labelled.picture), self._side)
        boxes_M5 = labelled.boxes_M5.copy()
        boxes_M5[:, :4] *= boxed.scale
        # Nothing is ever thrown out: all pictures are as likely to be drawn, so that a newer one is worth no more.
        if self._room >= boxed.pixels_HWC.nbytes:
            self._room -= boxed.pixels_HWC.nbytes
            self._cache[index] = (boxed.pixels_HWC, boxes_M5)
        return boxed.pixels_HWC, boxes_M5

    def draw(self, rng: np.random.Generator, *, balance: bool) -> tuple[int, int | None]:
        """A picture, and the box on it to look at (None: it has none)."""
        if balance and self._labels:
            label = self._labels[int(rng.integers(len(self._labels)))]
            members = self._by_class[label]
            index = members[int(rng.integers(len(members)))]
            candidates = np.nonzero(self._pictures[index].boxes_M5[:, 4] == label)[0]
        else:
            index = int(rng.integers(len(self)))
            candidates = np.arange(len(self._pictures[index].boxes_M5))
        return index, int(rng.choice(candidates)) if len(candidates) else None


class Sampler:
    """Batches of crops (or whole pictures) from the training pool and, if there is one, the replay pool."""

    def __init__(self, train: Pool, replay: Pool | None, config: FPNConfig) -> None:
        self._train = train
        self._replay = replay
        self._config = config

    def batch(self, iteration: int, retry: int, part: slice | None = None) -> Batch:
        """The batch of one step; equal arguments give equal batches.

        Args:
            iteration: the step, from 0.
            retry: how often training went back after diverging, so that the same bad batch is not drawn again.
            part: the rows that are wanted, by default all; the others are drawn and not looked at.
        """
        # Nothing is carried from step to step: a resumed run draws step k without the steps before it.
        rng = np.random.default_rng((self._config.seed, retry, iteration))
        size = self._config.batch_size
        wanted = range(size)[part or slice(None)]
        drawn = [self._sample(rng, wanted=index in wanted) for index in range(size)]
        samples = [sample for sample in drawn if sample is not None]
        x_BHWC = np.stack([pixels for pixels, _ in samples])
        x_BCHW = torch.from_numpy(x_BHWC).permute(0, 3, 1, 2)
        return Batch(x_BCHW, [torch.from_numpy(np.ascontiguousarray(boxes)) for _, boxes in samples])

    def _sample(self, rng: np.random.Generator, *, wanted: bool) -> tuple[Pixels, Boxes] | None:
        config = self._config
        from_replay = self._replay is not None and rng.random() < config.replay_ratio
        pool = self._replay if from_replay and self._replay is not None else self._train
        # Drawing anywhere must not follow the class balance, or background would be that of rare classes only.
        anywhere = rng.random() < config.background_ratio
        index, box = pool.draw(rng, balance=config.class_balance and not anywhere)
        nowhere = box is None or anywhere
        if not wanted:
            self._pass_over(rng, nowhere=nowhere)
            return None
        pixels, boxes_M5 = pool.picture(index)
        if config.crop_size:
            center = _anywhere(pixels, rng) if nowhere else _center(boxes_M5[box])
            pixels, boxes_M5 = crop_at(pixels, boxes_M5, config.crop_size, center, rng)
        else:
            pixels = pad(pixels, config.input_size, config.input_size)
        if config.augment == "dihedral":
            pixels, boxes_M5 = dihedral(pixels, boxes_M5, int(rng.integers(8)))
        return pixels, boxes_M5

    def _pass_over(self, rng: np.random.Generator, *, nowhere: bool) -> None:
        """Draw what a sample draws after its picture, so that the next one finds the generator as it should be."""
        if self._config.crop_size:
            rng.random(4 if nowhere else 2)  # the centre, and the two corners of `crop_at`
        if self._config.augment == "dihedral":
            rng.integers(8)


def _anywhere(pixels_HWC: Pixels, rng: np.random.Generator) -> tuple[float, float]:
    height, width = pixels_HWC.shape[:2]
    return float(rng.uniform(0, width)), float(rng.uniform(0, height))


def _center(box_5: Boxes) -> tuple[float, float]:
    return float(box_5[0] + box_5[2]) / 2, float(box_5[1] + box_5[3]) / 2
