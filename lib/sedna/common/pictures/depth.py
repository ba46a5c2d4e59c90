"""Samples of more than 8 bits to 8: the highest 8 of the bits that are used.

How many bits are used is what the file declares, or what its owner does (``spec.pictures.bitsPerSample`` of a job, the
variable PICTURE_BITS elsewhere): a camera's 12 bits often lie in a file of 16. Never what the values happen to be: two
pictures of one camera would be scaled differently.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
from PIL import Image

from sedna.common.errors import DataError, SpecError
from sedna.common.picture_limits import BITS_VARIABLE
from sedna.common.pictures.formats import tag

__all__ = ["MOST_BITS", "declared_bits", "eight_bits"]

MOST_BITS = 32
_BYTE = 8

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1

_PLAIN = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"})
"""Modes of 8 bits or less, which Pillow makes RGB of; transparency is left out."""

_DECLARE = "spec.pictures.bitsPerSample of the job says it"


def declared_bits() -> int | None:
    """What the variable PICTURE_BITS of this process declares; None = the files say it.

    Raises:
        SpecError: it is no number from 8 to 32.
    """
    text = os.environ.get(BITS_VARIABLE, "").strip()
    if not text:
        return None
    if not text.isdecimal() or not _BYTE <= int(text) <= MOST_BITS:
        raise SpecError(f"{text!r} is no number of bits", where=BITS_VARIABLE, hint=f"{_BYTE} to {MOST_BITS}")
    return int(text)


def eight_bits(image: Image.Image, bits: int | None, *, wide: bool = False) -> npt.NDArray[np.uint8]:
    """The loaded picture as RGB (H, W, 3).

    Args:
        bits: what the owner declares; None = as the file says.
        wide: the file has 16 bits per sample, where Pillow does not tell.

    Raises:
        DataError: there is no rule that makes light of its samples.
    """
    if image.mode in _PLAIN:
        if bits not in (None, 2 * _BYTE) and (wide or max(tag(image, _BITS_PER_SAMPLE, (1,))) > _BYTE):
            # Pillow gives the upper 8 bits alone.
            raise DataError(
                f"colour or transparency of 16 bits, of which {bits} are said to be used, is not read here",
                hint="grey pictures, 8 bits per sample, or 16 that are all used",
            )
        # What is left in place makes Pillow warn, and keeps nothing.
        image.info.pop("transparency", None)
        return np.asarray(image.convert("RGB") if image.mode != "RGB" else image)
    grey = _grey(image, bits)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _grey(image: Image.Image, bits: int | None) -> npt.NDArray[np.uint8]:
    if image.mode == "F":
        raise DataError(
            "the samples are floating point: which value is white is not known", hint="write 8 or 16 bits per sample"
        )
    if not image.mode.startswith("I"):
        raise DataError(f"samples of the kind {image.mode} cannot be made RGB", hint="grey, RGB, CMYK or a palette")
    used = _used_bits(image, bits)
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >> used:
        wrong = low if low < 0 else high
        raise DataError(f"a sample is {wrong}, but {used} bits without a sign are declared", hint=_DECLARE)
    if used > 2 * _BYTE:
        values = values.astype(np.int64)
    if tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = (1 << used) - 1 - values
    return (values >> (used - _BYTE)).astype(np.uint8)


def _used_bits(image: Image.Image, bits: int | None) -> int:
    """How many bits of the samples are used, by its owner or by the file itself."""
    if image.format == "PPM":
        return 2 * _BYTE  # the file names its largest value, and Pillow has scaled by it
    if bits is not None:
        return bits
    if image.mode.startswith("I;16"):
        declared = tag(image, _BITS_PER_SAMPLE)
        return int(declared[0]) if declared else 2 * _BYTE
    if image.format == "PNG":
        return 2 * _BYTE  # some versions of Pillow put 16 bits into 32
    # A file of 32 bits declares a depth that no camera has, and one with a sign declares none.
    kind = "32-bit" if tag(image, _SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED else "signed"
    raise DataError(f"the samples are {kind} integers: how many bits are used is not known", hint=_DECLARE)
