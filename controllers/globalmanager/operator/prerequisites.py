"""What a job needs beside its description: Datasets, Models, Secrets, and templates that the cluster takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

from globalmanager.cluster.api import Body, NamespaceTerminatingError
from globalmanager.cluster.kinds import DATASETS, MODELS, PODS, SECRETS, Kind
from globalmanager.db import resources
from globalmanager.db.database import Session
from globalmanager.engine.apply import references_of
from globalmanager.operator.context import Context
from globalmanager.operator.described import Refusal
from sedna.common.errors import AuthError, SpecError, TemporaryError, UserError
from sedna.common.types import JobKey
from sedna.loop.spec import JobSpec

__all__ = ["KINDS_OF_RECORDS", "missing_reference", "missing_secret", "refused_template"]

log = logging.getLogger(__name__)

KINDS_OF_RECORDS: Final[dict[resources.Kind, Kind]] = {"Dataset": DATASETS, "Model": MODELS}

SECRET_KEYS: Final = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
ENDPOINT_NOTE: Final = "s3-endpoint"
"""Upstream's annotation of a Secret with S3 keys."""


def missing_reference(context: Context, session: Session, namespace: str, spec: JobSpec) -> Refusal | None:
    """What the job refers to and what is not there, or None."""
    for kind, name, path in references_of(spec):
        record = resources.find(session, kind, JobKey(namespace=namespace, name=name))
        shown = context.view.get(KINDS_OF_RECORDS[kind], namespace, name)
        # A record that came from a custom resource counts as long as that is there.
        if record is not None and ("uid" not in record.metadata or shown is not None):
            continue
        if shown is not None:
            why = f"{kind} {namespace}/{name} is there and was not taken in; its condition Ready says why"
            context.look_at((KINDS_OF_RECORDS[kind], namespace, name))
        else:
            why = f"there is no {kind} {namespace}/{name}; {_hint(context, kind, namespace, name)}"
        return Refusal(reason=f"{kind}Missing", message=f"{path}: {why}", waits=True)
    return None


def missing_secret(context: Context, session: Session, namespace: str, spec: JobSpec) -> Refusal | None:
    """The first Secret with credentials that is missing, or lacks something; None if all are fine."""
    for name, path in _credentials(session, namespace, spec):
        try:
            secret = context.api.get(SECRETS, namespace, name)
        except AuthError as error:
            text = f"{path}: Secret {namespace}/{name} may not be read by this service: {error.message}"
            return Refusal(reason="SecretForbidden", message=text, waits=True)
        if secret is None:
            text = f"{path}: there is no Secret {namespace}/{name}; the job waits for it"
            return Refusal(reason="SecretMissing", message=text, waits=True)
        lacking = [key for key in SECRET_KEYS if key not in (secret.get("data") or {})]
        if ENDPOINT_NOTE not in (secret["metadata"].get("annotations") or {}):
            lacking.append(f"annotation {ENDPOINT_NOTE}")
        if lacking:
            text = f"{path}: Secret {namespace}/{name} lacks {', '.join(lacking)}; the job waits for that"
            return Refusal(reason="SecretIncomplete", message=text, waits=True)
    return None


def refused_template(context: Context, namespace: str, spec: JobSpec) -> Refusal | None:
    """What the API server says to the Pods of the job's templates; None if it takes them. Nothing is made."""
    for path, template in (
        ("spec.trainSpec.template", spec.train_spec.template),
        ("spec.evalSpec.template", spec.eval_spec.template),
        ("spec.deploySpec.template", spec.deploy_spec.template),
    ):
        if template is None:
            continue
        try:
            context.api.create(PODS, namespace, _pod(template), dry_run=True)
        except SpecError as error:
            text = f"{path}: the cluster refuses its Pod: {error.message}"
            return Refusal(reason="TemplateInvalid", message=text)
        except NamespaceTerminatingError as error:
            return Refusal(reason="NamespaceTerminating", message=error.message)
        except (UserError, TemporaryError) as error:
            # A quota that is full now, a right that is not given: that says nothing about the template.
            log.info("%s of a job in %s was not tried: %s", path, namespace, error)
    return None


def _pod(template: dict[str, Any]) -> Body:
    metadata = template.get("metadata")
    kept = {name: metadata[name] for name in ("labels", "annotations") if metadata.get(name)} if metadata else {}
    return {
        "metadata": {"generateName": "sedna-trial-", **kept},
        "spec": {**template["spec"], "restartPolicy": "Never"},
    }


def _credentials(session: Session, namespace: str, spec: JobSpec) -> Iterator[tuple[str, str]]:
    seen = set()
    if spec.credential_name:
        seen.add(spec.credential_name)
        yield spec.credential_name, "spec.credentialName"
    for kind, name, path in references_of(spec):
        record = resources.find(session, kind, JobKey(namespace=namespace, name=name))
        secret = None if record is None else record.spec.get("credentialName")
        if secret and secret not in seen:
            seen.add(secret)
            yield secret, f"{path}: credentialName of {kind} {name}"


def _hint(context: Context, kind: resources.Kind, namespace: str, name: str) -> str:
    shown = context.view.all(KINDS_OF_RECORDS[kind])
    elsewhere = sorted(body["metadata"]["namespace"] for body in shown if body["metadata"]["name"] == name)
    if elsewhere:
        return f"one of that name is in {', '.join(elsewhere)}, and a job refers to its own namespace only"
    known = sorted(body["metadata"]["name"] for body in shown if body["metadata"]["namespace"] == namespace)
    return f"the job waits for it; known: {', '.join(known[:10]) or 'none'}"
