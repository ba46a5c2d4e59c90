"""`deploy/crds`: made from the models, and open to whatever upstream's CRDs let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crdgen.__main__ import DEPLOY, MAX_BYTES, rendered
from crdgen.documents import DEFINITIONS, Definition, documents, object_schema
from crdgen.schema import ANYTHING, INT_OR_STRING, RULES
from crdgen.upstream import TEMPLATES
from sedna.common.yaml12 import load_yaml_all
from sedna.loop.spec import KINDS

EVERY_FIELD = Path(__file__).parents[1] / "e2e/kubernetes/every_field.yaml"
REFUSED = "refused here"

KNOWN = RULES | {
    "type",
    "format",
    "description",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "default",
    ANYTHING,
    INT_OR_STRING,
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
}
"""What a structural schema may say, so far as it is used here."""


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below a schema, and itself."""
    yield path, schema
    for name, value in schema.get("properties", {}).items():
        yield from fields(value, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from fields(schema["additionalProperties"], f"{path}{{}}")


def everything(definition: Definition) -> dict[str, dict[str, Any]]:
    """All fields of spec and status by path."""
    properties = object_schema(definition)["properties"]
    return {path: found for part in ("spec", "status") for path, found in fields(properties[part], part)}


EVERY = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)


def test_the_files_are_those_of_the_models() -> None:
    for path, text in rendered():
        assert (DEPLOY / path).read_text(encoding="utf-8") == text, f"deploy/{path} differs; run `make crds`"
    for folder in ("crds", "crds-cel"):
        there = {path.relative_to(DEPLOY) for path in (DEPLOY / folder).iterdir()}
        assert there == {path for path, _ in rendered() if path.parent.name == folder}


def test_plain_kubectl_apply_can_take_every_file() -> None:
    for path, text in rendered():
        assert len(text.encode()) < MAX_BYTES, path


@EVERY
def test_the_schema_is_structural(definition: Definition) -> None:
    for path, schema in everything(definition).items():
        assert schema.keys() <= KNOWN, path
        assert "type" in schema or ANYTHING in schema or INT_OR_STRING in schema, path
        assert not ("properties" in schema and "additionalProperties" in schema), path


@EVERY
def test_every_field_says_what_it_is(definition: Definition) -> None:
    silent = {
        path
        for path, schema in everything(definition).items()
        if not schema.get("description") and not path.endswith(("[]", "{}", "[].name", ".labels", ".annotations"))
    }
    assert silent == set()


@EVERY
def test_upstreams_fields_have_no_rule_and_no_default_but_its_own(definition: Definition) -> None:
    ruled = {
        path: {key: schema[key] for key in sorted((RULES | {"default"}) & schema.keys())}
        for path, schema in everything(definition).items()
        if path in definition.upstreams and (RULES | {"default"}) & schema.keys()
    }
    own = {"spec.deploySpec.model.pollPeriodSeconds": {"default": 60, "minimum": 1}}
    assert ruled == (own if definition.kind == "IncrementalLearningJob" else {})


@EVERY
def test_all_of_upstreams_fields_are_there(definition: Definition) -> None:
    assert definition.upstreams - everything(definition).keys() == set()


@EVERY
def test_nothing_but_upstreams_field_has_a_default(definition: Definition) -> None:
    found = {path for path, schema in everything(definition).items() if "default" in schema}
    assert found <= {"spec.deploySpec.model.pollPeriodSeconds"}


@EVERY
def test_a_status_that_another_release_wrote_is_let_in(definition: Definition) -> None:
    ruled = {
        path: schema.get("required")
        for path, schema in everything(definition).items()
        if path.startswith("status") and (RULES | {"required"}) & schema.keys()
    }
    assert ruled == {"status.conditions[]": ["type", "status"]}


@EVERY
def test_conditions_are_a_map_by_type(definition: Definition) -> None:
    conditions = everything(definition)["status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


def test_pod_templates_keep_what_the_server_may_not_know() -> None:
    found = everything(DEFINITIONS[0])
    for template in TEMPLATES:
        assert found[f"{template}.metadata.labels{{}}"] == {"type": "string"}
        assert found[f"{template}.metadata.annotations{{}}"] == {"type": "string"}
        assert found[f"{template}.metadata"][ANYTHING]
        assert found[f"{template}.spec"][ANYTHING]
        assert found[f"{template}.spec"]["required"] == ["containers"]
        assert found[f"{template}.spec.containers[]"][ANYTHING]
        assert found[f"{template}.spec.containers[]"]["required"] == ["name"]


def test_every_column_shows_a_field() -> None:
    for definition in DEFINITIONS:
        found = everything(definition)
        for name, _, _, path in definition.columns:
            field = path.removeprefix(".").replace('[?(@.type=="Ready")]', "[]")
            assert field == "metadata.creationTimestamp" or field in found, name


def test_the_variant_with_rules_differs_by_them_alone() -> None:
    def without(schema: Any) -> Any:
        if isinstance(schema, list):
            return [without(entry) for entry in schema]
        if not isinstance(schema, dict):
            return schema
        return {key: without(value) for key, value in schema.items() if key != "x-kubernetes-validations"}

    plain, ruled = dict(documents()), dict(documents(rules=True))
    assert {name: without(document) for name, document in ruled.items()} == plain
    assert "x-kubernetes-validations" not in yaml.safe_dump(plain)
    assert yaml.safe_dump(ruled).count("x-kubernetes-validations") == len(DEFINITIONS[0].rules)


def test_the_objects_of_the_end_to_end_test_have_every_field() -> None:
    """They come back from a real server whole: a field that is not in them could be pruned unnoticed."""
    used: set[str] = set()
    for body in load_yaml_all(EVERY_FIELD.read_text(encoding="utf-8")):
        KINDS[body["kind"]].model_validate(body)
        used |= {f"{body['kind']}.{path}" for path in paths(body["spec"], "spec")}
    for definition in DEFINITIONS:
        found = everything(definition)
        refused = tuple(path for path, schema in found.items() if REFUSED in schema.get("description", ""))
        wanted = {
            f"{definition.kind}.{path}"
            for path in found
            if path.startswith("spec") and not path.endswith("{}") and not path.startswith(refused)
        }
        assert wanted - used == set(), f"add them to {EVERY_FIELD.name}"


def paths(value: Any, path: str) -> Iterator[str]:
    """The paths of an object, as those of a schema."""
    yield path
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from paths(entry, f"{path}.{name}")
    if isinstance(value, list):
        for entry in value:
            yield from paths(entry, f"{path}[]")
