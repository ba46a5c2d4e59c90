"""Fixtures for the detector: tiny pictures, in memory and as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from algorithms.detection.detection_pictures import TINY, Source, draw


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two test processes share two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny() -> dict[str, Any]:
    return dict(TINY)


@pytest.fixture
def source() -> Source:
    """Twelve pictures in memory, the last without any box."""
    rng = np.random.default_rng(5)
    drawn = [draw(rng, boxes=0 if index == 11 else 2) for index in range(12)]
    return Source([pixels for pixels, _ in drawn], [boxes for _, boxes in drawn])


@pytest.fixture
def folder(tmp_path: Path, source: Source) -> Path:
    """The same pictures as files, with an upstream index ``index.txt`` of relative paths."""
    lines = []
    for number, (pixels, boxes) in enumerate(zip(source.x, source.y, strict=True)):
        Image.fromarray(pixels).save(tmp_path / f"p{number}.png")
        lines.append(" ".join([f"p{number}.png", *(",".join(str(int(v)) for v in box) for box in boxes)]))
    (tmp_path / "index.txt").write_text("\n".join(lines))
    return tmp_path
