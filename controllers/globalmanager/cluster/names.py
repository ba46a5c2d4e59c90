"""Names and labels of the objects that this service makes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

__all__ = [
    "EDGE_HELPER",
    "EDGE_NAME",
    "INFERENCE",
    "JOB_LABEL",
    "JOB_NAME",
    "MANAGED_BY",
    "MANAGED_BY_LABEL",
    "TYPE_LABEL",
    "UID_LABEL",
    "is_of_job",
    "job_labels",
    "label_value",
    "object_name",
]

JOB_LABEL: Final = "incrementallearningjob.sedna.io/name"
UID_LABEL: Final = "incrementallearningjob.sedna.io/uid"
TYPE_LABEL: Final = "incrementallearningjob.sedna.io/worker-type"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "sedna"

INFERENCE: Final = "inference"
"""Upstream's worker type of an edge."""

JOB_NAME: Final = "sedna.io/job"
"""Annotation: name of the job, which as a label may be cut."""

EDGE_NAME: Final = "sedna.io/edge-name"
"""Annotation of a Pod: its name as an edge, in which $(POD_NAME), $(POD_NAMESPACE) and $(NODE_NAME) stand for those."""

EDGE_HELPER: Final = "sedna-lc"
"""The container that speaks for the program beside it; our edge server speaks for itself."""

_LONGEST = 63
_DIGEST = 8


def object_name(job: str, suffix: str) -> str:
    """``<job>-<suffix>`` as an RFC 1035 label, which every kind takes, Services too.

    Names of jobs may be longer, hold dots and begin with a digit: those are cut and get a part of their hash, so that
    two jobs never mean one object.
    """
    wanted = f"{job}-{suffix}"
    readable = wanted.replace(".", "-")
    if readable == wanted and len(wanted) <= _LONGEST and wanted[0].isalpha():
        return wanted
    prefix = "" if readable[0].isalpha() else "j"
    kept = _LONGEST - _DIGEST - len(suffix) - len(prefix) - 2
    return f"{prefix}{readable[: min(len(job), kept)].rstrip('-')}-{_digest(job)}-{suffix}"


def label_value(text: str) -> str:
    """The text as it is where a label can hold it, else its beginning and a part of its hash."""
    if len(text) <= _LONGEST:
        return text
    return f"{re.sub(r'[-.]+$', '', text[: _LONGEST - _DIGEST - 1])}-{_digest(text)}"


def job_labels(name: str, uid: str, worker_type: str) -> dict[str, str]:
    """Upstream's three labels, and whose the object is."""
    return {
        JOB_LABEL: label_value(name),
        UID_LABEL: uid,
        TYPE_LABEL: worker_type,
        MANAGED_BY_LABEL: MANAGED_BY,
    }


def is_of_job(labels: Mapping[str, str], uid: str, worker_type: str) -> bool:
    """Whether an object belongs to the job of this uid as a worker of this type."""
    return labels.get(UID_LABEL) == uid and labels.get(TYPE_LABEL) == worker_type


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
