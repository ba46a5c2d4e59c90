"""Custom resources that cannot run: a reason on the object, and everybody else goes on."""

import json

import pytest

from fixtures_gm import job_spec
from globalmanager.api.manifests import ManifestError, parse_manifests
from globalmanager.cluster.api import NamespaceTerminatingError, QuotaExceededError
from globalmanager.cluster.kinds import DATASETS, DEPLOYMENTS, EVENTS, JOBS, MODELS, PODS, SECRETS
from globalmanager.db import jobs, resources
from sedna.common.errors import AuthError, SpecError
from sedna.common.types import JobKey


def changed(path: str, value: object) -> dict:
    spec = job_spec()
    *parents, last = path.split(".")
    place = spec
    for part in parents:
        place = place.setdefault(part, {})
    place[last] = value
    return spec


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        (changed("deploySpec.hardExampleMining", {"name": "Nobody"}), "UnknownMiner", "no miner 'Nobody'"),
        (changed("deploySpec.hardExampleMining.parameters", [{"key": "x", "value": "1"}]), "MinerInvalid", "'x'"),
        (changed("trainSpec.algorithm", {"name": "Nothing"}), "UnknownAlgorithm", "no algorithm 'Nothing'"),
        (changed("dataset.trainProb", 3), "SpecInvalid", "spec.dataset.trainProb"),
        (changed("dataset.name", "other/stream"), "SpecInvalid", "spec.dataset.name"),
        (
            changed("trainSpec", {"template": {}}),
            "TemplateInvalid",
            "at least one container",
        ),
        (changed("dataset.name", "nowhere"), "DatasetMissing", "there is no Dataset default/nowhere"),
        (changed("initialModel.name", "nothing"), "ModelMissing", "there is no Model default/nothing"),
    ],
)
def test_what_cannot_run_says_why_and_the_others_go_on(there, spec, reason, words):
    there.apply_dataset()
    there.apply_model()
    there.apply(JOBS, "wrong", spec)
    there.apply_job()
    there.step(3)
    assert there.shown("Ready", name="wrong") == ("False", reason)
    assert words in there.condition("Ready", name="wrong")["message"]
    with there.world.db.read() as session:
        assert jobs.find(session, JobKey(name="wrong")) is None
    assert there.shown("Ready") == ("True", "Accepted")
    assert reason in there.told()


def test_a_mistake_is_told_in_the_words_of_the_api(there):
    spec = changed("dataset.trainProb", 3)
    there.apply(JOBS, "wrong", spec)
    there.step()
    text = {"apiVersion": "sedna.io/v1alpha1", "kind": "IncrementalLearningJob", "metadata": {"name": "wrong"}}
    with pytest.raises(ManifestError) as raised:
        parse_manifests(json.dumps(text | {"spec": spec}).encode(), "body")
    (mistake,) = raised.value.diagnostics
    assert there.condition("Ready", name="wrong")["message"].startswith(f"{mistake.key}: {mistake.message}")


def test_a_job_before_its_dataset_waits_and_goes_on_when_that_comes(there):
    there.apply_job()
    there.step()
    assert there.shown("Ready") == ("False", "DatasetMissing")
    assert there.status()["phase"] == "Waiting"
    there.apply_dataset()
    there.step()
    assert there.shown("Ready") == ("False", "ModelMissing")
    there.apply_model()
    there.step(3)
    assert there.shown("Ready") == ("True", "Accepted")


def test_a_dataset_that_is_wrong_is_told_at_both(there):
    there.apply_model()
    there.apply(DATASETS, "stream", {"url": "/x", "format": "xml"})
    there.apply_job()
    there.step(2)
    assert there.shown("Ready", DATASETS, "stream") == ("False", "SpecInvalid")
    assert there.shown("Ready") == ("False", "DatasetMissing")
    assert "its condition Ready says why" in there.condition("Ready")["message"]
    there.apply_dataset()
    there.step(3)
    assert there.shown("Ready") == ("True", "Accepted")


