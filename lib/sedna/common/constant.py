"""Words that go over the wire. Names and values are upstream's."""

from enum import Enum
from typing import TYPE_CHECKING

from sedna.common.paradigms import names_of_other_paradigms

__all__ = ["K8sResourceKind", "K8sResourceKindStatus"]

if not TYPE_CHECKING:  # to a type checker the name is missing, as it is
    __getattr__ = names_of_other_paradigms(__name__, {"KBResourceConstant": "lifelong learning"})


class K8sResourceKind(Enum):
    """``ownerKind`` of a worker's report."""

    DEFAULT = "default"
    MULTI_EDGE_TRACKING_SERVICE = "multiedgetrackingservice"
    JOINT_INFERENCE_SERVICE = "jointinferenceservice"
    FEDERATED_LEARNING_JOB = "federatedlearningjob"
    INCREMENTAL_JOB = "incrementallearningjob"
    LIFELONG_JOB = "lifelonglearningjob"


class K8sResourceKindStatus(Enum):
    """``status`` of a worker's report."""

    COMPLETED = "completed"
    FAILED = "failed"
    RUNNING = "running"
