"""pydantic's JSON schema turned into a structural schema, the only kind that an API server takes for a CRD.

Pure functions. What a server would refuse, drop in silence or not decode is converted by the rules below; a keyword
that has no rule here is an error, so that a new construct in a model cannot change an API unnoticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

Schema = dict[str, Any]

ANYTHING: Final = "x-kubernetes-preserve-unknown-fields"
"""Whatever stands here is stored as it is."""

INT_OR_STRING: Final = "x-kubernetes-int-or-string"
LIST_TYPE: Final = "x-kubernetes-list-type"

RULES: Final = frozenset(
    {
        "enum",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
    }
)
"""Keywords that refuse a value of the right type."""

_FORMATS = frozenset({"date-time", "int32", "int64", "double", "float", "byte"})
"""Formats that mean the same on both sides. ``duration`` is 1h to a server and PT1H to pydantic."""

_DROPPED = frozenset({"title", "examples", "deprecated", "readOnly", "writeOnly", "default", "format", "const"})
_CONVERTED = frozenset(
    {"type", "description", "properties", "required", "items", "prefixItems", "uniqueItems", "additionalProperties"}
)


class UnknownConstructError(ValueError):
    """The schema says something that has no rule."""


def structural(schema: Mapping[str, Any], *, recursion: int = 0) -> Schema:
    """The schema without references, unions and nulls.

    A model that holds itself is written out ``recursion`` times inside itself; below that it is an object of anything.
    Defaults are not kept: a server writes them into the object, where nobody can tell them from the user's own
    value. The description names them instead.

    Raises:
        UnknownConstructError: a keyword or a reference that has no rule.
    """
    return _Conversion(schema.get("$defs", {}), recursion).convert(schema, ())


class _Conversion:
    """One schema's definitions, and how often a definition may stand inside itself."""

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]], recursion: int) -> None:
        self._definitions = definitions
        self._recursion = recursion

    def convert(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        """Convert what stands ``inside`` these definitions."""
        if "$ref" in schema:
            return self._referred(schema, inside)
        if "anyOf" in schema or "oneOf" in schema:
            return self._union(schema, inside)
        self._require_rules(schema)
        made: Schema = {}
        if text := described(schema):
            made["description"] = text
        kind = schema.get("type")
        if kind is None and "const" in schema:
            kind = _type_of(schema["const"])
        if kind is None and "enum" not in schema:
            return made | {ANYTHING: True}
        made["type"] = kind if kind is not None else _type_of(schema["enum"][0])
        if schema.get("format") in _FORMATS:
            made["format"] = schema["format"]
        made |= _rules(schema)
        if kind == "object":
            made |= self._object(schema, inside)
        if kind == "array":
            made |= self._array(schema, inside)
        return made

    def _referred(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name not in self._definitions:
            raise UnknownConstructError(f"$ref {schema['$ref']!r} is none of $defs")
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if inside.count(name) > self._recursion:
            return unread({**self._definitions[name], **beside})
        return self.convert({**self._definitions[name], **beside}, (*inside, name))

    def _union(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        outer = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "discriminator")}
        options = schema.get("anyOf") or schema["oneOf"]
        members = [option for option in options if option.get("type") != "null"]
        if len(members) == 1:
            return self.convert({**members[0], **outer}, inside)
        converted = [self.convert(member, inside) for member in members]
        made: Schema = {"description": text} if (text := described(outer)) else {}
        return made | _common(converted)

    def _object(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        more = schema.get("additionalProperties")
        properties = schema.get("properties")
        if properties is None:
            values = self.convert(more, inside) if isinstance(more, Mapping) else {ANYTHING: True}
            return {ANYTHING: True} if ANYTHING in values else {"additionalProperties": values}
        made: Schema = {"properties": {name: self.convert(value, inside) for name, value in properties.items()}}
        if required := schema.get("required"):
            made["required"] = list(required)
        # false is dropped: a server prunes what it does not know, and refuses the word beside properties
        return made | ({ANYTHING: True} if more not in (None, False) else {})

    def _array(self, schema: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
        if "prefixItems" in schema:
            entries = [self.convert(entry, inside) for entry in schema["prefixItems"]]
            return {"items": entries[0] if all(entry == entries[0] for entry in entries) else _common(entries)}
        made: Schema = {"items": self.convert(schema.get("items", {}), inside)}
        return made | ({LIST_TYPE: "set"} if schema.get("uniqueItems") else {})

    @staticmethod
    def _require_rules(schema: Mapping[str, Any]) -> None:
        unknown = schema.keys() - RULES - _DROPPED - _CONVERTED - {"$defs"}
        if unknown:
            raise UnknownConstructError(f"{', '.join(sorted(unknown))}: no rule for it in {dict(schema)!r:.200}")


def unread(schema: Mapping[str, Any], description: str | None = None) -> Schema:
    """The same field, stored as it is; of a schema before or after its conversion."""
    text = described(schema) if description is None else description
    made: Schema = {"description": text} if text else {}
    if schema.get("type") == "array":
        return made | {"type": "array", "items": {"type": "object", ANYTHING: True}}
    if schema.get("type") == "object":
        return made | {"type": "object", ANYTHING: True}
    return made | ({"type": schema["type"]} if "type" in schema else {ANYTHING: True})


def _rules(schema: Mapping[str, Any]) -> Schema:
    """The keywords that refuse a value, as a server of OpenAPI 3.0 has them."""
    made = {key: schema[key] for key in sorted(RULES & schema.keys())}
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in made:  # a number to pydantic, a flag beside the limit to the server
            made[limit] = made[bound]
            made[bound] = True
    if "const" in schema:
        made["enum"] = [schema["const"]]
    return made


def _common(members: Sequence[Schema]) -> Schema:
    """One schema that takes what any of the members takes."""
    types = {member.get("type") for member in members}
    if types == {"integer", "string"} and not any(RULES & member.keys() for member in members):
        return {INT_OR_STRING: True}
    if types <= {"integer", "number"}:
        return {"type": "number"}
    if types == {"string"}:
        if all("enum" in member for member in members):
            return {"type": "string", "enum": [value for member in members for value in member["enum"]]}
        return {"type": "string"}
    if types == {"object"} and all("properties" in member for member in members):
        return _merged(members)
    return {ANYTHING: True}


def _merged(members: Sequence[Schema]) -> Schema:
    """One object with the fields of all, required where every member requires it."""
    properties: dict[str, list[Schema]] = {}
    for member in members:
        for name, schema in member["properties"].items():
            properties.setdefault(name, []).append(schema)
    made: Schema = {"type": "object", "properties": {}}
    for name, schemas in properties.items():
        same = all(schema == schemas[0] for schema in schemas)
        made["properties"][name] = schemas[0] if same else _common(schemas)
    required = set.intersection(*(set(member.get("required", ())) for member in members))
    if required:
        made["required"] = sorted(required)
    return made


def described(schema: Mapping[str, Any]) -> str:
    """What `kubectl explain` says of a field: its description as sentences on one line, and its default."""
    text = re.sub(r"\s+", " ", str(schema.get("description", "")).replace("``", "`")).strip()
    if not text:
        return ""
    text = text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
    default = schema.get("default")
    if default is None or default == "" or isinstance(default, Mapping | list):
        return text
    return f"{text} Default: {json.dumps(default)}."


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    if type(value) not in names:
        raise UnknownConstructError(f"{value!r} is no scalar")
    return names[type(value)]
