"""What a job needs beside its description: Datasets, Models, Secrets, and templates that the cluster takes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

from globalmanager.cluster.api import Body, QuotaExceededError
from globalmanager.cluster.credentials import CredentialError, SecretCredentials
from globalmanager.cluster.kinds import DATASETS, MODELS, PODS, Kind
from globalmanager.db import resources
from globalmanager.db.database import Session
from globalmanager.engine.apply import references_of
from globalmanager.operator.context import Context
from globalmanager.operator.described import Refusal
from globalmanager.runtimes.kubernetes.template_check import dry_run
from sedna.common.errors import PermanentError, SpecError, UserError
from sedna.common.types import JobKey
from sedna.loop.spec import IncrementalLearningJob, JobSpec

__all__ = ["KINDS_OF_RECORDS", "missing_reference", "missing_secret", "refused_template"]

log = logging.getLogger("sedna.globalmanager.operator")

KINDS_OF_RECORDS: Final[dict[resources.Kind, Kind]] = {"Dataset": DATASETS, "Model": MODELS}


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
    credentials = SecretCredentials(context.api)
    for name, path in _credentials(session, namespace, spec):
        try:
            credentials.settings(namespace, name)
        except CredentialError as error:
            return Refusal(reason=error.cause, message=f"{path}: {error}; the job waits for that", waits=True)
    return None


def refused_template(context: Context, job: IncrementalLearningJob) -> Refusal | None:
    """What the API server says to the Pods of the job's templates; None if it takes them. Nothing is made."""
    problems = dry_run(context.api, context.settings, job)
    template = job.spec.deploy_spec.template
    if template is not None:
        try:
            context.api.create(PODS, job.key.namespace, _pod(template), dry_run=True)
        except SpecError as error:
            problems.append(f"deploySpec.template: {error.message}")
        except (UserError, PermanentError, QuotaExceededError) as error:
            # A quota that is full now, a right that is not given: that says nothing about the template.
            log.info("deploySpec.template of %s was not tried: %s", job.key, error)
    if not problems:
        return None
    return Refusal(reason="TemplateInvalid", message=f"the cluster refuses its Pods: {'; '.join(problems)}")


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
