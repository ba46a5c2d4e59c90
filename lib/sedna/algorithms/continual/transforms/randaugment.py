"""RandAugment as the published EdgeHML configurations use it, on Pillow.

Source: E. D. Cubuk et al., RandAugment, 2020, with the policy table of the 0.x series of mmcls: 3 of the 15 policies,
drawn with replacement; level m ~ N(7, 0.5) clipped to [0, 10]; value = m/10 * (v2 - v1) + v1; each drawn policy fires
with probability 0.5, signed ones are negated with probability 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

Color = tuple[int, int, int]
Operation = Callable[[Image.Image, float, Color], Image.Image]


@dataclass(frozen=True)
class Policy:
    """One kind of change and the range of its strength (``low`` at level 0, ``high`` at level 10)."""

    name: str
    apply: Operation
    low: float = 0.0
    high: float = 0.0
    signed: bool = False


def _affine(image: Image.Image, matrix: tuple[float, float, float, float, float, float], fill: Color) -> Image.Image:
    return image.transform(
        image.size, Image.Transform.AFFINE, matrix, resample=Image.Resampling.BICUBIC, fillcolor=fill
    )


def _rotate(image: Image.Image, degrees: float, fill: Color) -> Image.Image:
    return image.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=fill)


def _solarize_add(image: Image.Image, amount: float, _fill: Color) -> Image.Image:
    table = [min(255, value + int(amount)) if value < 128 else value for value in range(256)]
    return image.point(table * 3)


def _shear_x(image: Image.Image, value: float, fill: Color) -> Image.Image:
    return _affine(image, (1, value, 0, 0, 1, 0), fill)


def _shear_y(image: Image.Image, value: float, fill: Color) -> Image.Image:
    return _affine(image, (1, 0, 0, value, 1, 0), fill)


def _translate_x(image: Image.Image, value: float, fill: Color) -> Image.Image:
    return _affine(image, (1, 0, value * image.width, 0, 1, 0), fill)


def _translate_y(image: Image.Image, value: float, fill: Color) -> Image.Image:
    return _affine(image, (1, 0, 0, 0, 1, value * image.height), fill)


POLICIES: tuple[Policy, ...] = (
    Policy("AutoContrast", lambda image, _value, _fill: ImageOps.autocontrast(image)),
    Policy("Equalize", lambda image, _value, _fill: ImageOps.equalize(image)),
    Policy("Invert", lambda image, _value, _fill: ImageOps.invert(image)),
    Policy("Rotate", _rotate, 0, 30, signed=True),
    Policy("Posterize", lambda image, value, _fill: ImageOps.posterize(image, max(1, math.ceil(value))), 4, 0),
    Policy("Solarize", lambda image, value, _fill: ImageOps.solarize(image, int(value)), 256, 0),
    Policy("SolarizeAdd", _solarize_add, 0, 110),
    Policy("Color", lambda image, value, _fill: ImageEnhance.Color(image).enhance(1 + value), 0, 0.9, signed=True),
    Policy("Contrast", lambda i, value, _fill: ImageEnhance.Contrast(i).enhance(1 + value), 0, 0.9, signed=True),
    Policy("Brightness", lambda i, value, _fill: ImageEnhance.Brightness(i).enhance(1 + value), 0, 0.9, signed=True),
    Policy("Sharpness", lambda i, value, _fill: ImageEnhance.Sharpness(i).enhance(1 + value), 0, 0.9, signed=True),
    Policy("ShearX", _shear_x, 0, 0.3, signed=True),
    Policy("ShearY", _shear_y, 0, 0.3, signed=True),
    Policy("TranslateX", _translate_x, 0, 0.45, signed=True),
    Policy("TranslateY", _translate_y, 0, 0.45, signed=True),
)


@dataclass(frozen=True)
class RandAugment:
    """Applies drawn policies to one picture.

    Args:
        num_policies: policies drawn for each picture, with replacement.
        level: mean strength, 0 to 10.
        level_std: its standard deviation.
        probability: chance that a drawn policy is applied.
        fill: colour of pixels that come from outside the picture.
    """

    num_policies: int = 3
    level: float = 7.0
    level_std: float = 0.5
    probability: float = 0.5
    fill: Color = (128, 128, 128)

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """A changed copy of an RGB picture (the picture itself when nothing fires)."""
        return self.apply(image, self.draw(rng))

    def draw(self, rng: np.random.Generator) -> list[tuple[Policy, float]]:
        """What happens to one picture, with the strength of each change."""
        chosen = rng.integers(len(POLICIES), size=self.num_policies)
        levels = np.clip(rng.normal(self.level, self.level_std, self.num_policies), 0, 10)
        fires = rng.random(self.num_policies) < self.probability
        negative = rng.random(self.num_policies) < 0.5
        changes = []
        for index in np.flatnonzero(fires):
            policy = POLICIES[int(chosen[index])]
            value = float(levels[index]) / 10 * (policy.high - policy.low) + policy.low
            changes.append((policy, -value if policy.signed and negative[index] else value))
        return changes

    def apply(self, image: Image.Image, changes: Sequence[tuple[Policy, float]]) -> Image.Image:
        """The picture after some changes, in order."""
        for policy, value in changes:
            image = policy.apply(image, value, self.fill)
        return image
