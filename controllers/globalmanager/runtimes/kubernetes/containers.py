"""The containers of a worker's Pod, ours and the user's."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from globalmanager.cluster.api import Body
from globalmanager.cluster.our_containers import (
    TOKEN_PATH,
    our_container,
    set_env,
    token_mount,
    token_volume,
    wait_for_port,
)
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.kubernetes.naming import HELPER, STAGE_IN
from sedna.common.errors import SpecError
from sedna.core.staging.beside import LC_PORT
from sedna.core.staging.folder import WorkFolder
from sedna.core.staging.order import WorkOrder
from sedna.loop.spec import Limits

__all__ = ["DATA", "INPUTS", "LC_SERVER", "PodUser", "helper_container", "prepared", "program_container", "volumes_of"]

INPUTS: Final = "/downloads"
DATA: Final = "/home/data"
"""Upstream's two places in a container: what was brought, read-only, and the folders of the host."""

LC_SERVER: Final = f"http://localhost:{LC_PORT}"

_WORK: Final = "sedna-work"
_TMP: Final = "sedna-tmp"
_SHM: Final = "sedna-shm"
_BUILT_IN_DIR: Final = "/work"
_SCRATCH: Final = "/tmp"  # noqa: S108  of a container
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  of a container
_START_SECONDS: Final = 60.0
"""For the helper to listen; after it the Pod fails instead of hanging."""

_HELPER_RESOURCES: Final = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}
"""A report of 64 MiB takes some hundred while it is read."""

_STAGE_IN_RESOURCES: Final = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class PodUser:
    """As whom our containers run in a user's Pod: as the program, where the template says who that is.

    What the program keeps to itself (mode 0600) can then be read. Root is never taken over.
    """

    DEFAULT: ClassVar[int] = 10001

    uid: int
    is_ours: bool

    @classmethod
    def of(cls, pod_spec: Body, program: Body) -> Self:
        """The user of a Pod's program, or ours."""
        for context in (program.get("securityContext"), pod_spec.get("securityContext")):
            uid = context.get("runAsUser") if isinstance(context, dict) else None
            if isinstance(uid, int):
                return cls(uid, is_ours=False) if uid > 0 else cls(cls.DEFAULT, is_ours=True)
        return cls(cls.DEFAULT, is_ours=True)

    def apply(self, container: Body) -> Body:
        """The container as this user; the Pod's own setting may be root."""
        group = {"runAsGroup": self.DEFAULT} if self.is_ours else {}
        return {**container, "securityContext": {**container["securityContext"], "runAsUser": self.uid, **group}}


def program_container(order: WorkOrder, settings: KubernetesSettings, given: Body) -> Body:
    """The one container of a registered algorithm, laid over what the settings give for it."""
    env = {
        **_ours(settings),
        "SEDNA_WORK_DIR": f"{_BUILT_IN_DIR}/{order.kind}",
        "SEDNA_CACHE_DIR": f"{_BUILT_IN_DIR}/cache",
    }
    mounts = [{"name": _WORK, "mountPath": _BUILT_IN_DIR}, {"name": _SHM, "mountPath": _SHARED_MEMORY}, *_our_mounts()]
    made = our_container(
        settings,
        str(given.get("name") or order.kind),
        ("python3", "-P", "-m", "sedna.core.staging"),
        env=env,
        mounts=mounts,
        image=given.get("image"),
        resources=given.get("resources") or {},
    )
    made = PodUser(PodUser.DEFAULT, is_ours=True).apply(made)
    context = {**made["securityContext"], **(given.get("securityContext") or {})}
    names = {variable["name"] for variable in made["env"]}
    merged = {
        **given,
        **made,
        "securityContext": context,
        "env": [*(one for one in given.get("env") or () if one.get("name") not in names), *made["env"]],
        "volumeMounts": [*(given.get("volumeMounts") or ()), *made["volumeMounts"]],
    }
    return _limited(merged, order.limits)


def stage_in_container(settings: KubernetesSettings, user: PodUser) -> Body:
    """Brings the inputs before the program starts; what is wrong with them ends the Pod at once."""
    mounts = [_mount(INPUTS), _mount(DATA), *_our_mounts()]
    made = our_container(
        settings,
        STAGE_IN,
        ("python3", "-P", "-m", "sedna.core.staging", "stage-in"),
        env=_of_template(settings),
        mounts=mounts,
        resources=_STAGE_IN_RESOURCES,
    )
    return user.apply(made)


