"""The Pod of a user's inference program: upstream's environment, and the local controller beside it."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import PurePosixPath
from typing import Any, Final

from globalmanager.cluster.api import Body
from globalmanager.cluster.names import EDGE_HELPER, EDGE_NAME, JOB_NAME
from globalmanager.cluster.our_containers import (
    TOKEN_PATH,
    our_container,
    set_env,
    token_mount,
    token_volume,
    wait_for_port,
    with_pull_secrets,
)
from globalmanager.operator.edges.asked import MODEL_VERSION, TEMPLATE_EDGE, Asked
from globalmanager.operator.edges.model_place import HOST_DATA, ModelPlace, model_place
from sedna.common.errors import SpecError
from sedna.common.picture_limits import BITS_VARIABLE

__all__ = ["serving_port", "template_pod"]

LC_PORT: Final = 9100
HOT_FOLDER: Final = "/model-hot-update"
_MODEL_VOLUME: Final = "sedna-storage-initializer"
_HOT_VOLUME: Final = "sedna-model-hot-update-volume"
_LC_VOLUME: Final = "sedna-lc"
_LC_DATA: Final = "/sedna/lc"
_LC_MODEL: Final = "/sedna/model"
_DRAIN_SECONDS: Final = 5
"""Until every kube-proxy has stopped to send requests to a Pod that ends."""

_GRACE_SECONDS: Final = 30
"""Kubernetes' own, where a template says nothing."""

_HAND_IN_SECONDS: Final = 30
"""After the time of the program, for the hard examples that it kept last: their folder goes with the Pod."""

_WHERE: Final = "deploySpec.template.spec"


def template_pod(asked: Asked) -> Body:
    """The PodTemplateSpec.

    Every container gets upstream's variables and mounts, as upstream's manager gives them. The local controller is the
    first container and lets the others start once it listens; the model is there before that.

    Raises:
        SpecError: the template has no usable container, or the Model's URL is none.
    """
    template: Body = copy.deepcopy(dict(asked.deploy.template or {}))
    spec = _spec_of(template)
    containers = _containers_of(spec)
    place = model_place(asked.model_url)
    port = _lc_port(asked, spec)
    containers = [_user_container(asked, container, place, port) for container in containers]
    containers[0] = _gated(containers[0], serving_port(asked))
    ours = _LocalController(asked, spec, place, port)
    spec |= {
        "initContainers": [*(spec.get("initContainers") or ()), ours.stage_in()],
        "containers": [ours.beside(), *containers],
        "volumes": [*(spec.get("volumes") or ()), *_volumes(asked)],
        "restartPolicy": "Always",
    }
    if not spec.get("serviceAccountName"):
        # With an account of its own the program may be meant to speak to the API server; with ours it is not.
        spec.setdefault("automountServiceAccountToken", False)
        if asked.settings.worker_service_account is not None:
            spec["serviceAccountName"] = asked.settings.worker_service_account
    if asked.edges.hard_examples is not None:
        spec["terminationGracePeriodSeconds"] = _program_seconds(spec) + _HAND_IN_SECONDS
    _place_on_nodes(asked, spec)
    return {"metadata": _metadata(asked, template), "spec": with_pull_secrets(spec, asked.settings)}


def serving_port(asked: Asked) -> int | None:
    """The port on which the program answers, if anybody says that it does."""
    service = asked.edges.service
    if service is not None and service.target_port is not None:
        return service.target_port
    first = _containers_of(_spec_of(dict(asked.deploy.template or {})))[0]
    ports = [port for port in first.get("ports") or () if isinstance(port, dict) and port.get("containerPort")]
    if ports:
        return int(ports[0]["containerPort"])
    return service.port if service is not None else None


def _spec_of(template: Body) -> Body:
    spec = template.get("spec")
    if not isinstance(spec, dict):
        raise SpecError("is missing", where=_WHERE, hint="a PodTemplateSpec with one container at least")
    return spec


