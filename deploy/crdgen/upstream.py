"""Which fields are upstream's, and how they must look so that each of its objects applies and is stored whole.

A field of upstream's gets no rule here that upstream's own CRDs do not have: what is stored already must stay
writable, and a value that cannot work is answered with a condition of the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crdgen.schema import ANYTHING, RULES, Schema

_TRIGGER = (
    "trigger",
    "trigger.checkPeriodSeconds",
    "trigger.timer",
    "trigger.timer.start",
    "trigger.timer.end",
    "trigger.condition",
    "trigger.condition.operator",
    "trigger.condition.threshold",
    "trigger.condition.metric",
)

JOB_FIELDS: Final = frozenset(
    {
        "spec",
        "spec.dataset",
        "spec.dataset.name",
        "spec.dataset.trainProb",
        "spec.initialModel",
        "spec.initialModel.name",
        "spec.trainSpec",
        "spec.trainSpec.template",
        *(f"spec.trainSpec.{path}" for path in _TRIGGER),
        "spec.evalSpec",
        "spec.evalSpec.template",
        "spec.evalSpec.initialEvalModel",
        "spec.evalSpec.initialEvalModel.name",
        "spec.deploySpec",
        "spec.deploySpec.template",
        "spec.deploySpec.model",
        "spec.deploySpec.model.name",
        "spec.deploySpec.model.hotUpdateEnabled",
        "spec.deploySpec.model.pollPeriodSeconds",
        *(f"spec.deploySpec.{path}" for path in _TRIGGER),
        "spec.deploySpec.hardExampleMining",
        "spec.deploySpec.hardExampleMining.name",
        "spec.deploySpec.hardExampleMining.parameters",
        "spec.deploySpec.hardExampleMining.parameters[]",
        "spec.deploySpec.hardExampleMining.parameters[].key",
        "spec.deploySpec.hardExampleMining.parameters[].value",
        "spec.credentialName",
        "spec.outputDir",
    }
)

DATASET_FIELDS: Final = frozenset({"spec", "spec.url", "spec.format", "spec.nodeName", "spec.credentialName"})

MODEL_FIELDS: Final = frozenset(
    {
        "spec",
        "spec.url",
        "spec.format",
        "spec.device_soc_versions",
        "spec.device_soc_versions[]",
        "spec.credentialName",
    }
)

TEMPLATES: Final = frozenset({"spec.trainSpec.template", "spec.evalSpec.template", "spec.deploySpec.template"})

_OWN_RULES: Final[dict[str, Schema]] = {
    "spec.deploySpec.model.pollPeriodSeconds": {"format": "int64", "default": 60, "minimum": 1},
}
"""The only rule, and the only default, that upstream's CRDs have."""

_LEFT_IN_CONDITIONS: Final[dict[str, Schema]] = {
    "stage": {"type": "string", "description": "Left by upstream's manager: Train, Eval or Deploy."},
    "data": {"type": "string", "description": "Left by upstream's manager: what it noted of the stage, in JSON."},
    "lastHeartbeatTime": {"type": "string", "format": "date-time", "description": "Left by upstream's manager."},
}
"""Upstream's conditions have these too. Without them nobody could read where a job stood that is taken over."""


def without_rules(path: str, schema: Schema) -> Schema:
    """A field of upstream's with upstream's own rules alone."""
    return {key: value for key, value in schema.items() if key not in RULES} | _OWN_RULES.get(path, {})


def pod_template(description: str) -> Schema:
    """A core/v1 PodTemplateSpec that is stored as it is, whatever the server's release knows of Pods.

    Labels and annotations have a type, or YAML's ``annotation: yes`` would be stored as a boolean that no Pod can have.
    """
    words = {"type": "object", "additionalProperties": {"type": "string"}}
    containers = {
        "description": "The first one is the worker.",
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}},
            ANYTHING: True,
        },
    }
    return {
        "description": description,
        "type": "object",
        "properties": {
            "metadata": {
                "description": "Labels and annotations of the Pods.",
                "type": "object",
                "properties": {"labels": dict(words), "annotations": dict(words)},
                ANYTHING: True,
            },
            "spec": {
                "description": "A core/v1 PodSpec, as of `kubectl explain pod.spec`.",
                "type": "object",
                "required": ["containers"],
                "properties": {"containers": containers},
                ANYTHING: True,
            },
        },
    }


def status(schema: Schema) -> Schema:
    """A status schema: types and texts, no rules.

    The service is the only writer. What it wrote in another release, and what upstream's manager wrote, must not make
    the object unwritable: of a condition type and status are required, and of nothing else anything.
    """
    made = _everywhere(schema, _status_field)
    conditions = made["properties"]["conditions"]
    conditions |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    conditions["items"]["required"] = ["type", "status"]
    if "phase" in made["properties"]:  # a job: upstream writes no conditions elsewhere
        conditions["items"]["properties"] |= _LEFT_IN_CONDITIONS
    return made


def _status_field(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in RULES and key != "required"}


def _everywhere(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """The schema with ``change`` applied to it and to everything in it."""
    made = change(schema)
    if "properties" in made:
        made["properties"] = {name: _everywhere(value, change) for name, value in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = _everywhere(made[key], change)
    return made
