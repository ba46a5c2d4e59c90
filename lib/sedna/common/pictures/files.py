"""Pictures by their path, for programs that train and evaluate."""

from __future__ import annotations

from pathlib import Path

from sedna.common.pictures.decode import DecodedPicture, Pixels, decode
from sedna.common.pictures.depth import declared_bits
from sedna.common.regular_files import read_regular

__all__ = ["read_picture", "read_pixels"]


def read_picture(path: str | Path) -> DecodedPicture:
    """The picture in a file, as the edge sees it; samples of more than 8 bits as the variable PICTURE_BITS says.

    Raises:
        NotFoundError, AuthError: the file is not there, or may not be read.
        DataError, TooLargeError: as `decode`.
    """
    return decode(read_regular(Path(path)), bits=declared_bits(), where=str(path))


def read_pixels(path: str | Path) -> Pixels:
    """RGB (H, W, 3) of a picture file; raises as `read_picture`."""
    return read_picture(path).pixels