def _containers_of(spec: Body) -> list[Body]:
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers:
        raise SpecError("lists no container", where=f"{_WHERE}.containers", hint="the inference container")
    for index, container in enumerate(containers):
        if not isinstance(container, dict):
            raise SpecError("is no container", where=f"{_WHERE}.containers[{index}]", hint="name, image, ...")
    return containers


def _program_seconds(spec: Body) -> int:
    """What the template gives its program to end in.

    Raises:
        SpecError: it is no time.
    """
    given = spec.get("terminationGracePeriodSeconds", _GRACE_SECONDS)
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise SpecError(f"{given!r} is no time", where=f"{_WHERE}.terminationGracePeriodSeconds", hint="whole seconds")
    return given


def _lc_port(asked: Asked, spec: Body) -> int:
    if not spec.get("hostNetwork"):
        return LC_PORT
    # On the host's network the ports of all jobs meet: each has one of its own, most likely.
    return 20_000 + int(hashlib.sha256(asked.uid.encode()).hexdigest(), 16) % 10_000


def _user_container(asked: Asked, container: Body, place: ModelPlace, port: int) -> Body:
    hot = asked.deploy.model.hot_update_enabled
    made = set_env(container, _environment(asked, place, port))
    # Upstream's name is random; here the Pod's own, which `kubectl` shows.
    made["env"] = [variable for variable in made["env"] if variable.get("name") != "WORKER_NAME"]
    field = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    made["env"].append({"name": "WORKER_NAME", "valueFrom": field})
    mounts = [{"name": _MODEL_VOLUME, "mountPath": place.mount, "readOnly": place.read_only}]
    if hot:
        mounts.append({"name": _HOT_VOLUME, "mountPath": HOT_FOLDER})
    made["volumeMounts"] = [*(container.get("volumeMounts") or ()), *mounts]
    return made


def _environment(asked: Asked, place: ModelPlace, port: int) -> dict[str, str]:
    mining, model = asked.deploy.hard_example_mining, asked.deploy.model
    parameters = [{"key": parameter.key, "value": parameter.value} for parameter in mining.parameters]
    env = {
        "NAMESPACE": asked.job.namespace,
        "JOB_NAME": asked.job.name,
        "LC_SERVER": f"http://localhost:{port}",
        "MODEL_URL": place.path,
        "HEM_NAME": mining.name,
        "HEM_PARAMETERS": json.dumps(parameters or None, separators=(",", ":")),
    }
    if asked.bits_per_sample is not None:
        env[BITS_VARIABLE] = str(asked.bits_per_sample)
    if place.host_prefix:
        env["DATA_PATH_PREFIX"] = HOST_DATA
    if model.hot_update_enabled:
        env |= {
            "MODEL_HOT_UPDATE": "true",
            "MODEL_POLL_PERIOD_SECONDS": str(model.poll_period_seconds),
            "MODEL_HOT_UPDATE_CONFIG": f"{HOT_FOLDER}/model_config.json",
        }
    return env


def _gated(container: Body, port: int | None) -> Body:
    """Where a port is known and the template says nothing: requests come when it is open, and end before the program.

    Nothing is known of the image but what most have: without ``sleep`` in it the hook fails, and the end is as it was.
    """
    if port is None:
        return container
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 2, "failureThreshold": 3}
    lifecycle = container.get("lifecycle") or {}
    drain = {"preStop": {"exec": {"command": ["sleep", str(_DRAIN_SECONDS)]}}}
    return {"readinessProbe": probe, **container, "lifecycle": drain | lifecycle}


