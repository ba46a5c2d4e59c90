"""The published figures, read off the pixels of the first author's plots (about 0.15 points, 0.6 s).

Another protocol than P-60: ResNet18 of width 64, 1,000 iterations a task, memory 2000 + 20000, one seed. Shown beside
measured curves for their shape, not to be compared in height. Source: figures in the readme of the EdgeHML release
(Apache-2.0); the points of several methods that hide behind one marker are equal here.
"""

from __future__ import annotations

AVERAGE_ACCURACY: dict[str, tuple[float, ...]] = {
    "EdgeHML": (
        52.4, 45.9, 44.1, 45.3, 47.0, 49.7, 49.5, 50.1, 47.8, 48.4,
        50.9, 51.0, 53.1, 52.9, 52.3, 54.4, 55.9, 53.9, 55.5, 55.09,
    ),
    "CCIC": (
        45.8, 44.7, 44.5, 42.3, 46.4, 46.9, 44.7, 45.7, 43.7, 44.6,
        47.6, 46.1, 48.8, 48.5, 48.2, 47.4, 47.7, 45.9, 47.6, 48.7,
    ),
    "DER+FlexMatch": (
        54.4, 32.7, 32.2, 39.2, 40.7, 38.8, 38.6, 39.8, 37.5, 40.6,
        42.2, 42.9, 40.7, 39.4, 39.6, 39.4, 38.8, 37.5, 40.9, 41.8,
    ),
    "DER+UDA": (
        52.4, 47.6, 37.1, 43.7, 41.7, 40.0, 41.2, 37.7, 38.8, 40.9,
        39.5, 43.3, 43.6, 41.9, 41.6, 40.1, 37.1, 37.2, 39.4, 39.9,
    ),
    "PNN": (
        37.6, 33.2, 33.1, 32.7, 35.9, 35.3, 35.4, 35.0, 34.9, 34.7,
        36.6, 36.2, 37.1, 37.0, 38.2, 37.9, 38.1, 37.4, 37.7, 37.4,
    ),
    "DER": (
        51.0, 41.0, 39.2, 39.9, 42.4, 39.6, 39.6, 37.3, 36.2, 39.4,
        41.4, 41.3, 41.4, 38.8, 36.3, 37.9, 39.1, 36.2, 36.2, 34.7,
    ),
    "SI": (
        52.6, 35.0, 31.6, 31.9, 32.5, 29.8, 29.4, 26.9, 25.5, 28.8,
        29.3, 31.5, 32.6, 34.2, 30.0, 27.6, 27.9, 26.3, 30.9, 30.8,
    ),
    "SFT": (
        51.2, 36.1, 28.9, 29.7, 30.9, 27.8, 29.1, 23.3, 27.1, 27.4,
        23.9, 28.7, 25.5, 26.9, 23.9, 24.0, 24.3, 23.0, 25.7, 24.4,
    ),
}  # fmt: skip
"""Percent after each of 20 tasks (CIFAR-100, 20 x 5 classes, 5 labels a class, task-il)."""

SECONDS_PER_TASK: dict[str, tuple[float, float, float]] = {
    "SFT": (13.3, 13.0, 13.0),
    "SI": (13.3, 15.3, 15.3),
    "PNN": (15.2, 32.0, 41.0),
    "DER": (26.7, 26.0, 26.0),
    "EdgeHML": (35.2, 35.4, 35.4),
    "DER+FlexMatch": (49.0, 48.3, 48.3),
    "DER+UDA": (62.0, 61.6, 61.6),
    "CCIC": (235.0, 353.0, 352.0),
}
"""Seconds of the first three tasks, 1,000 iterations each. The bar of EdgeHML cannot come from the released code, which
makes about as many forward passes as DER+UDA."""
