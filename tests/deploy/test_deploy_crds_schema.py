"""pydantic's constructs, one by one, as an API server takes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from crdgen.schema import ANYTHING, INT_OR_STRING, UnknownConstructError, described, structural, unread


def field(annotation: Any, **more: Any) -> dict[str, Any]:
    """The converted schema of one field of this type."""

    class Holder(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        it: annotation = Field(**more)  # type: ignore[valid-type]

    converted = structural(Holder.model_json_schema())
    assert converted.get("required", []) == ([] if {"default", "default_factory"} & more.keys() else ["it"])
    return converted["properties"]["it"]


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """Where
    it is, as ``x``."""

    x: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int
    name: str


class Dog(BaseModel):
    kind: Literal["dog"]
    breed: str = ""
    name: str | None = None


class Tree(BaseModel):
    """A tree."""

    size: int
    children: tuple[Tree, ...] = ()
    crown: Tree | None = None


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (timedelta, {"type": "string"}),
        (Any, {ANYTHING: True}),
        (JsonValue, {ANYTHING: True}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "enum": ["a"]}),
        (Literal[3], {"type": "integer", "enum": [3]}),
        (
            Annotated[str, StringConstraints(pattern="^a+$", min_length=2)],
            {"type": "string", "pattern": "^a+$", "minLength": 2},
        ),
        (Annotated[float, Field(ge=0, le=1)], {"type": "number", "minimum": 0, "maximum": 1}),
        (
            Annotated[float, Field(gt=0, lt=1)],
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True},
        ),
        (int | str, {INT_OR_STRING: True}),
        (int | float, {"type": "number"}),
        (str | bool | int | float, {ANYTHING: True}),
        (Decimal, {ANYTHING: True}),
        (float | dict[str, float], {ANYTHING: True}),
        (Literal["a"] | Colour, {"type": "string", "enum": ["a", "red", "blue"]}),
        (Colour | str, {"type": "string"}),
        (dict[str, str], {"type": "object", "additionalProperties": {"type": "string"}}),
        (dict[str, JsonValue], {"type": "object", ANYTHING: True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (list[JsonValue], {"type": "array", "items": {ANYTHING: True}}),
        (tuple[int, int], {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
        (tuple[int, float], {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        (set[str], {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
        (
            Point,
            {
                "description": "Where it is, as `x`.",
                "type": "object",
                "properties": {"x": {"type": "integer"}},
                "required": ["x"],
            },
        ),
    ],
)  # fmt: skip
def test_a_type_becomes(annotation: Any, expected: dict[str, Any]) -> None:
    assert field(annotation) == expected


@pytest.mark.parametrize("annotation", [int, str, float, Colour, Point, dict[str, str], int | str])
def test_an_optional_field_is_its_type_alone(annotation: Any) -> None:
    assert field(annotation | None, default=None) == field(annotation)


def test_rules_of_an_optional_field_stay() -> None:
    found = field(float | None, default=None, gt=0, description="Of it.")
    assert found == {"description": "Of it.", "type": "number", "minimum": 0, "exclusiveMinimum": True}


def test_the_text_of_a_field_goes_before_that_of_its_model() -> None:
    assert field(Point, description="Here.")["description"] == "Here."
    assert field(Point | None, default=None, description="Here.")["description"] == "Here."
    assert field(Point | None, default=None)["description"] == "Where it is, as `x`."


def test_a_default_is_said_and_not_set() -> None:
    found = field(int, default=60, ge=1, description="Seconds")
    assert found == {"description": "Seconds. Default: 60.", "type": "integer", "minimum": 1}


def test_what_servers_drop_is_left_out() -> None:
    assert field(int, title="It", examples=[3], deprecated=True) == {"type": "integer"}


def test_unknown_fields_are_pruned_unless_the_model_keeps_them() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        x: int = 0

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        x: int = 0

    assert structural(Strict.model_json_schema()) == {"type": "object", "properties": {"x": {"type": "integer"}}}
    assert structural(Open.model_json_schema())[ANYTHING] is True


def test_a_union_of_models_is_one_object_with_the_fields_of_all() -> None:
    assert field(Annotated[Cat | Dog, Field(discriminator="kind")]) == {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["cat", "dog"]},
            "lives": {"type": "integer"},
            "name": {"type": "string"},
            "breed": {"type": "string"},
        },
        "required": ["kind"],
    }


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_recursion_is_written_out_so_far_and_free_below(depth: int) -> None:
    found = structural(Tree.model_json_schema(), recursion=depth)
    for _ in range(depth + 1):
        assert found["properties"]["size"] == {"type": "integer"}
        assert found["properties"]["children"]["type"] == "array"
        found = found["properties"]["crown"]
    assert found == {"description": "A tree.", "type": "object", ANYTHING: True}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "object", "patternProperties": {"^a": {}}}, "patternProperties: no rule"),
        ({"not": {"type": "string"}}, "not: no rule"),
        ({"allOf": [{"type": "string"}]}, "allOf: no rule"),
        ({"$ref": "#/$defs/Gone"}, "'#/\\$defs/Gone' is none of"),
        ({"const": None}, "None is no scalar"),
    ],
)
def test_what_has_no_rule_is_an_error(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(UnknownConstructError, match=said):
        structural(schema)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, ""),
        ({"description": " A\n   ``b`` c. "}, "A `b` c."),
        ({"description": "a word", "default": None}, "A word."),
        ({"description": "`a` word!"}, "`a` word!"),
        ({"description": "A.", "default": ""}, "A."),
        ({"description": "A.", "default": {"x": 1}}, "A."),
        ({"description": "A.", "default": []}, "A."),
        ({"description": "A", "default": False}, "A. Default: false."),
        ({"description": "A.", "default": "f1"}, 'A. Default: "f1".'),
        ({"description": "A.", "default": 0}, "A. Default: 0."),
        ({"default": 3}, ""),
    ],
)
def test_what_explain_says(schema: dict[str, Any], expected: str) -> None:
    assert described(schema) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {}}, {"type": "object", ANYTHING: True}),
        ({"type": "array", "items": {}, "maxItems": 3}, {"type": "array", "items": {"type": "object", ANYTHING: True}}),
        ({"type": "number", "minimum": 0}, {"type": "number"}),
        ({}, {ANYTHING: True}),
    ],
)
def test_a_field_that_is_stored_unread(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert unread(schema) == expected
    assert unread(schema, "So.") == {"description": "So.", **expected}