class _LocalController:
    """Our two containers of the Pod: one brings the model before the program starts, one is its local controller."""

    def __init__(self, asked: Asked, spec: Body, place: ModelPlace, port: int) -> None:
        self._asked, self._spec, self._place, self._port = asked, spec, place, port

    def stage_in(self) -> Body:
        """The init container."""
        command = ["python3", "-m", "localcontroller", "stage-in"]
        return our_container(
            self._asked.settings, "sedna-stage-in", command, env=self._environment(), mounts=self._mounts()
        )

    def beside(self) -> Body:
        """The helper. It keeps no secret from the Pod but its token."""
        made = our_container(
            self._asked.settings,
            EDGE_HELPER,
            ["python3", "-m", "localcontroller"],
            env=self._environment(),
            mounts=[*self._mounts(), *self._hard_example_mounts()],
        )
        return made | {"lifecycle": {"postStart": wait_for_port(self._port)}}

    def _environment(self) -> dict[str, str]:
        asked = self._asked
        update: dict[str, Any] = {
            "job": asked.job.model_dump(),
            "folder": HOT_FOLDER,
            "initial": str(PurePosixPath(_LC_MODEL) / self._place.relative),
            "format": asked.model_format,
        }
        if not asked.deploy.model.hot_update_enabled:
            update["pinned"] = asked.version
        env = {
            "SEDNA_LC__NAME": TEMPLATE_EDGE,
            "SEDNA_LC__CLOUD_URL": asked.service_url,
            "SEDNA_LC__POD_TOKEN_FILE": TOKEN_PATH,
            "SEDNA_LC__DATA_DIR": _LC_DATA,
            "SEDNA_LC__PORT": str(self._port),
            "SEDNA_LC__HOT_UPDATES": json.dumps([update]),
            "TMPDIR": _LC_DATA,
        }
        folder = asked.edges.hard_examples
        if folder is not None:
            entry = {"job": asked.job.model_dump(), "folder": folder}
            env["SEDNA_LC__HARD_EXAMPLES"] = json.dumps([entry])
            env["SEDNA_LC__ENDING"] = json.dumps(self._ending())
        return env

    def _ending(self) -> dict[str, Any]:
        seconds = _program_seconds(self._spec)
        ending = {"seconds": seconds + _HAND_IN_SECONDS, "program_seconds": seconds}
        port = serving_port(self._asked)
        return ending if port is None else {**ending, "program_port": port}

    def _mounts(self) -> list[Body]:
        return [
            token_mount(),
            {"name": _LC_VOLUME, "mountPath": _LC_DATA},
            {"name": _MODEL_VOLUME, "mountPath": _LC_MODEL},
            {"name": _HOT_VOLUME, "mountPath": HOT_FOLDER},
        ]

    def _hard_example_mounts(self) -> list[Body]:
        """The volume of the program on which it keeps its hard examples, at the same path."""
        folder = self._asked.edges.hard_examples
        if folder is None:
            return []
        mounts = _containers_of(self._spec)[0].get("volumeMounts") or ()
        holding = [mount for mount in mounts if PurePosixPath(folder).is_relative_to(str(mount.get("mountPath", "")))]
        if not holding:
            raise SpecError(
                f"{folder} is on no volume of the first container of deploySpec.template",
                where="deploySpec.edges.hardExamples",
                hint="mount a volume there, an emptyDir for example",
            )
        deepest = max(holding, key=lambda mount: len(str(mount["mountPath"])))
        return [{**deepest, "readOnly": True}]


def _volumes(asked: Asked) -> list[Body]:
    names = (_MODEL_VOLUME, _HOT_VOLUME, _LC_VOLUME)
    return [*({"name": name, "emptyDir": {}} for name in names), token_volume(asked.settings)]


def _place_on_nodes(asked: Asked, spec: Body) -> None:
    edges = asked.edges
    if edges.kind == "DaemonSet":
        spec.pop("nodeName", None)  # upstream's way to one node; here one Pod for every chosen node
    if edges.node_selector:
        spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **edges.node_selector}
    if edges.tolerations:
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *edges.tolerations]


def _metadata(asked: Asked, template: Body) -> Body:
    own = template.get("metadata") or {}
    annotations = {**(own.get("annotations") or {}), EDGE_NAME: TEMPLATE_EDGE, JOB_NAME: asked.job.name}
    if not asked.deploy.model.hot_update_enabled:
        annotations[MODEL_VERSION] = str(asked.version)
    return {"labels": {**(own.get("labels") or {}), **asked.labels}, "annotations": annotations}