def test_a_model_without_an_address_is_told_at_the_model(there):
    there.apply(MODELS, "first", {"url": "", "format": "json"})
    there.step()
    assert there.shown("Ready", MODELS, "first") == ("False", "SpecInvalid")
    assert "spec.url" in there.condition("Ready", MODELS, "first")["message"]


def test_a_dataset_of_another_namespace_is_pointed_at(there):
    there.apply_model()
    there.cluster.create(DATASETS, "lab", {"metadata": {"name": "stream"}, "spec": {"url": "/x", "format": "txt"}})
    there.apply_job()
    there.step()
    assert "one of that name is in lab" in there.condition("Ready")["message"]


def test_a_dataset_that_goes_while_it_is_used_is_missed_and_the_record_stays(there):
    there.ready()
    there.cluster.delete(DATASETS, "default", "stream")
    there.step()
    assert there.shown("Ready") == ("False", "DatasetMissing")
    with there.world.db.read() as session:
        assert resources.find(session, "Dataset", JobKey(name="stream")) is not None
    there.cluster.delete(JOBS, "default", "boards")
    there.step(2)
    there.restart()
    there.step(2)
    with there.world.db.read() as session:
        assert resources.find(session, "Dataset", JobKey(name="stream")) is None


def test_a_model_file_that_is_not_there_is_told(there):
    there.apply_dataset()
    there.apply(MODELS, "first", {"url": "/nowhere/skill.json", "format": "json"})
    there.apply_job()
    there.step(3)
    assert there.shown("Ready") == ("False", "ModelUnavailable")
    assert there.shown("Degraded") == ("True", "ModelUnavailable")
    assert "/nowhere/skill.json" in there.condition("Ready")["message"]
    there.apply_model()
    there.until(lambda: there.shown("Ready") == ("True", "Accepted"))


def test_a_secret_is_looked_for_before_the_job_is_taken_in(there):
    there.apply_dataset(credentialName="keys")
    there.apply_model()
    there.apply_job()
    there.step()
    assert there.shown("Ready") == ("False", "SecretMissing")
    assert "Dataset stream" in there.condition("Ready")["message"]
    there.cluster.create(SECRETS, "default", {"metadata": {"name": "keys"}, "data": {"ACCESS_KEY_ID": "eA=="}})
    there.until(lambda: there.shown("Ready") == ("False", "SecretIncomplete"))
    assert "the annotation s3-endpoint" in there.condition("Ready")["message"]
    full = {"metadata": {"annotations": {"s3-endpoint": "s3:9000"}}, "data": {"SECRET_ACCESS_KEY": "eA=="}}
    there.cluster.merge(SECRETS, "default", "keys", full)
    there.until(lambda: there.shown("Ready") == ("True", "Accepted"))


def test_a_secret_that_may_not_be_read_says_what_right_is_missing(there):
    def fail(verb, kind, namespace, name):
        if kind == SECRETS:
            raise AuthError("secrets is forbidden", forbidden=True)

    there.cluster.fail = fail
    there.apply_dataset(credentialName="keys")
    there.apply_model()
    there.apply_job()
    there.step()
    assert there.shown("Ready") == ("False", "SecretMissing")
    assert "the right to get secrets" in there.condition("Ready")["message"]


TEMPLATE = {"spec": {"containers": [{"name": "train", "imag": "x"}]}}


def template_job() -> dict:
    spec = job_spec()
    spec["trainSpec"] = {"template": TEMPLATE}
    spec["evalSpec"] = {"template": {"spec": {"containers": [{"name": "eval", "image": "x"}]}}}
    return spec


def test_a_template_that_the_cluster_refuses_is_told_before_a_round(there):
    def fail(verb, kind, namespace, name):
        if kind == PODS and verb == "dry-run":
            raise SpecError('Pod "sedna-trial-x" is invalid: spec.containers[0].image: Required value')

    there.cluster.fail = fail
    there.apply_dataset()
    there.apply_model()
    there.apply_job(template_job())
    there.step()
    assert there.shown("Ready") == ("False", "TemplateInvalid")
    message = there.condition("Ready")["message"]
    assert message.startswith("the cluster refuses its Pods: trainSpec.template")
    assert "spec.containers[0].image: Required value" in message
    assert not there.cluster.view.all(PODS)


