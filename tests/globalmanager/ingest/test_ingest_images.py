import functools
import io
import os
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from fixtures_gm import png
from globalmanager.ingest.images import MAX_PIXELS, inspect_image
from sedna.common.errors import DataError, SednaError, TooLargeError

PILLOWS_LIMIT = 89_478_485  # pixels, from which on Pillow warns unless it is told another limit


def header_of(width, height):
    """A PNG of this size without a pixel."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@functools.cache
def large():
    """A whole image with more pixels than Pillow takes without a warning, and fewer than the limit."""
    out = io.BytesIO()
    Image.new("1", (9_600, 9_600)).save(out, "PNG")
    return out.getvalue()


def test_what_is_no_image_is_said_to_be_none():
    for data in (b"", b"hello", os.urandom(100)):
        with pytest.raises(DataError, match="no image"):
            inspect_image(data, "x.png")


def test_size_and_extension():
    facts = inspect_image(png(1), "x.png")
    assert (facts.width, facts.height, facts.extension) == (8, 8, "png")


@pytest.mark.parametrize("side", [10_001, 14_000, 15_000, 60_000], ids=["over", "warned of", "an error", "a bomb"])
def test_too_many_pixels_are_refused_before_the_decode(side):
    with pytest.raises(TooLargeError, match=f"at most {MAX_PIXELS} pixels"):
        inspect_image(header_of(side, side), "x.png")


def test_an_image_between_pillows_limit_and_ours_is_taken():
    facts = inspect_image(large(), "x.png")
    assert PILLOWS_LIMIT < facts.width * facts.height < MAX_PIXELS


def test_threads_neither_lose_their_filters_nor_meet_the_warning():
    """Many at once, as uploads come; the filters are one list for the whole process."""
    before = list(warnings.filters)
    together = threading.Barrier(8)
    images = [large(), png(1), b"no image", header_of(14_000, 14_000)]

    def look(number):
        together.wait()
        try:
            return inspect_image(images[number % 4], "x.png").extension
        except SednaError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(look, range(8))) == ["png", "png", "DataError", "TooLargeError"] * 2
            assert warnings.filters == before


def test_the_filters_of_a_thread_survive_an_inspection_that_ends_after_they_were_set(monkeypatch):
    """A filter that is set during a decode is still there after it."""
    opened = Image.open

    def slow(*args, **kwargs):
        warnings.filterwarnings("ignore", message="set by another thread")
        return opened(*args, **kwargs)

    monkeypatch.setattr(Image, "open", slow)
    with warnings.catch_warnings():
        inspect_image(png(1), "x.png")
        assert "set by another thread" in str(warnings.filters[0])
