"""The one door for pictures: edge, upload, Dataset, training and continual learning see a file through it alone.

What is taken stands in `formats`, how wide samples become 8 bits in `depth`, which way is up in
`sedna.common.orientation`. The
bytes that people gave are kept as they are; only what is seen of them is made here.
"""

from sedna.common.picture_limits import MAX_PIXELS
from sedna.common.pictures.decode import DecodedPicture, PictureFacts, Pixels, decode, look, of_image
from sedna.common.pictures.depth import declared_bits
from sedna.common.pictures.files import read_picture, read_pixels
from sedna.common.pictures.formats import EXTENSIONS, FORMATS, MEDIA_TYPES, SUFFIXES
from sedna.common.pictures.scaled import SmallPicture, as_shown, scaled

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "MAX_PIXELS",
    "MEDIA_TYPES",
    "SUFFIXES",
    "DecodedPicture",
    "PictureFacts",
    "Pixels",
    "SmallPicture",
    "as_shown",
    "declared_bits",
    "decode",
    "look",
    "of_image",
    "read_picture",
    "read_pixels",
    "scaled",
]
