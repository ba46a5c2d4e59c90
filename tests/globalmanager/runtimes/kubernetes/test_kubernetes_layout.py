"""The Pod of an attempt, beside the Pods that upstream's manager makes of the same job."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fixtures_pods import SETTINGS, UPSTREAM_TEMPLATE, PodDesk
from globalmanager.cluster.api import Body
from globalmanager.runtimes.kubernetes.layout import worker_pod
from sedna.common.errors import SpecError
from sedna.common.types import JobKey
from sedna.loop.spec import Limits

GOLDEN_TRAIN_LOCAL = {
    "batch_size", "DATA_PATH_PREFIX", "ORIGINAL_DATASET_URL", "NAMESPACE", "JOB_NAME", "WORKER_NAME", "LC_SERVER",
    "BASE_MODEL_URL", "MODEL_URL", "TRAIN_DATASET_URL",
}  # fmt: skip
GOLDEN_EVAL_LOCAL = {
    "batch_size", "DATA_PATH_PREFIX", "ORIGINAL_DATASET_URL", "NAMESPACE", "JOB_NAME", "WORKER_NAME", "LC_SERVER",
    "MODEL_URLS", "TEST_DATASET_URL",
}  # fmt: skip
GOLDEN_S3 = {"S3_ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"}
OURS = {"REPORT_PATH", "PROGRESS_PATH", "CLASS_NAMES", "CHECKPOINT_DIR"}
"""Variables that the golden dumps of upstream's manager have, and those that we add."""


def pod_of(desk: PodDesk, settings: Any = SETTINGS, credential: Any = (), **changes: Any) -> Body:
    return worker_pod(desk.spec(**changes), settings, credential)


def container(pod: Body, name: str) -> Body:
    every = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    return next(one for one in every if one["name"] == name)


def env_of(body: Body) -> dict[str, Any]:
    names = [one["name"] for one in body["env"]]
    assert len(names) == len(set(names)), "each name stands once"
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in body["env"]}


def template(**spec: Any) -> dict[str, Any]:
    changed = copy.deepcopy(UPSTREAM_TEMPLATE)
    changed["spec"] |= spec
    return changed


def test_a_training_has_upstreams_variables_and_mounts(desk: PodDesk) -> None:
    main = container(pod_of(desk), "train")
    env = env_of(main)
    assert set(env) == GOLDEN_TRAIN_LOCAL | OURS
    assert env["LC_SERVER"] == "http://localhost:9100"
    assert env["DATA_PATH_PREFIX"] == "/home/data"
    assert env["MODEL_URL"] == "/home/data/output"
    assert env["BASE_MODEL_URL"] == "/downloads/models/base/net.bin"
    assert env["TRAIN_DATASET_URL"] == "/downloads/train.txt"
    assert env["ORIGINAL_DATASET_URL"] == "/home/data/data/boards/index.txt", "where upstream mounts a host's path"
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in main["volumeMounts"]}
    assert mounts == {"/downloads": True, "/home/data": False}


def test_an_evaluation_has_upstreams_variables(desk: PodDesk) -> None:
    env = env_of(container(pod_of(desk, kind="eval"), "train"))
    assert set(env) == GOLDEN_EVAL_LOCAL | (OURS - {"CHECKPOINT_DIR"})
    assert env["MODEL_URLS"] == "/downloads/models/candidate/net.bin;/downloads/models/champion/net.bin"
    assert env["TEST_DATASET_URL"] == "/downloads/test.txt"


def test_a_dataset_of_an_object_store_is_where_upstream_would_have_brought_it(desk: PodDesk) -> None:
    env = env_of(container(pod_of(desk, original_dataset_url="s3://bkt/data/train/train.txt"), "train"))
    assert env["ORIGINAL_DATASET_URL"] == "/downloads/bkt/data/train/train.txt"


def test_names_labels_and_owner_are_upstreams(desk: PodDesk) -> None:
    pod = pod_of(desk)
    meta = pod["metadata"]
    assert meta["name"].startswith("pcb-train-")
    assert len(meta["name"]) == len("pcb-train-") + 5
    assert meta["labels"] == {
        "line": "3",
        "incrementallearningjob.sedna.io/name": "pcb",
        "incrementallearningjob.sedna.io/uid": "u-1",
        "incrementallearningjob.sedna.io/worker-type": "train",
        "app.kubernetes.io/managed-by": "sedna",
        "sedna.io/worker": "train-worker-1",
        "sedna.io/round": "1",
        "sedna.io/attempt": "1",
    }
    assert meta["annotations"]["team"] == "vision"
    assert meta["annotations"]["kubectl.kubernetes.io/default-container"] == "train"
    [owner] = meta["ownerReferences"]
    assert (owner["uid"], owner["name"], owner["controller"], owner["blockOwnerDeletion"]) == ("u-1", "pcb", True, True)
    assert "ownerReferences" not in pod_of(desk, owner_uid=None)["metadata"]


