"""Limits of pictures that other rooms name, without the decoders that `sedna.common.pictures` brings."""

from __future__ import annotations

from typing import Final

__all__ = ["BITS_VARIABLE", "MAX_PIXELS"]

MAX_PIXELS: Final = 100_000_000
"""A hundred megapixels, at every door; the decoder would take 300 MB for more."""

BITS_VARIABLE: Final = "PICTURE_BITS"
"""Tells a worker ``spec.pictures.bitsPerSample`` of its job, and a program without a job the same."""
