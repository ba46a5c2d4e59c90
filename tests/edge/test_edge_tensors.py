import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.edge.server.errors import RequestError
from sedna.edge.server.tensors import OutputTensor, encode_response, parse_request


def request(**changes) -> dict:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["YWJj"]}
    tensor.update(changes)
    return {"id": "7", "inputs": [{key: value for key, value in tensor.items() if value is not None}]}


def parse(body: dict, tail: bytes | None = None):
    head = json.dumps(body).encode()
    return parse_request(head + (tail or b""), None if tail is None else len(head))


def test_json_tensor():
    parsed = parse(request())
    assert parsed.id == "7"
    assert parsed.inputs[0].elements == [b"YWJj"]
    assert parsed.inputs[0].from_json


def test_nested_json_data_is_flattened():
    parsed = parse(request(datatype="UINT8", shape=[2, 1, 3], data=[[[1, 2, 3]], [[4, 5, 6]]]))
    assert parsed.inputs[0].elements.tolist() == [[[1, 2, 3]], [[4, 5, 6]]]


def test_binary_tensors_follow_one_another():
    first = struct.pack("<I", 3) + b"abc" + struct.pack("<I", 0)
    body = {
        "inputs": [
            {"name": "a", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(first)}},
            {"name": "b", "shape": [1, 2, 3], "datatype": "UINT8", "parameters": {"binary_data_size": 6}},
        ]
    }
    parsed = parse(body, first + bytes(range(6)))
    assert parsed.inputs[0].elements == [b"abc", b""]
    assert parsed.inputs[1].elements.tolist() == [[[0, 1, 2], [3, 4, 5]]]


@pytest.mark.parametrize(
    ("body", "tail", "text"),
    [
        ({"inputs": []}, None, "not an inference request"),
        ({}, None, "inputs"),
        (request(shape=[2]), None, "does not fit 1 elements"),
        (request(shape=[-1]), None, "does not fit"),
        (request(data=None), None, "neither data nor"),
        (request(data=[5]), None, "must be texts"),
        (request(datatype="FP32", data=[0.5]), None, "FP32 is not read here"),
        (request(datatype="UINT8", data=[256]), None, "0 to 255"),
        (request(data=None, parameters={"binary_data_size": 9}), b"abc", "does not fit the 3 bytes left"),
        (request(data=None, parameters={"binary_data_size": -1}), b"abc", "does not fit"),
        (request(data=None, parameters={"binary_data_size": "3"}), b"abc", "does not fit"),
        (request(data=None, parameters={"binary_data_size": 3}), b"abc", "ends within a length"),
        (request(data=None, parameters={"binary_data_size": 5}), b"\xff\xff\xff\x7fa", "goes beyond the tensor"),
        (request(), b"abc", "3 bytes after the last tensor"),
        (request(datatype="INT8", data=None, parameters={"binary_data_size": 1}), b"a", "INT8 is not read here"),
    ],
)
def test_malformed_requests_say_what_is_wrong(body, tail, text):
    with pytest.raises(RequestError, match=text):
        parse(body, tail)


@pytest.mark.parametrize("length", [0, 10_000])
def test_a_header_length_that_does_not_fit(length):
    with pytest.raises(RequestError, match="does not fit a body"):
        parse_request(b"{}", length)


@given(st.binary(max_size=300), st.one_of(st.none(), st.integers(0, 300)))
def test_no_bytes_are_a_defect(body, length):
    with pytest.raises(RequestError):
        parse_request(body, length)


TENSORS = [
    OutputTensor("boxes", "FP32", np.array([[0, 1, 2, 3]], np.float32)),
    OutputTensor("labels", "INT64", np.array([4], np.int64)),
    OutputTensor("verdicts", "BYTES", [b"ab", b"c"]),
]


def test_a_response_in_json():
    body, length = encode_response({"id": "7"}, TENSORS, parse(request()))
    assert length is None
    assert json.loads(body) == {
        "id": "7",
        "outputs": [
            {"name": "boxes", "datatype": "FP32", "shape": [1, 4], "data": [0.0, 1.0, 2.0, 3.0]},
            {"name": "labels", "datatype": "INT64", "shape": [1], "data": [4]},
            {"name": "verdicts", "datatype": "BYTES", "shape": [2], "data": ["ab", "c"]},
        ],
    }


def test_a_response_with_some_outputs_in_binary():
    wanted = [{"name": "verdicts", "parameters": {"binary_data": True}}, {"name": "labels"}]
    body, length = encode_response({}, TENSORS, parse({**request(), "outputs": wanted}))
    outputs = json.loads(body[:length])["outputs"]
    assert [output["name"] for output in outputs] == ["verdicts", "labels"]
    assert outputs[0]["parameters"]["binary_data_size"] == len(body) - length
    assert body[length:] == b"\x02\0\0\0ab\x01\0\0\0c"


def test_a_response_all_in_binary():
    body, length = encode_response({}, TENSORS, parse({**request(), "parameters": {"binary_data_output": True}}))
    assert body[length : length + 16] == np.array([0, 1, 2, 3], "<f4").tobytes()
    assert body[length + 16 : length + 24] == (4).to_bytes(8, "little")


def test_an_unknown_output_is_refused():
    with pytest.raises(RequestError, match="one of: boxes, labels, verdicts"):
        encode_response({}, TENSORS, parse({**request(), "outputs": [{"name": "masks"}]}))