def test_a_quota_that_is_full_says_nothing_about_a_template(there):
    def fail(verb, kind, namespace, name):
        if kind == PODS and verb == "dry-run":
            raise QuotaExceededError("exceeded quota: q")

    there.cluster.fail = fail
    there.apply_dataset()
    there.apply_model()
    there.apply_job(template_job())
    there.step(3)
    assert there.shown("Ready") == ("True", "Accepted")


def test_a_namespace_that_is_being_deleted_takes_no_event_and_that_is_no_trouble(there):
    def fail(verb, kind, namespace, name):
        if verb in ("create", "dry-run"):
            raise NamespaceTerminatingError("namespace default is being terminated")

    there.apply_dataset()
    there.apply_model()
    there.apply_job(template_job())
    there.cluster.fail = fail
    there.step(3)
    assert there.shown("Ready")[0] == "True", "what goes with the namespace gets its deletionTimestamp like the rest"
    assert there.operator.failing == 0
    assert there.told() == []


def test_classes_in_another_order_are_refused_once_samples_are_labelled(there):
    there.ready()
    there.world.samples(2)
    other = job_spec() | {"classNames": ["bad", "good"]}
    there.apply_job(other)
    there.step()
    assert there.shown("Ready") == ("False", "ClassNamesChanged")
    assert there.world.job().spec.class_names == ("good", "bad")


def test_a_status_edited_by_hand_is_overwritten_and_never_read(there):
    there.ready()
    right = there.status()
    there.cluster.merge(
        JOBS,
        "default",
        "boards",
        {"status": {"phase": "Flying", "conditions": [{"type": "Ready"}, 7], "rounds": "many", "model": None, "x": 1}},
        subresource="status",
    )
    there.step()
    assert {k: v for k, v in there.status().items() if k != "conditions"} == {
        k: v for k, v in right.items() if k != "conditions"
    }
    assert there.shown("Ready") == ("True", "Accepted")


def test_crds_that_refuse_our_status_are_told_by_an_event_and_tried_again(there):
    refused = SpecError("status.conditions.stage: Required value", where="incrementallearningjobs/status")
    answers = there.cluster.merge

    def merge(kind, namespace, name, patch, *, subresource=""):
        if subresource == "status" and crds == ["upstream"]:
            raise refused
        return answers(kind, namespace, name, patch, subresource=subresource)

    crds = ["upstream"]
    there.cluster.merge = merge
    there.ready()
    assert "status" not in there.body()
    events = [body for body in there.cluster.list(EVENTS, "default") if body["reason"] == "CrdsOutdated"]
    assert {body["involvedObject"]["kind"] for body in events} >= {"IncrementalLearningJob"}
    assert "Required value" in events[0]["message"]
    assert "kubectl apply -f deploy/crds" in events[0]["message"]
    crds[:] = ["ours"]
    there.until(lambda: there.shown("Ready")[0] == "True", 120)


def test_a_quota_for_edges_freezes_neither_the_status_nor_the_rounds(there):
    def fail(verb, kind, namespace, name):
        if kind == DEPLOYMENTS and verb == "create":
            raise QuotaExceededError("exceeded quota: deployments=0")

    there.cluster.fail = fail
    there.apply_dataset()
    there.apply_model()
    spec = job_spec()
    spec["deploySpec"]["edges"] = {}
    there.apply_job(spec)
    there.until(lambda: there.shown("Ready") == ("False", "QuotaExceeded"))
    assert "exceeded quota" in there.condition("Ready")["message"]
    assert there.status()["model"] == 1, "the job goes on meanwhile, and its status tells"
    there.cluster.fail = lambda *_: None
    there.until(lambda: there.shown("Ready") == ("True", "Accepted"))
    assert there.is_there(DEPLOYMENTS, "boards-edge")
