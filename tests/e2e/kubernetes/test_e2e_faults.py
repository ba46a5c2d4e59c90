"""Everything that can die on a cluster dies, again and again, while jobs learn: no round and no sample is lost.

``SEDNA_TEST_FAULTS`` (12) says how often; figures of a run are in benchmarks/kubernetes.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.faults import api_server, frozen, kill_container, kubelet
from e2e.kubernetes.images import programs_image, service_image
from e2e.kubernetes.parts_jobs import EXAMPLE, PICTURES, PartsJob, Service, sends
from e2e.kubernetes.servers import Servers

FAULTS = int(os.environ.get("SEDNA_TEST_FAULTS", "12"))
JOBS = 3
OUTAGE_SECONDS = float(os.environ.get("SEDNA_TEST_OUTAGE_SECONDS", "30"))
SECONDS = 900 + 40 * FAULTS + 6 * OUTAGE_SECONDS
CHART = Path(__file__).parents[3] / "deploy" / "charts" / "sedna"

UPSTREAMS_IMAGE = "kubeedge/sedna-example-incremental-learning-helmet-detection:v0.6.0"
"""Upstream's name for an image of programs; here it holds those of example 02."""

RELEASE = "sedna-faults"


@pytest.fixture(scope="module")
def release(cluster: Cluster, servers: Servers) -> Iterator[list[str]]:
    """Two replicas of the service; yields the helm arguments that its upgrade repeats."""
    if cluster.node_dir is None:
        pytest.skip("faults are done to a cluster that the tests have started: KUBECONFIG names one of the user's")
    image = service_image(cluster)
    servers.make_bucket("sedna")
    namespaces = [RELEASE, *(f"faults-{number}" for number in range(JOBS))]
    # Of a run that was cut off.
    cluster.kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--timeout=180s")
    for name in namespaces:
        cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CHART.parents[1] / "crds"))
    for name, content in (
        ("s3", {"access-key": servers.access_key, "secret-key": servers.secret_key}),
        ("database", {"password": servers.database_password}),
    ):
        literals = [f"--from-literal={key}={value}" for key, value in content.items()]
        cluster.kubectl("-n", RELEASE, "create", "secret", "generic", name, *literals)
    repository, _, tag = image.partition(":")
    values = {
        "image.repository": repository, "image.tag": tag, "fullnameOverride": "sedna",
        "s3.url": "s3://sedna/faults", "s3.endpoint": servers.s3_endpoint(cluster.host),
        "s3.credentialsSecret.name": "s3", "database.url": servers.database_url(cluster.host),
        "database.passwordSecret.name": "database", "resources.requests.cpu": "50m",
    }  # fmt: skip
    # The CRDs of an earlier test belong to its release, or to none: Helm takes over nothing unasked.
    watched = ",".join(namespaces[1:])
    arguments = ["--set", f"crds.install=false,watchNamespaces={{{watched}}}"] + [
        part for name, value in values.items() for part in ("--set-string", f"{name}={value}")
    ]
    cluster.run("helm", "install", RELEASE, str(CHART), "-n", RELEASE, *arguments, "--wait", "--timeout", "3m")
    yield arguments
    cluster.run("helm", "uninstall", RELEASE, "-n", RELEASE, "--wait", check=False)
    cluster.kubectl("delete", "namespace", RELEASE, "--wait=false")


@pytest.fixture
def jobs(cluster: Cluster, servers: Servers, release: list[str]) -> Iterator[list[PartsJob]]:
    """Jobs under upstream's image name, each in a namespace of its own."""
    image = programs_image(cluster, UPSTREAMS_IMAGE, EXAMPLE / "programs", base=service_image(cluster))
    made = [PartsJob(cluster, servers, f"faults-{number}", image) for number in range(JOBS)]
    for job in made:
        job.prepare()
        # With more attempts than upstream's field can say: faults are to be survived, and not to be counted out.
        retries = "trainSpec:\n    limits: {retries: 20, retrySeconds: 1}"
        job.apply(**{"trainSpec:": retries, "evalSpec:": retries.replace("trainSpec", "evalSpec")})
    yield made
    for job in made:
        cluster.kubectl("delete", "namespace", job.namespace, "--wait=false", check=False)


