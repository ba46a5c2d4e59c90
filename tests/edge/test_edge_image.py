import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from edge.edge_twins import png
from sedna.common.errors import DataError, TooLargeError
from sedna.common.types import sample_id
from sedna.edge.image import decode_image, encode_pixels

KINDS = [("PNG", "png"), ("JPEG", "jpg"), ("BMP", "bmp"), ("WEBP", "webp"), ("TIFF", "tif"), ("GIF", "gif")]


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header promises width x height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("kind", "extension"), KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_known_formats_become_rgb(kind, extension, mode):
    data = encoded(Image.new(mode, (7, 5), 100 if mode == "L" else (10, 200, 30)), kind)
    image = decode_image(data, max_pixels=100)
    assert (image.extension, image.width, image.height) == (extension, 7, 5)
    assert image.pixels.shape == (5, 7, 3)
    assert image.pixels.dtype == np.uint8
    assert (image.data, image.sample_id) == (data, sample_id(data))


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "LA", "I;16"])
def test_every_colour_mode_becomes_rgb(mode):
    data = encoded(Image.new(mode, (4, 3)), "PNG")
    assert decode_image(data, max_pixels=100).pixels.shape == (3, 4, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        png()[:40],
        png()[:-20],
        png()[:60] + b"\xff" * 40 + png()[100:],
        encoded(Image.new("RGB", (64, 64)), "JPEG")[:200],
        encoded(Image.new("RGB", (8, 8)), "ICO"),
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    ],
    ids=["empty", "text", "header", "cut", "damaged", "jpeg-cut", "ico", "zeros"],
)
def test_what_is_no_whole_image_is_refused(data):
    with pytest.raises(DataError, match=r"the picture is damaged|the file is empty|no picture of a known format"):
        decode_image(data, max_pixels=10_000)


@pytest.mark.parametrize("size", [(300, 300), (60_000, 60_000)])
def test_a_decompression_bomb_is_refused_by_its_header(size):
    with pytest.raises(TooLargeError, match="pixels"):
        decode_image(bomb(*size), max_pixels=80_000)


def test_pillows_own_warning_counts_as_a_refusal_too():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TooLargeError):
            decode_image(bomb(10_000, 10_000), max_pixels=10_000)


def test_pixels_are_kept_as_png_and_give_the_same_bytes_again():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    image = encode_pixels(pixels)
    assert np.array_equal(decode_image(image.data, max_pixels=100).pixels, pixels)
    assert encode_pixels(pixels.copy()).sample_id == image.sample_id
