"""Small pictures and a small network: a step takes a few milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

SIDE = 64
TINY: dict[str, Any] = {
    "onnx": False,
    "class_names": ("full", "hollow"),
    "input_channels": 1,
    "fpn_channels": 8,
    "head_convs": 1,
    "input_size": SIDE,
    "crop_size": SIDE,
    "batch_size": 4,
    "max_iteration": 8,
    "checkpoint_interval": 2,
    "warmup_iterations": 2,
    "bf16": "off",
    "threads": 1,
}


@dataclass
class Source:
    """What the detector reads of a data source."""

    x: list[Any] = field(default_factory=list)
    y: Any = field(default_factory=list)


def draw(rng: np.random.Generator, boxes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A dark picture with full (0) and hollow (1) bright squares, which do not overlap."""
    pixels = np.full((SIDE, SIDE, 3), 20, dtype=np.uint8)
    rows = []
    for slot in rng.permutation(4)[:boxes]:
        side = int(rng.integers(14, 24))
        x = int(slot % 2) * 32 + int(rng.integers(0, 32 - side))
        y = int(slot // 2) * 32 + int(rng.integers(0, 32 - side))
        label = int(rng.integers(2))
        pixels[y : y + side, x : x + side] = 230
        if label:
            pixels[y + 4 : y + side - 4, x + 4 : x + side - 4] = 20
        rows.append([x, y, x + side, y + side, label])
    return pixels, np.asarray(rows, dtype=np.float32).reshape(-1, 5)