def helper_container(settings: KubernetesSettings, user: PodUser, grace_seconds: float) -> Body:
    """The program's local controller."""
    mounts = [_mount(INPUTS, read_only=True), _mount(DATA, read_only=True), *_our_mounts()]
    command = ("python3", "-P", "-m", "sedna.core.staging", "beside", "--grace", f"{grace_seconds:g}")
    made = our_container(
        settings, HELPER, command, env=_of_template(settings), mounts=mounts, resources=_HELPER_RESOURCES
    )
    return {**user.apply(made), "lifecycle": {"postStart": wait_for_port(LC_PORT, _START_SECONDS)}}


def prepared(container: Body, order: WorkOrder, credential: list[Body], *, where: str, is_program: bool) -> Body:
    """A container of the user with upstream's variables and mounts; everything else is as it was."""
    taken = {mount.get("mountPath", "").rstrip("/") for mount in container.get("volumeMounts") or ()}
    for path in (INPUTS, DATA):
        if path in taken:
            hint = f"mount it elsewhere, or below: {path}/..."
            raise SpecError(
                f"{path} is where the inputs are", where=f"{where}: container {container['name']}", hint=hint
            )
    folder = WorkFolder(Path(DATA), inputs_at=Path(INPUTS), data_prefix=DATA)
    made = set_env(copy.deepcopy(container), {**folder.environment(order), "LC_SERVER": LC_SERVER})
    names = {variable["name"] for variable in credential}
    made["env"] = [*(one for one in made["env"] if one.get("name") not in names), *copy.deepcopy(credential)]
    made["volumeMounts"] = [*(made.get("volumeMounts") or ()), _mount(INPUTS, read_only=True), _mount(DATA)]
    return _limited(made, order.limits) if is_program else made


def volumes_of(settings: KubernetesSettings, limits: Limits, *, built_in: bool = False) -> list[Body]:
    """Our volumes, all of them gone with the Pod."""
    size = {} if limits.disk_mib is None else {"sizeLimit": f"{limits.disk_mib}Mi"}
    volumes: list[Body] = [
        {"name": _WORK, "emptyDir": size},
        {"name": _TMP, "emptyDir": {}},
        token_volume(settings),
    ]
    if built_in:  # torch passes batches between processes there; a container has 64 MB of it
        volumes.append({"name": _SHM, "emptyDir": {"medium": "Memory"}})
    return volumes


def _ours(settings: KubernetesSettings) -> dict[str, str]:
    assert settings.service_url is not None, "the settings want it for workers in Pods"
    return {
        "SEDNA_SERVICE_URL": settings.service_url,
        "SEDNA_IDENTITY_FILE": TOKEN_PATH,
        "HOME": _SCRATCH,
        "PYTHONUNBUFFERED": "1",
    }


def _of_template(settings: KubernetesSettings) -> dict[str, str]:
    return {
        **_ours(settings),
        "SEDNA_WORK_DIR": DATA,
        "SEDNA_INPUTS_DIR": INPUTS,
        "SEDNA_DATA_PREFIX": DATA,
        # Below the inputs: their files become links to the cache, which only works within one mount.
        "SEDNA_CACHE_DIR": f"{INPUTS}/.cache",
        "SEDNA_ORDER_FILE": f"{INPUTS}/.order.json",
    }


def _our_mounts() -> list[Body]:
    return [{"name": _TMP, "mountPath": _SCRATCH}, token_mount()]


def _mount(path: str, *, read_only: bool = False) -> Body:
    """One volume in two places, so that one limit holds for all that a worker keeps."""
    body: Body = {"name": _WORK, "mountPath": path, "subPath": path.rpartition("/")[2]}
    return {**body, "readOnly": True} if read_only else body


def _limited(container: Body, limits: Limits) -> Body:
    """With the job's limits, where the container itself says nothing."""
    resources: dict[str, Any] = copy.deepcopy(container.get("resources") or {})
    most, least = resources.get("limits") or {}, resources.get("requests") or {}
    if limits.memory_mib is not None and "memory" not in most:
        memory = f"{limits.memory_mib}Mi"
        resources["limits"] = most = {**most, "memory": memory}
        if "memory" in least:  # it may be more than the limit, which no server takes
            resources["requests"] = least = {**least, "memory": memory}
    if limits.threads is None:
        return {**container, "resources": resources} if resources else container
    if "cpu" not in most and "cpu" not in least:
        resources["requests"] = {**least, "cpu": str(limits.threads)}
    own = {variable.get("name") for variable in container.get("env") or ()}
    threads = {name: str(limits.threads) for name in _THREADS if name not in own}
    return set_env({**container, "resources": resources}, threads)
