"""The images of an inference request, in each of the forms they may arrive in."""

from __future__ import annotations

import base64
import binascii
import math

from sedna.common.errors import TooLargeError
from sedna.edge.image import FrameImage, decode_image, encode_pixels
from sedna.edge.server.errors import RequestError
from sedna.edge.server.tensors import InferRequest, InputTensor

__all__ = ["INPUT_NAME", "images_of"]

INPUT_NAME = "image"
_CHANNELS = 3


def images_of(request: InferRequest, *, max_images: int, max_pixels: int, bits: int | None = None) -> list[FrameImage]:
    """Decode the one input tensor.

    - BYTES, any shape: every element is an encoded image; in JSON as base64 text, in the binary extension as it is.
    - UINT8 [H, W, 3] or [N, H, W, 3]: RGB pixels.

    Args:
        bits: how many bits of a sample of an encoded image are used, as the job declares.

    Raises:
        RequestError: another tensor than that.
        TooLargeError: too many images, or too many pixels in one.
        DataError: an image cannot be decoded.
    """
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT_NAME:
        names = ", ".join(repr(tensor.name) for tensor in request.inputs)
        raise RequestError(f"inputs are {names}", hint=f"exactly one, {INPUT_NAME!r}")
    tensor = request.inputs[0]
    if isinstance(tensor.elements, list):
        _check_count(len(tensor.elements), max_images)
        return [
            decode_image(_encoded(tensor, element), max_pixels=max_pixels, bits=bits) for element in tensor.elements
        ]
    shape = tensor.shape if len(tensor.shape) == _CHANNELS + 1 else (1, *tensor.shape)
    if len(shape) != _CHANNELS + 1 or shape[3] != _CHANNELS or 0 in shape:
        raise RequestError(f"shape {list(tensor.shape)} of a UINT8 tensor", hint="[H, W, 3] or [N, H, W, 3]")
    _check_count(shape[0], max_images)
    if math.prod(shape[1:3]) > max_pixels:
        raise TooLargeError(f"{shape[2]} x {shape[1]} pixels", hint=f"at most {max_pixels} are accepted")
    return [encode_pixels(pixels) for pixels in tensor.elements.reshape(shape)]


def _check_count(count: int, limit: int) -> None:
    if count == 0:
        raise RequestError("no image", where=INPUT_NAME)
    if count > limit:
        raise TooLargeError(f"{count} images in one request", hint=f"at most {limit} are accepted")


def _encoded(tensor: InputTensor, element: bytes) -> bytes:
    if not tensor.from_json:
        return element
    try:
        return base64.b64decode(element, validate=True)
    except binascii.Error as error:
        raise RequestError(f"an element is no base64: {error}", where=tensor.name) from error
