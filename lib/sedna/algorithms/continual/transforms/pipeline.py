"""From stored uint8 pictures to what a network reads: views and normalisation of one data set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sedna.algorithms.continual.data.images import Pixels
from sedna.algorithms.continual.transforms.randaugment import RandAugment
from sedna.algorithms.continual.transforms.strong import StrongAugment
from sedna.algorithms.continual.transforms.weak import weak_views
from sedna.algorithms.training.device import CPU
from sedna.algorithms.training.distributed import SINGLE, Group

Stats = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each RGB channel, on the scale 0..255."""

    mean: Stats
    std: Stats


CIFAR10 = Normalisation((125.307, 122.961, 113.8575), (51.5865, 50.847, 51.255))
CIFAR100 = Normalisation((129.304, 124.070, 112.434), (68.170, 65.392, 70.418))
IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


@dataclass(frozen=True)
class ViewPipeline:
    """The views of one data set. Views stay uint8, so that a memory can hold exactly what was seen at a byte a value.

    Args:
        padding: see `weak_views`.
        flip: whether mirroring keeps the meaning of a picture (false for text, signs, boards with an upright).
        group: processes that make the strong views of a batch together, since these take most of the time.
    """

    normalisation: Normalisation
    padding: int = 4
    flip: bool = True
    memory_format: torch.memory_format = torch.contiguous_format
    device: torch.device = CPU
    randaugment: RandAugment | None = None
    group: Group = field(default=SINGLE, repr=False, compare=False)
    _strong: StrongAugment = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        red, green, blue = (round(value) for value in self.normalisation.mean)
        # Corners that a rotation uncovers get the mean colour: normalised it is about zero, no signal.
        policy = self.randaugment or RandAugment(fill=(red, green, blue))
        object.__setattr__(self, "_strong", StrongAugment(policy))

    def weak(self, x_BCHW: Pixels, rng: np.random.Generator) -> Pixels:
        """One weak view of every picture."""
        return weak_views(x_BCHW, rng, padding=self.padding, flip=self.flip)

    def strong(self, x_BCHW: Pixels, rng: np.random.Generator) -> Pixels:
        """One strong view of every picture."""
        return self._strong(x_BCHW, rng, padding=self.padding, flip=self.flip, group=self.group)

    def normalise(self, x_BCHW: Pixels | Tensor) -> Tensor:
        """float32 ``(B, 3, H, W)`` on the device and in the memory format of the run."""
        x = torch.from_numpy(np.ascontiguousarray(x_BCHW)) if isinstance(x_BCHW, np.ndarray) else x_BCHW
        mean = torch.tensor(self.normalisation.mean, device=self.device).view(1, 3, 1, 1)
        std = torch.tensor(self.normalisation.std, device=self.device).view(1, 3, 1, 1)
        return ((x.to(self.device).float() - mean) / std).contiguous(memory_format=self.memory_format)
