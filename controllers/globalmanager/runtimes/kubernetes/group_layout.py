"""The Pods of one training in several, and the Service by whose name they find each other: pure functions.

A registered algorithm runs under torchrun. A template's program is started as it is; it finds what torchrun reads
(``PET_...``), and with one process a Pod also what torchrun would set (``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ...).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from globalmanager.cluster.api import Body
from globalmanager.cluster.our_containers import set_env
from globalmanager.runtimes.base import WorkerSpec
from globalmanager.runtimes.kubernetes.naming import ATTEMPT_LABEL, HELPER, RANK_LABEL, STAGE_IN, WORKER_LABEL
from sedna.core.staging.nodes import MASTER_PORT, RENDEZVOUS_PORT

__all__ = ["SIZE_ANNOTATION", "as_member", "for_torchrun", "member_name", "service_of", "workers_of"]

SIZE_ANNOTATION: Final = "sedna.io/group-size"


def workers_of(spec: WorkerSpec) -> int:
    """How many Pods an order wants."""
    distributed = spec.order.distributed
    return 1 if distributed is None or spec.order.kind != "train" else distributed.workers


def as_member(body: Body, spec: WorkerSpec, rank: int) -> Body:
    """The Pod of one rank, from that of a worker alone."""
    made = copy.deepcopy(body)
    meta, service = made["metadata"], body["metadata"]["name"]
    meta["labels"][RANK_LABEL] = str(rank)
    meta["annotations"][SIZE_ANNOTATION] = str(workers_of(spec))
    if rank:
        meta["name"] = member_name(service, rank)
    pod = made["spec"]
    pod |= {"hostname": _hostname(rank), "subdomain": service}
    names = [f"{_hostname(number)}.{service}.{meta['namespace']}.svc" for number in (0, rank)]
    ours = {
        "SEDNA_RENDEZVOUS": names[0],
        "SEDNA_RENDEZVOUS_ID": service,
        "SEDNA_NODE_ADDRESS": names[1],
        "SEDNA_NODE_RANK": str(rank),
    }
    theirs = {} if spec.order.template is None else _of_program(spec, rank, names, service)
    for kind in ("initContainers", "containers"):
        if kind in pod:
            pod[kind] = [
                set_env(one, ours if spec.order.template is None or one["name"] in (HELPER, STAGE_IN) else theirs)
                for one in pod[kind]
            ]
    return made


def for_torchrun(body: Body, spec: WorkerSpec) -> Body:
    """The Pod of a worker alone, whose template's program finds by how many processes it is to be run."""
    distributed = spec.order.distributed
    if distributed is None or spec.order.template is None or spec.order.processes == 1:
        return body
    made = copy.deepcopy(body)
    values = {"PET_NNODES": "1", "PET_NPROC_PER_NODE": str(distributed.processes_per_worker)}
    made["spec"]["containers"] = [
        one if one["name"] == HELPER else set_env(one, values) for one in made["spec"]["containers"]
    ]
    return made


def member_name(leader: str, rank: int) -> str:
    """Of the Pod of a rank; that of rank 0 has the name of the worker."""
    suffix = f"-{rank}"
    # A name is a label of DNS as well. Those of workers end in five characters of a hash, which must stay.
    return leader + suffix if len(leader + suffix) <= 63 else f"{leader[:40]}{leader[-10:]}{suffix}"


def _hostname(rank: int) -> str:
    return f"w-{rank}"


def _of_program(spec: WorkerSpec, rank: int, names: list[str], run: str) -> dict[str, str]:
    """Variables of a template's program."""
    distributed = spec.order.distributed
    assert distributed is not None, "only such orders have several Pods"
    env = {
        "PET_NNODES": str(distributed.workers),
        "PET_NPROC_PER_NODE": str(distributed.processes_per_worker),
        "PET_RDZV_BACKEND": "c10d",
        "PET_RDZV_ENDPOINT": f"{names[0]}:{RENDEZVOUS_PORT}",
        "PET_RDZV_ID": run,
        "PET_RDZV_CONF": f"is_host={rank == 0:d}",
        "PET_LOCAL_ADDR": names[1],
    }
    if distributed.processes_per_worker > 1:
        return env
    alone = {"RANK": str(rank), "WORLD_SIZE": str(distributed.workers), "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    return env | alone | {"MASTER_ADDR": names[0], "MASTER_PORT": str(MASTER_PORT)}


def service_of(leader: Body, owner: Mapping[str, Any]) -> Body:
    """The headless Service of a group, from its first Pod; it selects this attempt's Pods alone."""
    meta = leader["metadata"]
    selector = {name: meta["labels"][name] for name in (WORKER_LABEL, ATTEMPT_LABEL)}
    ports = (("rendezvous", RENDEZVOUS_PORT), ("master", MASTER_PORT))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": {name: value for name, value in meta["labels"].items() if name != RANK_LABEL},
            "ownerReferences": [dict(owner)],
        },
        "spec": {
            "clusterIP": "None",
            # Processes look for each other before any of them is ready.
            "publishNotReadyAddresses": True,
            "selector": selector,
            "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in ports],
        },
    }
