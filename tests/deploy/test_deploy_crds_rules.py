"""The CEL rules of `deploy/crds-cel`, evaluated: they say what the service says, and nothing of upstream's objects."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from cel_expr_python import cel
from pydantic import ValidationError

from crdgen.documents import DEFINITIONS, Rule, object_schema
from sedna.common.yaml12 import load_yaml_all
from sedna.loop.spec import KINDS, JobSpec

RULES = DEFINITIONS[0].rules
E2E = Path(__file__).parents[1] / "e2e/kubernetes"
FILES = [E2E / "every_field.yaml", *(file for file in sorted(E2E.glob("upstream/*.yaml")) if file.stem != "crds")]

POD = {"spec": {"containers": [{"name": "worker", "image": "user/worker:1"}]}}
SPEC: dict[str, Any] = {
    "dataset": {"name": "boards", "trainProb": 0.8},
    "initialModel": {"name": "initial"},
    "trainSpec": {"algorithm": {"name": "FPN"}},
    "deploySpec": {"model": {"name": "serving"}, "hardExampleMining": {"name": "IBT"}},
}


def broken(spec: dict[str, Any]) -> list[str]:
    """What a server with CEL says of a spec: the messages of the rules that do not hold."""
    return [rule.message for rule in RULES if not holds(rule, spec)]


def holds(rule: Rule, spec: dict[str, Any]) -> bool:
    """A rule is asked only where its object is."""
    inside: Any = {"spec": spec}
    for name in rule.path.split("."):
        if name not in inside:
            return True
        inside = inside[name]
    environment = cel.NewEnv(variables={"self": cel.Type.DYN})
    answer = environment.compile(rule.rule).eval(data={"self": inside}).value()
    assert isinstance(answer, bool), f"{rule.rule}: {answer}"
    return answer


def with_fields(**fields: Any) -> dict[str, Any]:
    """A spec with fields of its trainSpec, evalSpec and deploySpec replaced; None = without it."""
    spec = copy.deepcopy(SPEC)
    for part, changed in fields.items():
        spec[part] = {
            name: value for name, value in {**spec.get(part, {}), **changed}.items() if value is not None
        }  # fmt: skip
    return spec


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC, None),
        (with_fields(trainSpec={"template": POD}), "give exactly one of template"),
        (with_fields(trainSpec={"algorithm": None}, evalSpec={"template": POD}), "give exactly one of template"),
        (with_fields(trainSpec={"algorithm": None, "template": POD}), "evalSpec.template is required"),
        (with_fields(trainSpec={"algorithm": None, "template": POD}, evalSpec={}), "evalSpec.template is required"),
        (with_fields(trainSpec={"algorithm": None, "template": POD}, evalSpec={"template": POD}), None),
        (with_fields(trainSpec={"algorithm": None, "template": POD}, evalSpec={"algorithm": {"name": "FPN"}}), None),
        (with_fields(evalSpec={"template": POD}), None),
        *(
            (with_fields(deploySpec={"trigger": {name: value}}), "deploySpec.trigger takes condition and timer")
            for name, value in {
                "cron": {"schedule": "0 2 * * *"},
                "precision": {"below": 0.5},
                "all": [{}],
                "any": [{}],
                "cooldownSeconds": 1,
                "maxWaitSeconds": 1,
            }.items()
        ),
        (with_fields(deploySpec={"trigger": {"timer": {"start": "01:00", "end": "02:00"}}}), None),
        (with_fields(deploySpec={"trigger": {}}), None),
    ],
)
def test_a_rule_says_what_the_service_says(spec: dict[str, Any], said: str | None) -> None:
    found = broken(spec)
    if said is None:
        assert found == []
        JobSpec.model_validate(spec)
        return
    assert any(said in message for message in found)
    with pytest.raises(ValidationError, match=re.escape(said)):
        JobSpec.model_validate(spec)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_object_holds_to_the_rules(file: Path) -> None:
    jobs = [body for body in load_yaml_all(file.read_text()) if body and body["kind"] == "IncrementalLearningJob"]
    assert jobs
    for body in jobs:
        assert broken(body["spec"]) == [], body["metadata"]["name"]
        KINDS[body["kind"]].model_validate(body)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.path)
def test_the_cost_of_a_rule_does_not_grow_with_the_object(rule: Rule) -> None:
    """It only asks which fields are there, once an object: a server estimates a cost of some units, of 10 million."""
    words = re.sub(r"has\(self(\.[A-Za-z]+)+\)", "", rule.rule)
    assert re.fullmatch(r"[\s()!&|=]*", words), f"more than has(): {words}"
    schema: Any = object_schema(DEFINITIONS[0])
    for name in rule.path.split("."):
        assert schema.get("type") == "object"
        schema = schema["properties"][name]
    for path in re.findall(r"self((?:\.[A-Za-z]+)+)", rule.rule):
        inside = schema
        for name in path[1:].split("."):
            assert "type" in inside["properties"][name], f"{rule.path}{path}: CEL knows no field without a type"
            inside = inside["properties"][name]
