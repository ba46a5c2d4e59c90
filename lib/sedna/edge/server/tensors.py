"""Tensors of the Open Inference Protocol v2, as JSON and as the binary tensor extension has them."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from sedna.common.validation import first_fault
from sedna.edge.server.errors import RequestError

__all__ = ["InferRequest", "InputTensor", "OutputTensor", "encode_response", "parse_request"]

_BINARY_TYPES = {"BOOL": "?", "UINT8": "u1", "INT64": "<i8", "FP32": "<f4"}

Elements = list[bytes] | np.ndarray[Any, Any]
"""BYTES tensors as a flat list, others as an array of their shape."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Input(_Message):
    name: str
    shape: list[int] = Field(max_length=8)
    datatype: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    data: JsonValue = None


class RequestedOutput(_Message):
    """One entry of ``outputs``."""

    name: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class _Envelope(_Message):
    id: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    inputs: list[_Input] = Field(min_length=1)
    outputs: list[RequestedOutput] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class InputTensor:
    """One input. ``elements`` of a BYTES tensor that came as JSON are the UTF-8 bytes of its texts (``from_json``)."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: Elements
    from_json: bool


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    """A parsed request; ``outputs`` empty = all of them."""

    id: str
    inputs: tuple[InputTensor, ...]
    outputs: tuple[RequestedOutput, ...]
    binary_output: bool


@dataclass(frozen=True, slots=True, eq=False)
class OutputTensor:
    """One output; its shape is that of the array, or the length of the list of BYTES."""

    name: str
    datatype: str
    elements: Elements

    @property
    def shape(self) -> list[int]:
        """As the protocol writes it."""
        return [len(self.elements)] if isinstance(self.elements, list) else list(self.elements.shape)


def parse_request(body: bytes, header_length: int | None) -> InferRequest:
    """A request's tensors.

    Args:
        body: JSON, followed by the raw tensors if ``header_length`` is given.
        header_length: bytes of the JSON part (``Inference-Header-Content-Length``).

    Raises:
        RequestError: malformed, inconsistent, or with a data type that is not read here.
    """
    if header_length is not None and not 0 < header_length <= len(body):
        raise RequestError(f"Inference-Header-Content-Length {header_length} does not fit a body of {len(body)} bytes")
    head, tail = (body, b"") if header_length is None else (body[:header_length], body[header_length:])
    try:
        envelope = _Envelope.model_validate_json(head)
    except ValidationError as error:
        fault = first_fault(error)
        raise RequestError(f"not an inference request: {fault.message}", where=fault.path) from error
    inputs = []
    for tensor in envelope.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            inputs.append(_from_json(tensor))
            continue
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(tail):
            raise RequestError(f"binary_data_size {size!r} does not fit the {len(tail)} bytes left", where=tensor.name)
        inputs.append(_from_binary(tensor, tail[:size]))
        tail = tail[size:]
    if tail:
        raise RequestError(f"{len(tail)} bytes after the last tensor")
    binary = envelope.parameters.get("binary_data_output") is True
    return InferRequest(envelope.id, tuple(inputs), tuple(envelope.outputs), binary)


def encode_response(
    head: dict[str, JsonValue], tensors: list[OutputTensor], request: InferRequest
) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON part if raw tensors follow.

    Raises:
        RequestError: an output was asked for that does not exist.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    wanted = request.outputs or tuple(RequestedOutput(name=tensor.name) for tensor in tensors)
    outputs: list[JsonValue] = []
    raw = b""
    for output in wanted:
        tensor = by_name.get(output.name)
        if tensor is None:
            raise RequestError(f"no output {output.name!r}", hint=f"one of: {', '.join(by_name)}")
        entry: dict[str, JsonValue] = {
            "name": tensor.name, "datatype": tensor.datatype, "shape": list[JsonValue](tensor.shape)
        }  # fmt: skip
        if output.parameters.get("binary_data", request.binary_output) is True:
            piece = _to_binary(tensor)
            raw += piece
            entry["parameters"] = {"binary_data_size": len(piece)}
        else:
            entry["data"] = _to_json(tensor)
        outputs.append(entry)
    text = json.dumps({**head, "outputs": outputs}, allow_nan=False).encode()
    return (text + raw, len(text)) if raw else (text, None)


def _from_json(tensor: _Input) -> InputTensor:
    if tensor.data is None:
        raise RequestError("neither data nor binary_data_size", where=tensor.name)
    flat = _flatten(tensor.data)
    _require_count(tensor, len(flat))
    elements: Elements
    if tensor.datatype == "BYTES":
        if not all(isinstance(item, str) for item in flat):
            raise RequestError("elements of a BYTES tensor must be texts", where=tensor.name)
        elements = [str(item).encode() for item in flat]
    elif tensor.datatype == "UINT8":
        try:
            elements = np.array(flat, dtype=np.uint8).reshape(tensor.shape)
        except (TypeError, ValueError, OverflowError) as error:
            raise RequestError(f"elements must be whole numbers from 0 to 255: {error}", where=tensor.name) from error
    else:
        raise _unreadable(tensor)
    return InputTensor(tensor.name, tensor.datatype, tuple(tensor.shape), elements, from_json=True)


def _from_binary(tensor: _Input, raw: bytes) -> InputTensor:
    elements: Elements
    if tensor.datatype == "BYTES":
        elements = _split_bytes(tensor.name, raw)
        _require_count(tensor, len(elements))
    elif tensor.datatype == "UINT8":
        _require_count(tensor, len(raw))
        elements = np.frombuffer(raw, dtype=np.uint8).reshape(tensor.shape)
    else:
        raise _unreadable(tensor)
    return InputTensor(tensor.name, tensor.datatype, tuple(tensor.shape), elements, from_json=False)


def _split_bytes(name: str, raw: bytes) -> list[bytes]:
    """Elements, each after its length as a 32-bit little-endian number."""
    elements: list[bytes] = []
    place = 0
    while place < len(raw):
        if place + 4 > len(raw):
            raise RequestError("ends within a length", where=name)
        (length,) = struct.unpack_from("<I", raw, place)
        place += 4
        if place + length > len(raw):
            raise RequestError(f"an element of {length} bytes goes beyond the tensor", where=name)
        elements.append(raw[place : place + length])
        place += length
    return elements


def _require_count(tensor: _Input, count: int) -> None:
    if any(size < 0 for size in tensor.shape) or math.prod(tensor.shape) != count:
        raise RequestError(f"shape {tensor.shape} does not fit {count} elements", where=tensor.name)


def _unreadable(tensor: _Input) -> RequestError:
    return RequestError(f"datatype {tensor.datatype} is not read here", where=tensor.name, hint="BYTES or UINT8")


def _flatten(data: JsonValue) -> list[JsonValue]:
    if not isinstance(data, list):
        return [data]
    flat: list[JsonValue] = data
    while any(isinstance(item, list) for item in flat):
        flat = [inner for item in flat for inner in (item if isinstance(item, list) else [item])]
    return flat


def _to_json(tensor: OutputTensor) -> JsonValue:
    if isinstance(tensor.elements, list):
        return [element.decode() for element in tensor.elements]
    flat: JsonValue = tensor.elements.reshape(-1).tolist()
    return flat


def _to_binary(tensor: OutputTensor) -> bytes:
    if isinstance(tensor.elements, list):
        return b"".join(struct.pack("<I", len(element)) + element for element in tensor.elements)
    return tensor.elements.astype(_BINARY_TYPES[tensor.datatype]).tobytes()
