"""The door itself: every kind of file, and files of every kind that were damaged."""

import contextlib
import io
import random
import struct
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from fixtures_pictures import REFUSED, SEEN, TAKEN, bomb, colours, encoded, exif, levels, oriented
from sedna.common.errors import DataError, NotFoundError, SpecError, TooLargeError, UserError
from sedna.common.orientation import exif_orientation, turned_box, turned_size
from sedna.common.picture_limits import BITS_VARIABLE, MAX_PIXELS
from sedna.common.pictures import decode, look, of_image, read_picture


@pytest.mark.parametrize("name", TAKEN)
def test_a_picture_is_seen_as_it_is(name):
    case = TAKEN[name]
    picture = decode(case.data, bits=case.bits)
    assert case.shows(picture.pixels)
    assert picture.pixels.flags.c_contiguous
    assert (picture.extension, picture.orientation) == (case.extension, case.orientation)
    facts = look(case.data)
    assert (facts.width, facts.height) == picture.size == (case.pixels.shape[1], case.pixels.shape[0])
    assert (facts.extension, facts.orientation) == (case.extension, case.orientation)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_none_is_refused_with_a_reason_and_its_name(name):
    case = REFUSED[name]
    with pytest.raises(case.error, match=rf"^x\.png: .*{case.reason}"):
        decode(case.data, bits=case.bits, where="x.png")


def test_the_levels_of_16_bits_are_kept_apart():
    """They were one white."""
    assert len(np.unique(decode(TAKEN["png-16"].data).pixels)) > 90
    assert len(np.unique(decode(TAKEN["tiff-12-in-16"].data, bits=12).pixels)) > 90


@pytest.mark.parametrize("name", [name for name, case in TAKEN.items() if case.tolerance == 0])
def test_the_limit_is_of_the_header(name):
    case = TAKEN[name]
    count = case.pixels.shape[0] * case.pixels.shape[1]
    assert decode(case.data, bits=case.bits, max_pixels=count).size
    with pytest.raises(TooLargeError, match=f"= {count} pixels .*at most {count - 1} "):
        decode(case.data, bits=case.bits, max_pixels=count - 1)


def test_a_picture_just_below_the_limit_is_taken_and_one_above_is_not():
    side = int(MAX_PIXELS**0.5)
    assert decode(encoded(Image.new("1", (side, side)), "PNG")).size == (side, side)
    with pytest.raises(TooLargeError, match=f"at most {MAX_PIXELS}"):
        decode(encoded(Image.new("1", (side + 1, side)), "PNG"))


def test_threads_keep_the_filters_of_warnings_that_they_share():
    """Many pictures at once, as uploads come; the filters are one list for the whole process."""
    before, together = list(warnings.filters), threading.Barrier(8)
    files = [encoded(Image.new("1", (9_600, 9_600)), "PNG"), TAKEN["png"].data, b"no picture", bomb(14_000, 14_000)]

    def outcome(number):
        together.wait()
        try:
            return decode(files[number % 4]).extension
        except UserError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, range(8))) == ["png", "png", "DataError", "TooLargeError"] * 2
    assert warnings.filters == before


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM"])
@pytest.mark.filterwarnings("ignore")
def test_no_damage_makes_anything_but_a_picture_or_a_refusal(kind):
    whole = encoded(Image.fromarray(colours()), kind, **({"exif": exif(6)} if kind in ("PNG", "JPEG", "WEBP") else {}))
    dice = random.Random(kind)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 2, 8])):
            data[dice.randrange(len(data))] = dice.randrange(256)
        damaged = bytes(data[: dice.choice([len(data), dice.randrange(1, len(data))])])
        with contextlib.suppress(UserError):
            assert decode(damaged, max_pixels=1_000_000).pixels.dtype == np.uint8


def test_programs_see_the_same_in_a_file(tmp_path, monkeypatch):
    case = TAKEN["tiff-12-in-16"]
    path = tmp_path / "a.tif"
    path.write_bytes(case.data)
    assert not case.shows(read_picture(path).pixels)
    monkeypatch.setenv(BITS_VARIABLE, "12")
    assert case.shows(read_picture(path).pixels)
    for wrong in ("7", "33", "twelve", "-8"):
        monkeypatch.setenv(BITS_VARIABLE, wrong)
        with pytest.raises(SpecError, match=BITS_VARIABLE):
            read_picture(path)
    monkeypatch.delenv(BITS_VARIABLE)
    with pytest.raises(NotFoundError, match=r"b\.tif"):
        read_picture(tmp_path / "b.tif")


@pytest.mark.parametrize(
    "name",
    ["jpeg", "jpeg-orientation-6", "tiff-orientation-8", "webp-orientation-5", "tiff-16", "palette-transparencies"],
)
def test_an_image_that_a_program_opened_is_seen_the_same(name):
    case = TAKEN[name]
    with Image.open(io.BytesIO(case.data)) as image:
        assert case.shows(of_image(image))
    with pytest.raises(DataError, match=r"picture 3: .*floating point"):
        of_image(Image.new("F", (2, 2)), "picture 3")


@pytest.mark.parametrize("number", SEEN)
def test_a_box_turns_with_the_pixels(number):
    """Of a picture with one white box, that box is where `turned_box` says."""
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[1:4, 2:7] = 255
    data = encoded(Image.fromarray(pixels), "PNG", exif=exif(number))
    x1, y1, x2, y2 = (int(value) for value in turned_box((2, 1, 7, 4), (12, 8), number))
    seen = decode(data).pixels
    assert seen.shape[:2] == turned_size((12, 8), number)[::-1]
    assert seen[y1:y2, x1:x2].min() == 255
    assert int((seen[:, :, 0] == 255).sum()) == (x2 - x1) * (y2 - y1) == 15


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"XX*\0\x08\0\0\0\x01\0",
        b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x0112, 3, 1, 9, 0),
        b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x0112, 3, 1, 0, 0),
        b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x0112, 2, 1, 6),
        b"II*\0\x08\0\0\0" + struct.pack("<H", 0xFFFF),
    ],
)
def test_exif_that_says_nothing_leaves_the_picture_as_it_is(block):
    assert exif_orientation(block) == 1
    assert exif_orientation(b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHH", 1, 0x0112, 3, 1, 6, 0)) == 6


def test_orientation_goes_with_other_pages_and_depths():
    """A grey picture of 16 bits, held upright: depth and orientation at once."""
    values = levels(16)
    data = encoded(Image.fromarray(values), "PNG", exif=exif(8))
    assert np.array_equal(decode(data).pixels[:, :, 0], np.rot90((values >> 8).astype(np.uint8), 1))
    assert np.array_equal(decode(oriented(3, "TIFF")).pixels, colours()[::-1, ::-1])
