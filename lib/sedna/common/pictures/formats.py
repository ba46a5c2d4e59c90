"""Which files are pictures: one table for every way in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

__all__ = ["EXTENSIONS", "FORMATS", "MEDIA_TYPES", "NAMES", "SUFFIXES", "PictureFormat", "format_of"]


@dataclass(frozen=True)
class PictureFormat:
    """A format that is taken.

    Attributes:
        name: for messages.
        extension: of the files in the store, without the dot.
        suffixes: of files in folders that people made, in lower case.
        begins: the first bytes of every such file, one of these.
        opener: reads the header.
    """

    name: str
    extension: str
    media_type: str
    suffixes: tuple[str, ...]
    begins: tuple[bytes, ...]
    opener: Callable[[IO[bytes]], ImageFile]


# Plugins and not Image.open: that one takes what phones write for another format (MPO), with a warning where it is not
# sure, asks each plugin in turn, and loads the rest of them for a file that none of these knows.
FORMATS: tuple[PictureFormat, ...] = (
    PictureFormat("PNG", "png", "image/png", (".png",), (b"\x89PNG\r\n\x1a\n",), PngImagePlugin.PngImageFile),
    PictureFormat(
        "JPEG", "jpg", "image/jpeg", (".jpg", ".jpeg", ".mpo"), (b"\xff\xd8\xff",), JpegImagePlugin.JpegImageFile
    ),
    PictureFormat("BMP", "bmp", "image/bmp", (".bmp",), (b"BM",), BmpImagePlugin.BmpImageFile),
    PictureFormat("WEBP", "webp", "image/webp", (".webp",), (b"RIFF",), WebPImagePlugin.WebPImageFile),
    PictureFormat(
        "TIFF",
        "tif",
        "image/tiff",
        (".tif", ".tiff"),
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        TiffImagePlugin.TiffImageFile,
    ),
    PictureFormat("GIF", "gif", "image/gif", (".gif",), (b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    PictureFormat(
        "PNM",
        "ppm",
        "image/x-portable-anymap",
        (".ppm", ".pgm", ".pbm", ".pnm"),
        (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"),
        PpmImagePlugin.PpmImageFile,
    ),
)
"""Of a file with several pages or frames the first is the picture; a JPEG with more pictures behind it is a JPEG."""

NAMES = ", ".join(entry.name for entry in FORMATS)

SUFFIXES = frozenset(suffix for entry in FORMATS for suffix in entry.suffixes)
"""By these a picture is told from other files where people's folders are listed; the bytes decide what it is."""

EXTENSIONS = frozenset(entry.extension for entry in FORMATS)

MEDIA_TYPES: dict[str, str] = {
    suffix.removeprefix("."): entry.media_type for entry in FORMATS for suffix in entry.suffixes
}
"""By extension, without the dot."""


def format_of(data: bytes) -> PictureFormat | None:
    """The format of a file by its first bytes; None = none that is taken."""
    for entry in FORMATS:
        if data.startswith(entry.begins):
            return entry if entry.extension != "webp" or data[8:12] == b"WEBP" else None
    return None


def tag(image: Any, number: int, default: Any = None) -> Any:
    """A tag of the first page of a TIFF; the default for other formats."""
    tags = getattr(image, "tag_v2", None)
    return default if tags is None else tags.get(number, default)
