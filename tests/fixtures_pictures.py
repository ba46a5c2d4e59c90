"""One table of picture files as people have them, and what every way in has to make of each."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sedna.common.errors import DataError, TooLargeError, UserError

Array = npt.NDArray[Any]

WIDTH, HEIGHT = 12, 8
ORIENTATION = 0x0112


@dataclass(frozen=True)
class Taken:
    """A file that is a picture. ``tolerance``: of a lossy format."""

    data: bytes
    extension: str
    pixels: npt.NDArray[np.uint8]
    orientation: int = 1
    tolerance: int = 0
    bits: int | None = None

    def shows(self, pixels: Array) -> bool:
        """Whether these are its pixels."""
        if pixels.shape != self.pixels.shape or pixels.dtype != np.uint8:
            return False
        return int(np.abs(pixels.astype(int) - self.pixels.astype(int)).max()) <= self.tolerance


@dataclass(frozen=True)
class Refused:
    """A file that is none, and a part of the reason."""

    data: bytes
    error: type[UserError]
    reason: str
    bits: int | None = None
    media: str = "png"


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file of an image."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@functools.cache
def colours() -> npt.NDArray[np.uint8]:
    """A picture of which no two corners are alike."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([columns * 20, rows * 30, 255 - columns * 10 - rows * 10], axis=-1).astype(np.uint8)


@functools.cache
def levels(bits: int, kind: type[np.generic] = np.uint16) -> Array:
    """A grey ramp over all that so many bits can say."""
    return np.linspace(0, (1 << bits) - 1, WIDTH * HEIGHT).astype(np.int64).astype(kind).reshape(HEIGHT, WIDTH)


def grey(values: Array) -> npt.NDArray[np.uint8]:
    return np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2)


def tiff(values: Array, packed: bytes | None = None, **tags: int) -> bytes:
    """A grey TIFF without compression, written here: the depth is what the tags say."""
    height, width = values.shape
    body = values.tobytes() if packed is None else packed
    fields = {
        "width": (256, width),
        "height": (257, height),
        "bits": (258, tags.get("bits", values.dtype.itemsize * 8)),
        "compression": (259, 1),
        "photometric": (262, tags.get("photometric", 1)),
        "strip": (273, 8),
        "samples": (277, 1),
        "rows": (278, height),
        "bytes": (279, len(body)),
        "format": (339, tags.get("format", 1)),
    }
    entries = sorted(fields.values())
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", number, 4, 1, value) for number, value in entries) + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes that promises some gigapixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def webp_bomb() -> bytes:
    """The canvas of an extended WebP as large as the format allows."""
    head = bytes([2, 0, 0, 0]) + (16_382).to_bytes(3, "little") * 2
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + head
    return b"RIFF" + struct.pack("<I", len(body)) + body


