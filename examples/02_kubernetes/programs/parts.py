"""Pictures of stamped parts, as a small camera over a line would take them. Everything follows from the seed."""

from __future__ import annotations

import numpy as np

CLASSES = ("good", "scratch", "dent")
SIDE = 32

# What the camera sees changes from lot to lot: the first model knows lot 0 only.
LOTS = {
    0: {"light": 170.0, "mark": 60.0, "noise": 6.0},  # the lamp is new, marks are bright
    1: {"light": 120.0, "mark": -45.0, "noise": 8.0},  # another alloy: marks are darker than the part
    2: {"light": 200.0, "mark": -18.0, "noise": 10.0},  # a polished one: marks are hardly to be seen
}


def draw(label: int, lot: int, rng: np.random.Generator) -> np.ndarray:
    """One part: grey values (32, 32), uint8."""
    camera = LOTS[lot]
    picture = rng.normal(camera["light"], camera["noise"], (SIDE, SIDE))
    if CLASSES[label] == "scratch":
        row, slope = rng.integers(6, SIDE - 6), rng.uniform(-0.2, 0.2)
        for column in range(3, SIDE - 3):
            line = int(np.clip(row + slope * (column - SIDE / 2), 0, SIDE - 2))
            picture[line : line + 2, column] += camera["mark"]
    elif CLASSES[label] == "dent":
        y, x = rng.uniform(9, SIDE - 9, 2)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        picture += camera["mark"] * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 20)
    return np.clip(picture, 0, 255).astype(np.uint8)


def features(picture: np.ndarray) -> np.ndarray:
    """What the classifier looks at: light, and how long and how round the strongest marks are. Returns (10,)."""
    grey = picture.astype(np.float64) / 255
    flat = grey - np.median(grey)
    rows, columns = flat.mean(axis=1), flat.mean(axis=0)
    blob = flat.reshape(8, 4, 8, 4).mean(axis=(1, 3))
    spread = flat.std()
    return np.array([
        np.median(grey), spread, rows.max(), rows.min(), columns.max(), columns.min(), blob.max(), blob.min(),
        np.abs(rows).max() - np.abs(columns).max(), np.abs(blob).max(),
    ])  # fmt: skip