def service_of(cluster: Cluster) -> Service:
    """The service's REST interface; the cluster's node is this machine, which reaches cluster addresses."""
    address = cluster.get("-n", RELEASE, "service", "sedna")["spec"]
    token = cluster.get("-n", RELEASE, "secret", "sedna-admin")["data"]["token"]
    return Service(f"http://{address['clusterIP']}:{address['ports'][0]['port']}", base64.b64decode(token).decode())


def until(condition: Callable[[], Any], seconds: float, told: Callable[[], object]) -> None:
    """Wait for something; the API server may be away meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except AssertionError:  # kubectl was refused
            pass
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {told()}"
        time.sleep(1)


class Learner:
    """Drives one job from round to round while everything around it dies."""

    def __init__(self, job: PartsJob) -> None:
        self.job = job
        self.lots = 1
        self.asked = 0

    def rounds(self) -> int:
        """Rounds that have ended."""
        return sum(outcome is not None for outcome in self.job.outcomes.values())

    def next_round(self, seconds: float) -> None:
        """Bring the next lot, or ask for a round when there is none, and wait for its end."""
        before: list[int] = []
        until(lambda: before.append(max(self.job.outcomes, default=0)) is None, 120, lambda: "the status")
        last = before[-1]
        if self.lots < 3:
            self.job.lot(self.lots)
            self.lots += 1
        else:
            self.asked += 1
            self._ask()
        until(
            lambda: max(self.job.outcomes, default=0) > last and None not in self.job.outcomes.values(),
            seconds,
            lambda: f"{self.job.namespace}: round {last + 1}: {json.dumps(self.job.status)[:3000]}",
        )

    def _ask(self) -> None:
        until(
            lambda: self.job.kubectl(
                "annotate", "--overwrite", "il", "parts", "sedna.io/trigger=train",
                f"sedna.io/trigger-reason=asked {self.asked} times",
            ),
            120,
            lambda: "the annotation",
        )  # fmt: skip


KINDS = ("service", "worker", "helper", "kubelet", "pod")

BACKED_OFF = 2
"""Restarts after which the kubelet waits longer, up to five minutes, before the next one."""


def random_fault(cluster: Cluster, jobs: list[PartsJob], dice: random.Random, died: Counter[str]) -> str | None:
    """Kill something that has not died much more often than the others; what it was, None when it did not run."""
    least = min(died[kind] for kind in KINDS)
    kind = dice.choice([one for one in KINDS if died[one] < least + 4])
    if kind == "kubelet":
        kubelet(cluster).kill_and_start()
        return kind
    if kind == "service":
        pods = cluster.get("-n", RELEASE, "pods", "-l", "app.kubernetes.io/component=service")["items"]
        return kind if pods and kill_service(cluster, dice.choice(pods)) else None
    pods = [pod for job in jobs for pod in job.pods("-l", "sedna.io/worker") if _runs(pod) and died[_round(pod)] < 3]
    if not pods:
        return None
    pod = dice.choice(pods)
    died[_round(pod)] += 1
    if kind == "pod":
        meta = pod["metadata"]
        cluster.kubectl("-n", meta["namespace"], "delete", "pod", meta["name"], "--grace-period=1", "--wait=false")
        return kind
    names = [one["name"] for one in pod["spec"]["containers"]]
    ours = [name for name in names if name == "lc"]
    wanted = ours if kind == "helper" else [name for name in names if name != "lc"]
    return kind if wanted and kill_container(cluster, pod, wanted[0]) else None


def kill_service(cluster: Cluster, pod: dict[str, Any]) -> bool:
    """kill -9 of its program; once the kubelet would make it wait for minutes, its Pod goes too, as on a lost node."""
    statuses = pod["status"].get("containerStatuses", [])
    if not kill_container(cluster, pod, "service"):
        return False
    if statuses[0]["restartCount"] >= BACKED_OFF:
        cluster.kubectl("-n", RELEASE, "delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")
    return True


def _round(pod: dict[str, Any]) -> str:
    """Which round a worker belongs to: each wait for the next try is twice as long, and the test has to end."""
    return f"{pod['metadata']['namespace']} {pod['metadata']['labels']['sedna.io/round']}"


def _runs(pod: dict[str, Any]) -> bool:
    return pod.get("status", {}).get("phase") == "Running"


@pytest.mark.faults
@pytest.mark.timeout(SECONDS)
def test_rounds_complete_and_no_sample_is_lost_or_used_twice(
    cluster: Cluster, servers: Servers, release: list[str], jobs: list[PartsJob]
) -> None:
    dice = random.Random(10)
    learners = [Learner(job) for job in jobs]
    for learner in learners:
        until(lambda one=learner: one.rounds() >= 1, 300, lambda one=learner: json.dumps(one.job.status)[:3000])
    died: Counter[str] = Counter()
    with ThreadPoolExecutor(JOBS) as pool:
        over = False

        def learn(learner: Learner) -> None:
            while not over:
                learner.next_round(600)

        running = [pool.submit(learn, learner) for learner in learners]
        try:
            while sum(died[kind] for kind in KINDS) < FAULTS:
                time.sleep(dice.uniform(2, 12))
                what = random_fault(cluster, jobs, dice, died)
                if what is not None:
                    died[what] += 1
                for one in running:
                    assert not one.done() or one.result() is None
            with frozen(servers.s3.pid):
                time.sleep(OUTAGE_SECONDS)
            servers.postgres.stop("immediate")
            time.sleep(OUTAGE_SECONDS)
            servers.postgres.start()
            api_server(cluster).kill_and_start(away_seconds=5)
        finally:
            over = True
        for one in running:
            one.result()
    cluster.run("helm", "upgrade", RELEASE, str(CHART), "-n", RELEASE, *release, "--set-string",
                "podAnnotations.upgraded=yes", "--wait", "--timeout", "3m")  # fmt: skip
    for learner in learners:
        learner.next_round(300)
    figures = [check(learner, service_of(cluster)) for learner in learners]
    print(json.dumps({"died": {kind: died[kind] for kind in KINDS}, "jobs": figures}))
    for job in jobs:
        job.kubectl("delete", "il,datasets.sedna.io,models.sedna.io", "--all", "--timeout=120s")
        until(lambda one=job: one.pods() == [], 120, lambda one=job: one.pods())
        left = cluster.get("-n", job.namespace, "deployments,services,daemonsets")["items"]
        assert left == []


def check(learner: Learner, service: Service) -> dict[str, int]:
    """What must be true of a job after all that."""
    job = learner.job
    rounds = service.get(f"jobs/{job.namespace}/parts/rounds?limit=500")["items"]
    numbers = sorted(one["round"] for one in rounds)
    assert numbers == list(range(1, len(numbers) + 1)), "every round is there, once"
    outcomes = Counter(one["outcome"] for one in rounds)
    assert set(outcomes) <= {"Deployed", "Rejected"}, outcomes
    assert outcomes["Deployed"] == 2, "each new kind of part, once"
    samples = service.samples(job.namespace, "parts")
    assert len(samples) == learner.lots * PICTURES
    assert all(one["label"] is not None for one in samples)
    assert len({one["record"]["sample_id"] for one in samples}) == len(samples)
    used = Counter(one["round_used"] for one in samples)
    assert None not in used, "the last round has taken what was there"
    # Each round took what was new for it and nothing else: their sum is the number of samples.
    assert used.total() == sum(used[number] for number in numbers) == len(samples)
    ended = [pod for pod in job.pods("-l", "sedna.io/worker") if not _runs(pod)]
    assert len(ended) <= 1, "the last failed one of a job is kept for its log"
    assert sends(job, 2) > 0.8
    return {"rounds": len(rounds), "samples": len(samples), "attempts": attempts(rounds)}


def attempts(rounds: list[dict[str, Any]]) -> int:
    """Workers that were started for all these rounds."""
    return sum(len([one for one in found["stages"] if one["stage"] in ("Training", "Evaluating")]) for found in rounds)


def test_the_image_name_is_one_of_upstreams() -> None:
    assert re.fullmatch(r"kubeedge/sedna-[a-z-]+:v\d+\.\d+\.\d+", UPSTREAMS_IMAGE)
