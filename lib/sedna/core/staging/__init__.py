"""Orders in, results out: what a worker needs and makes, by store key and sha256, on any machine."""

from sedna.core.staging.access import WorkerAccess
from sedna.core.staging.folder import WorkFolder
from sedna.core.staging.order import OrderedModel, WorkOrder
from sedna.core.staging.run import Attempt, run
from sedna.core.staging.service_link import ProgramState, ServiceLink
from sedna.core.staging.stage_in import stage_in
from sedna.core.staging.stage_out import WorkResult, load_result, store_result
from sedna.store.node_cache import NodeCache

__all__ = [
    "Attempt",
    "NodeCache",
    "OrderedModel",
    "ProgramState",
    "ServiceLink",
    "WorkFolder",
    "WorkOrder",
    "WorkResult",
    "WorkerAccess",
    "load_result",
    "run",
    "stage_in",
    "store_result",
]
