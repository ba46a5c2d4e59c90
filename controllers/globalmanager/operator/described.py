"""A custom resource as a description: the checks of REST, so that a mistake is told in the same words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from globalmanager.api.manifests import Diagnostic, ManifestError, parse_manifests
from globalmanager.cluster.api import Body
from globalmanager.operator.annotations import is_of_the_operator
from sedna.common.errors import TooLargeError
from sedna.common.types import Value
from sedna.loop.spec import Resource

__all__ = ["Refusal", "described", "metadata_of"]


class Refusal(Value):
    """Why a custom resource is not acted on, as reason and message of its condition Ready.

    ``waits``: what is missing may come by itself; otherwise the resource must be changed.
    """

    reason: str
    message: str
    waits: bool = False


def described(body: Body) -> Resource | Refusal:
    """The description in a custom resource, or every mistake in it."""
    content = {
        "apiVersion": body.get("apiVersion"),
        "kind": body.get("kind"),
        "metadata": metadata_of(body),
        "spec": body.get("spec"),
    }
    try:
        (resource,) = parse_manifests(json.dumps(content).encode(), "spec")
    except ManifestError as error:
        return Refusal(reason=_reason(error.diagnostics[0]), message="; ".join(map(_told, error.diagnostics)))
    except TooLargeError as error:
        return Refusal(reason="SpecInvalid", message=str(error))
    return resource


def metadata_of(body: Body) -> dict[str, Any]:
    """What a record keeps of an object's metadata. ``uid`` says that it came from a custom resource, and from which."""
    meta = body["metadata"]
    kept: dict[str, Any] = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
    if meta.get("labels"):
        kept["labels"] = dict(meta["labels"])
    annotations = _of_people(meta.get("annotations") or {})
    if annotations:
        kept["annotations"] = annotations
    return kept


def _of_people(annotations: Mapping[str, str]) -> dict[str, str]:
    """Without what tools note: a trigger that is asked for makes no other description."""
    return {
        name: value
        for name, value in annotations.items()
        if not is_of_the_operator(name) and not name.startswith("kubectl.kubernetes.io/")
    }


def _reason(mistake: Diagnostic) -> str:
    key = mistake.key
    if key == "spec.deploySpec.hardExampleMining.name":
        return "UnknownMiner"
    if key.startswith("spec.deploySpec.hardExampleMining.parameters"):
        return "MinerInvalid"
    if key.endswith(".algorithm.name"):
        return "UnknownAlgorithm"
    if ".algorithm" in key:
        return "AlgorithmInvalid"
    return "TemplateInvalid" if ".template" in key else "SpecInvalid"


def _told(mistake: Diagnostic) -> str:
    text = f"{mistake.key}: {mistake.message}" if mistake.key else mistake.message
    return f"{text} ({mistake.hint})" if mistake.hint else text