def test_the_name_fits_whatever_the_job_is_called(desk: PodDesk) -> None:
    names = set()
    for name in ("a" * 253, "a" * 252 + "b", "9.lines.of.plant"):
        job = JobKey(name=name)
        pod = worker_pod(
            desk.spec().model_copy(update={"order": desk.spec().order.model_copy(update={"job": job})}), SETTINGS
        )
        assert len(pod["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in pod["metadata"]["labels"].values())
        names.add(pod["metadata"]["name"])
    assert len(names) == 3


def test_the_helper_is_first_and_the_program_waits_for_it(desk: PodDesk) -> None:
    spec = pod_of(desk)["spec"]
    assert [one["name"] for one in spec["containers"]] == ["lc", "train"]
    assert [one["name"] for one in spec["initContainers"]] == ["stage-in"]
    helper = container({"spec": spec}, "lc")
    assert "9100" in helper["lifecycle"]["postStart"]["exec"]["command"][-1]
    assert helper["command"][-2:] == ["--grace", "120"]
    assert spec["restartPolicy"] == "Never", "an attempt is a Pod, whatever upstream's template says"
    assert "hostNetwork" not in spec
    assert spec["nodeName"] == "edge1"


def test_from_1_29_on_the_helper_may_be_a_sidecar_of_the_node(desk: PodDesk) -> None:
    spec = pod_of(desk, SETTINGS.model_copy(update={"native_sidecars": True}))["spec"]
    assert [one["name"] for one in spec["containers"]] == ["train"]
    assert [one["name"] for one in spec["initContainers"]] == ["stage-in", "lc"]
    sidecar = spec["initContainers"][1]
    assert sidecar["restartPolicy"] == "Always"
    assert "9100" in sidecar["startupProbe"]["exec"]["command"][-1]
    assert "lifecycle" not in sidecar


def test_containers_of_ours_pass_the_restricted_standard_and_the_users_is_left_alone(desk: PodDesk) -> None:
    spec = pod_of(desk, template=template(securityContext={"runAsUser": 0}))["spec"]
    for name in ("lc", "stage-in"):
        context = container({"spec": spec}, name)["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == 10001, "the Pod's own root is not taken over"
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "securityContext" not in container({"spec": spec}, "train")
    assert spec["automountServiceAccountToken"] is False


def test_our_containers_run_as_the_program_where_that_is_known(desk: PodDesk) -> None:
    spec = pod_of(desk, template=template(securityContext={"runAsUser": 1000, "fsGroup": 7}))["spec"]
    assert container({"spec": spec}, "lc")["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["fsGroup"] == 7


def test_a_group_is_set_only_where_no_volume_of_the_user_would_change_hands(desk: PodDesk) -> None:
    assert pod_of(desk)["spec"]["securityContext"] == {"fsGroup": 10001}
    claim = [{"name": "data", "persistentVolumeClaim": {"claimName": "boards"}}]
    assert pod_of(desk, template=template(volumes=claim))["spec"]["securityContext"] == {}


def test_only_containers_of_ours_get_the_token_by_which_the_pod_says_who_it_is(desk: PodDesk) -> None:
    pod = pod_of(desk)
    for name, has in (("lc", True), ("stage-in", True), ("train", False)):
        mounts = {one["name"] for one in container(pod, name)["volumeMounts"]}
        assert ("sedna-token" in mounts) is has
    assert "secret-token" not in str(pod)


def test_what_the_template_says_is_kept(desk: PodDesk) -> None:
    said = {
        "nodeSelector": {"gpu": "a100"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClassName": "training",
        "serviceAccountName": "trainer",
        "automountServiceAccountToken": True,
        "imagePullSecrets": [{"name": "mine"}],
        "volumes": [{"name": "video", "hostPath": {"path": "/video"}}],
        "initContainers": [{"name": "prepare", "image": "img"}],
        "terminationGracePeriodSeconds": 30,
    }
    limits = {"limits": {"nvidia.com/gpu": 2, "memory": "8Gi"}}
    asked = template(**said)
    asked["spec"]["containers"][0] |= {"resources": limits, "volumeMounts": [{"name": "video", "mountPath": "/video/"}]}
    settings = SETTINGS.model_copy(update={"image_pull_secrets": ("ours", "mine"), "worker_service_account": "worker"})
    pod = pod_of(desk, settings, template=asked, limits=Limits(memory_mib=512))
    spec = pod["spec"]
    for name in ("nodeSelector", "tolerations", "priorityClassName", "serviceAccountName"):
        assert spec[name] == said[name]
    assert spec["automountServiceAccountToken"] is True
    assert [one["name"] for one in spec["imagePullSecrets"]] == ["mine", "ours"]
    assert [one["name"] for one in spec["initContainers"]] == ["prepare", "stage-in"]
    assert spec["volumes"][0] == said["volumes"][0]
    assert container(pod, "train")["resources"] == limits, "the job's limits are for who says nothing"
    assert container(pod, "prepare") == {"name": "prepare", "image": "img"}
    assert container(pod, "lc")["command"][-1] == "30"


def test_limits_of_the_job_are_those_of_the_program(desk: PodDesk) -> None:
    pod = pod_of(desk, limits=Limits(memory_mib=512, threads=2, disk_mib=1000))
    main = container(pod, "train")
    assert main["resources"] == {"limits": {"memory": "512Mi"}, "requests": {"cpu": "2"}}
    assert env_of(main)["OMP_NUM_THREADS"] == "2"
    work = next(one for one in pod["spec"]["volumes"] if one["name"] == "sedna-work")
    assert work["emptyDir"] == {"sizeLimit": "1000Mi"}


def test_credentials_reach_the_users_containers_alone_and_by_reference(desk: PodDesk) -> None:
    desk.secret("s3", ACCESS_KEY_ID="AK", SECRET_ACCESS_KEY="SK")
    handle = desk.start(credentials=("s3", "other"))
    pod = desk.pod(handle)
    env = env_of(container(pod, "train"))
    assert env["S3_ENDPOINT_URL"] == "http://minio.local:9000"
    assert env["ACCESS_KEY_ID"] == {"secretKeyRef": {"name": "s3", "key": "ACCESS_KEY_ID"}}
    assert env["SECRET_ACCESS_KEY"] == {"secretKeyRef": {"name": "s3", "key": "SECRET_ACCESS_KEY"}}
    assert set(env) == GOLDEN_TRAIN_LOCAL | OURS | GOLDEN_S3
    for name in ("lc", "stage-in"):
        assert not GOLDEN_S3 & set(env_of(container(pod, name)))


def test_a_registered_algorithm_is_one_container_of_ours(desk: PodDesk) -> None:
    pod = pod_of(desk, template=None)
    [main] = pod["spec"]["containers"]
    assert "initContainers" not in pod["spec"]
    assert (main["name"], main["image"]) == ("train", "sedna-il:1")
    assert main["command"][-2:] == ["-m", "sedna.core.staging"]
    env = env_of(main)
    assert env["SEDNA_SERVICE_URL"] == "http://sedna.sedna:8080"
    assert env["SEDNA_IDENTITY_FILE"] == "/var/run/secrets/sedna/token"
    assert main["securityContext"]["runAsNonRoot"] is True


def test_a_registered_algorithm_runs_where_the_settings_say(desk: PodDesk) -> None:
    below = {
        "spec": {
            "nodeSelector": {"gpu": "a100"},
            "containers": [
                {"resources": {"limits": {"nvidia.com/gpu": 1}}, "env": [{"name": "HTTP_PROXY", "value": "http://p:1"}]}
            ],
        }
    }
    settings = SETTINGS.model_copy(update={"worker_template": below, "worker_service_account": "worker"})
    spec = pod_of(desk, settings, template=None, limits=Limits(memory_mib=2048))["spec"]
    [main] = spec["containers"]
    assert spec["nodeSelector"] == {"gpu": "a100"}
    assert spec["serviceAccountName"] == "worker"
    assert main["resources"] == {"limits": {"nvidia.com/gpu": 1, "memory": "2048Mi"}}
    assert env_of(main)["HTTP_PROXY"] == "http://p:1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"containers": []}, r"trainSpec.template: there is no container"),
        ({"containers": [{"image": "i"}]}, r"spec.containers\[0\]: a container has no name"),
        ({"containers": [{"name": "lc", "image": "i"}]}, "the name 'lc' is ours"),
        ({"volumes": [{"name": "sedna-work", "emptyDir": {}}]}, "the name 'sedna-work' is ours"),
        (
            {"containers": [{"name": "t", "volumeMounts": [{"name": "v", "mountPath": "/downloads/"}]}]},
            "/downloads is where the inputs are",
        ),
    ],
)
def test_a_template_that_cannot_be_a_worker_is_refused(desk: PodDesk, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        pod_of(desk, template=template(**changes))


def test_an_annotation_that_yaml_took_for_a_boolean_is_refused_with_what_to_write(desk: PodDesk) -> None:
    asked = {**UPSTREAM_TEMPLATE, "metadata": {"annotations": {"gpu": True}}}
    with pytest.raises(SpecError, match=r'annotations.gpu: True is no text.*quote it: gpu: "true"'):
        pod_of(desk, template=asked)
