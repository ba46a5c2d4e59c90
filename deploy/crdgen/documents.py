"""The CustomResourceDefinitions: names, schema of spec and status, columns, and rules for newer servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from crdgen import upstream
from crdgen.schema import Schema, structural, unread
from globalmanager.operator.status import DatasetStatus, JobStatus, ModelStatus
from sedna.loop.spec import Dataset, DatasetSpec, IncrementalLearningJob, JobSpec, Model, ModelSpec

GROUP: Final = "sedna.io"
VERSION: Final = "v1alpha1"

NESTED_TRIGGERS: Final = 2
"""So deep is a trigger inside ``all`` and ``any`` of another one written out; deeper ones are stored unchecked."""


@dataclass(frozen=True)
class Rule:
    """A CEL rule on the object at ``path``, and what to say when it does not hold."""

    path: str
    rule: str
    message: str


@dataclass(frozen=True)
class Definition:
    """What one CRD is made of."""

    plural: str
    singular: str
    short_names: tuple[str, ...]
    resource: type[IncrementalLearningJob | Dataset | Model]
    spec: type[BaseModel]
    status: type[BaseModel]
    upstreams: frozenset[str]
    columns: tuple[tuple[str, str, str, str], ...]
    rules: tuple[Rule, ...] = ()

    @property
    def kind(self) -> str:
        """Kind of its objects."""
        return self.resource.__name__


_DEPLOY_TRIGGER: Final = "spec.deploySpec.trigger"
"""The same model as of training, of which the service refuses our fields. They are stored, so that it can say so."""

_JOB_RULES: Final = (
    Rule(
        path="spec",
        rule="has(self.trainSpec.algorithm) || "
        "(has(self.evalSpec) && (has(self.evalSpec.template) || has(self.evalSpec.algorithm)))",
        message="evalSpec.template is required when trainSpec has a template",
    ),
    Rule(
        path="spec.trainSpec",
        rule="has(self.template) != has(self.algorithm)",
        message="give exactly one of template (a pod) and algorithm (a registered class)",
    ),
    Rule(
        path=_DEPLOY_TRIGGER,
        rule="!has(self.cron) && !has(self.precision) && !has(self.all) && !has(self.any) "
        "&& !has(self.cooldownSeconds) && !has(self.maxWaitSeconds)",
        message="deploySpec.trigger takes condition and timer; the others decide about training",
    ),
)
"""They ask which fields are there, and read no value: their cost does not grow with the object. None can fail for an
object that upstream's CRD has let in."""

_AGE: Final = ("Age", "date", "Since when it is there.", ".metadata.creationTimestamp")
_TAKEN_IN: Final = (
    ("Ready", "string", "Whether it can be read.", '.status.conditions[?(@.type=="Ready")].status'),
    ("Reason", "string", "Why it can, or not.", '.status.conditions[?(@.type=="Ready")].reason'),
    _AGE,
)

DEFINITIONS: Final = (
    Definition(
        plural="incrementallearningjobs",
        singular="incrementallearningjob",
        short_names=("il",),
        resource=IncrementalLearningJob,
        spec=JobSpec,
        status=JobStatus,
        upstreams=upstream.JOB_FIELDS,
        columns=(
            ("Phase", "string", "What the job does.", ".status.phase"),
            ("Round", "integer", "The current round, or the last one.", ".status.round"),
            ("Samples", "integer", "Labelled samples.", ".status.samples.labelled"),
            ("Model", "integer", "Version of the model in service.", ".status.model"),
            ("Metric", "string", "The gate's metric of that model.", ".status.metric"),
            ("Ready", "string", "Whether the job can work.", ".status.ready"),
            ("Reason", "string", "Why it cannot or is degraded, else what it does.", ".status.reason"),
            _AGE,
        ),
        rules=_JOB_RULES,
    ),
    Definition(
        plural="datasets",
        singular="dataset",
        short_names=(),
        resource=Dataset,
        spec=DatasetSpec,
        status=DatasetStatus,
        upstreams=upstream.DATASET_FIELDS,
        columns=(
            ("Format", "string", "Format of the labels.", ".spec.format"),
            ("Samples", "integer", "Imported images.", ".status.numberOfSamples"),
            *_TAKEN_IN,
        ),
    ),
    Definition(
        plural="models",
        singular="model",
        short_names=(),
        resource=Model,
        spec=ModelSpec,
        status=ModelStatus,
        upstreams=upstream.MODEL_FIELDS,
        columns=(
            ("Format", "string", "Format of the model.", ".spec.format"),
            *_TAKEN_IN,
        ),
    ),
)


def documents(*, rules: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """File name and content of each CRD; with CEL ``rules`` for servers that know them (1.25 and newer)."""
    for definition in DEFINITIONS:
        yield f"{GROUP}_{definition.plural}.yaml", _document(definition, rules=rules)


def _document(definition: Definition, *, rules: bool) -> dict[str, Any]:
    schema = object_schema(definition)
    for rule in definition.rules if rules else ():
        found = _at(schema, rule.path).setdefault("x-kubernetes-validations", [])
        found.append({"rule": rule.rule, "message": rule.message})
    names: dict[str, Any] = {
        "kind": definition.kind,
        "listKind": f"{definition.kind}List",
        "plural": definition.plural,
        "singular": definition.singular,
        "categories": ["all"],
    }
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "description": text, "jsonPath": path}
            for name, kind, text, path in definition.columns
        ],
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{definition.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def object_schema(definition: Definition) -> Schema:
    """Schema of the whole object."""
    spec = structural(definition.spec.model_json_schema(mode="validation"), recursion=NESTED_TRIGGERS)
    status = structural(definition.status.model_json_schema(mode="serialization"))
    return {
        "description": " ".join((definition.resource.__doc__ or "").split()),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": definition.kind},
            "metadata": {"type": "object"},
            "spec": _as_upstream(spec, "spec", definition.upstreams),
            "status": upstream.status(status),
        },
    }


def _as_upstream(schema: Schema, path: str, fields: frozenset[str]) -> Schema:
    """The schema with upstream's fields as upstream has them."""
    if path in upstream.TEMPLATES:
        return upstream.pod_template(schema["description"])
    if path.startswith(f"{_DEPLOY_TRIGGER}.") and path not in fields:
        return unread(schema, "Decides about training, and is refused here.")
    made = upstream.without_rules(path, schema) if path in fields else dict(schema)
    if "properties" in made:
        made["properties"] = {
            name: _as_upstream(value, f"{path}.{name}", fields) for name, value in made["properties"].items()
        }
    if "items" in made:
        made["items"] = _as_upstream(made["items"], f"{path}[]", fields)
    return made


def _at(schema: Schema, path: str) -> Schema:
    for name in path.split("."):
        schema = schema["properties"][name]
    return schema
