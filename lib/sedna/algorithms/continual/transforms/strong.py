"""Strong augmentation: weak view, RandAugment, cutout."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from sedna.algorithms.continual.data.images import Pixels
from sedna.algorithms.continual.transforms.randaugment import RandAugment
from sedna.algorithms.continual.transforms.weak import weak_views
from sedna.algorithms.training.distributed import SINGLE, Group


@dataclass(frozen=True)
class StrongAugment:
    """Crop, flip, RandAugment, then a grey square.

    Args:
        cutout_size: side of the square in pixels at 32 x 32; it grows with the picture.
        cutout_probability: chance of a square.
        cutout_value: its grey value.

    Source: the strong pipeline of the published EdgeHML configurations (cutout 5 x 5, grey 128, probability 0.5).
    """

    randaugment: RandAugment = field(default_factory=RandAugment)
    cutout_size: int = 5
    cutout_probability: float = 0.5
    cutout_value: int = 128

    def __call__(
        self,
        x_BCHW: Pixels,
        rng: np.random.Generator,
        *,
        padding: int = 4,
        flip: bool = True,
        group: Group = SINGLE,
    ) -> Pixels:
        """One strong view of every picture, uint8 ``(B, 3, H, W)``; each process of a group makes its share of them."""
        views = weak_views(x_BCHW, rng, padding=padding, flip=flip)
        own = group.part(len(views))
        for index in range(len(views)):
            changes = self.randaugment.draw(rng)
            if own.start <= index < own.stop and changes:
                before = Image.fromarray(np.ascontiguousarray(views[index].transpose(1, 2, 0)))
                views[index] = np.asarray(self.randaugment.apply(before, changes)).transpose(2, 0, 1)
        views = group.gather_pixels(views[own], len(views))
        self._cut_out(views, rng)
        return views

    def _cut_out(self, views_BCHW: Pixels, rng: np.random.Generator) -> None:
        batch, _, height, width = views_BCHW.shape
        # The published square is for 32 x 32; the same share of a larger picture hides the same.
        side = max(1, round(self.cutout_size * height / 32))
        fires = rng.random(batch) < self.cutout_probability
        center_B2 = rng.integers((height, width), size=(batch, 2)).tolist()
        for index in np.flatnonzero(fires):
            top = max(0, center_B2[index][0] - side // 2)
            left = max(0, center_B2[index][1] - side // 2)
            views_BCHW[index, :, top : min(height, top + side), left : min(width, left + side)] = self.cutout_value
