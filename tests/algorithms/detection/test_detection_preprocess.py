from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sedna.algorithms.detection.preprocess import batch_pixels, letterbox, pad, read_picture
from sedna.common.errors import DataError


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    pixels = read_picture(Image.new("RGB", (7, 5), (255, 255, 255)).convert(mode))
    assert pixels.shape == (5, 7, 3)
    assert pixels.dtype == np.uint8
    assert int(pixels.min()) > 250


def test_a_path_an_image_and_an_array_give_the_same(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (9, 8, 3), dtype=np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    for picture in (path, str(path), Image.fromarray(array), array):
        assert np.array_equal(read_picture(picture), array)


def test_a_gray_array_gets_three_channels() -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(read_picture(gray), np.stack([gray] * 3, axis=-1))


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "text", "truncated"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.png"
    if content is None:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
        content = path.read_bytes()[:200]
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.png: (the file is empty|this is no picture|the picture is damaged)"):
        read_picture(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
    ids=["float", "four channels", "empty", "flat"],
)
def test_an_array_of_another_kind_is_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match="no picture"):
        read_picture(array)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 90), st.integers(1, 90))
def test_letterbox_shrinks_to_fit_and_never_enlarges(height: int, width: int) -> None:
    boxed = letterbox(np.zeros((height, width, 3), np.uint8), 32)
    assert max(boxed.pixels_HWC.shape[:2]) == min(32, max(height, width))
    assert boxed.size == (height, width)
    for now, before in zip(boxed.pixels_HWC.shape[:2], (height, width), strict=True):
        assert abs(now - before * boxed.scale) <= 0.5 or now == 1


def test_padding_keeps_the_picture_top_left() -> None:
    pixels = np.full((2, 3, 3), 9, np.uint8)
    padded = pad(pixels, 4, 4)
    assert np.array_equal(padded[:2, :3], pixels)
    assert int(padded[2:].max()) == int(padded[:, 3:].max()) == 0


def test_a_batch_is_square() -> None:
    pictures = [letterbox(np.zeros((h, w, 3), np.uint8), 32) for h, w in ((64, 32), (5, 7))]
    assert batch_pixels(pictures, 32).shape == (2, 32, 32, 3)