def png_of_16_bit_colour(values: Array) -> bytes:
    """Pillow writes none."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


SEEN: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: np.transpose(a, (1, 0, 2)),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.transpose(a, (1, 0, 2)), 2),
    8: lambda a: np.rot90(a, 1),
}
"""How a viewer shows each EXIF orientation."""


def oriented(orientation: int, kind: str) -> bytes:
    """The colours, stored as a camera does that was held so."""
    image = Image.fromarray(colours())
    if kind == "TIFF":
        return encoded(image, kind, tiffinfo={ORIENTATION: orientation})
    return encoded(image, kind, exif=exif(orientation), **({"lossless": True} if kind == "WEBP" else {}))


def _orientations() -> dict[str, Taken]:
    return {
        f"{kind.lower()}-orientation-{number}": Taken(
            oriented(number, kind), extension, np.ascontiguousarray(seen(colours())), number
        )
        for kind, extension in (("PNG", "png"), ("TIFF", "tif"), ("WEBP", "webp"))
        for number, seen in SEEN.items()
    }


def _mpo() -> bytes:
    image = Image.fromarray(colours())
    return encoded(image, "MPO", save_all=True, append_images=[image.rotate(180)], quality=100, subsampling=0)


def _palette() -> Image.Image:
    image = Image.fromarray(np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH), "P")
    image.putpalette([value % 256 for number in range(256) for value in (number, 255 - number, number // 2)])
    return image


def _frames(kind: str) -> bytes:
    first, second = _palette(), _palette().rotate(180)
    return encoded(first, kind, save_all=True, append_images=[second])


def taken() -> dict[str, Taken]:
    """Files that are pictures."""
    rgb, ramp = colours(), np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
    painted = np.stack([ramp, 255 - ramp, ramp // 2], axis=-1).astype(np.uint8)
    dark = ramp.astype(np.uint8)
    alpha = np.full((HEIGHT, WIDTH), 128, np.uint8)
    wide = levels(16)
    cmyk = Image.fromarray(rgb).convert("CMYK")
    jpeg_of_cmyk = encoded(cmyk, "JPEG", quality=100, subsampling=0)
    files = {
        "png": Taken(encoded(Image.fromarray(rgb), "PNG"), "png", rgb),
        "jpeg": Taken(encoded(Image.fromarray(rgb), "JPEG", quality=100, subsampling=0), "jpg", rgb, tolerance=4),
        "bmp": Taken(encoded(Image.fromarray(rgb), "BMP"), "bmp", rgb),
        "webp": Taken(encoded(Image.fromarray(rgb), "WEBP", lossless=True), "webp", rgb),
        "tiff": Taken(encoded(Image.fromarray(rgb), "TIFF"), "tif", rgb),
        "tiff-lzw": Taken(encoded(Image.fromarray(rgb), "TIFF", compression="tiff_lzw"), "tif", rgb),
        "ppm": Taken(encoded(Image.fromarray(rgb), "PPM"), "ppm", rgb),
        "mpo": Taken(_mpo(), "jpg", rgb, tolerance=4),
        "jpeg-orientation-6": Taken(
            encoded(Image.fromarray(rgb), "JPEG", quality=100, subsampling=0, exif=exif(6)),
            "jpg", np.rot90(rgb, -1).copy(), 6, 4,
        ),
        "jpeg-cmyk": Taken(jpeg_of_cmyk, "jpg", rgb, tolerance=12),
        "palette": Taken(encoded(_palette(), "PNG"), "png", painted),
        "palette-transparent": Taken(encoded(_palette(), "PNG", transparency=3), "png", painted),
        "palette-transparencies": Taken(encoded(_palette(), "PNG", transparency=bytes(range(96))), "png", painted),
        "rgba": Taken(encoded(Image.fromarray(np.dstack([rgb, alpha])), "PNG"), "png", rgb),
        "la": Taken(encoded(Image.fromarray(np.dstack([dark, alpha]), "LA"), "PNG"), "png", grey(ramp)),
        "1-bit": Taken(encoded(Image.fromarray(ramp % 2 == 1), "PNG"), "png", grey(ramp % 2 * 255)),
        "gif": Taken(encoded(_palette(), "GIF"), "gif", painted),
        "gif-animated": Taken(_frames("GIF"), "gif", painted),
        "apng": Taken(_frames("PNG"), "png", painted),
        "tiff-pages": Taken(
            encoded(Image.fromarray(rgb), "TIFF", save_all=True, append_images=[Image.fromarray(rgb[::-1])]), "tif", rgb
        ),
        "png-16": Taken(encoded(Image.fromarray(wide), "PNG"), "png", grey(wide >> 8)),
        "png-16-colour": Taken(png_of_16_bit_colour(rgb.astype(np.uint16) * 257), "png", rgb),
        "tiff-16": Taken(encoded(Image.fromarray(wide), "TIFF"), "tif", grey(wide >> 8)),
        "tiff-16-deflate": Taken(
            encoded(Image.fromarray(wide), "TIFF", compression="tiff_adobe_deflate"), "tif", grey(wide >> 8)
        ),
        "tiff-16-white-is-zero": Taken(tiff(wide, photometric=0), "tif", grey((65535 - wide) >> 8)),
        "tiff-12": Taken(tiff_12(levels(12)), "tif", grey(levels(12) >> 4)),
        "tiff-12-in-16": Taken(tiff(levels(12)), "tif", grey(levels(12) >> 4), bits=12),
        "tiff-12-in-16-undeclared": Taken(tiff(levels(12)), "tif", grey(levels(12) >> 8)),
        "png-12-in-16": Taken(encoded(Image.fromarray(levels(12)), "PNG"), "png", grey(levels(12) >> 4), bits=12),
        "tiff-int32": Taken(tiff(levels(14, np.int32)), "tif", grey(levels(14) >> 6), bits=14),
        "tiff-int16-signed": Taken(tiff(levels(12, np.int16), format=2), "tif", grey(levels(12) >> 4), bits=12),
        "png-8-in-a-job-of-12": Taken(encoded(Image.fromarray(rgb), "PNG"), "png", rgb, bits=12),
    }  # fmt: skip
    return files | _orientations()


def tiff_12(values: Array) -> bytes:
    """Twelve bits a sample, packed."""
    bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(HEIGHT, WIDTH, 2), axis=2)[:, :, 4:]
    return tiff(values, packed=np.packbits(bits.reshape(HEIGHT, -1), axis=1).tobytes(), bits=12)


def refused() -> dict[str, Refused]:
    """Files that are none."""
    rgb, wide = Image.fromarray(colours()), levels(16)
    png, jpeg = encoded(rgb, "PNG"), encoded(rgb, "JPEG")
    damaged = bytearray(png)
    damaged[-20] ^= 0xFF
    return {
        "empty": Refused(b"", DataError, "empty"),
        "text": Refused(b"no picture at all", DataError, "known format"),
        "svg": Refused(b"<svg xmlns='http://www.w3.org/2000/svg'/>", DataError, "known format"),
        "png-cut": Refused(png[:-30], DataError, "damaged"),
        "png-without-its-end": Refused(png[:-12], DataError, "damaged"),
        "png-other-bits": Refused(bytes(damaged), DataError, "check sum"),
        "jpeg-cut": Refused(jpeg[: len(jpeg) // 2], DataError, "damaged"),
        "tiff-cut": Refused(encoded(rgb, "TIFF")[:200], DataError, "damaged"),
        "webp-cut": Refused(encoded(rgb, "WEBP")[:40], DataError, "damaged"),
        "gif-cut": Refused(encoded(_palette(), "GIF")[:40], DataError, "damaged"),
        "bmp-cut": Refused(encoded(rgb, "BMP")[:100], DataError, "damaged"),
        "tiff-float": Refused(tiff(levels(8, np.float32) / 255, format=3), DataError, "floating point"),
        "tiff-int32": Refused(tiff(levels(14, np.int32)), DataError, "how many bits"),
        "tiff-int16-signed": Refused(tiff(levels(12, np.int16), format=2), DataError, "how many bits"),
        "tiff-negative": Refused(tiff(-levels(12, np.int16), format=2), DataError, "without a sign", bits=12),
        "more-than-declared": Refused(tiff(wide), DataError, "12 bits", bits=12),
        "colour-of-16-declared-12": Refused(
            png_of_16_bit_colour(colours().astype(np.uint16) * 257), DataError, "16 bits", bits=12
        ),
        "lab": Refused(encoded(Image.new("LAB", (4, 4)), "TIFF"), DataError, "LAB"),
        "bomb": Refused(bomb(), TooLargeError, "pixels"),
        "webp-bomb": Refused(webp_bomb(), TooLargeError, "pixels"),
    }


TAKEN, REFUSED = taken(), refused()
