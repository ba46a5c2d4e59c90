"""The demo's boards and the built-in detector on a real node: `kubectl apply` of example 01, a training in a Pod, a
better model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.kubernetes.pod_house import GOOD, PodHouse, phases, until

EXAMPLE = Path(__file__).parents[3] / "examples" / "01_pcb_inspection"

BOARDS = 80
"""Those of the demo's first stream, which stand first in its index."""

SECONDS = 900
"""Of a training on one core that others use too: alone it takes one minute."""

GAIN = 0.10
"""Of F1 on the frozen hold-out, that of the demo's own check."""


def described(folder: Path, namespace: str) -> list[dict[str, Any]]:
    """The example's job, its boards labelled from the start: no edge is needed."""
    lines = (EXAMPLE / "stream.txt").read_text().splitlines()[:BOARDS]
    stream = folder / "stream.txt"
    stream.write_text("".join(f"{EXAMPLE}/{line}\n" for line in lines))
    dataset, model, job = yaml.safe_load_all((EXAMPLE / "job.yaml").read_text())
    dataset["spec"] |= {"url": str(stream), "holdoutUrl": str(EXAMPLE / dataset["spec"]["holdoutUrl"])}
    model["spec"]["url"] = str(EXAMPLE / model["spec"]["url"])
    for one in (dataset, model, job):
        one["metadata"]["namespace"] = namespace
    return [dataset, model, job]


def gain(pods: PodHouse) -> float:
    """F1 of the first round's candidate on the hold-out, less that of the model in service."""
    holdout = pods.service.get(f"jobs/{pods.namespace}/pcb/rounds/1")["round"]["verdict"]["holdout"]
    print(json.dumps(holdout))
    return float(holdout["candidate"]) - float(holdout["champion"])


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("torch_pods", [{"operator": True}], indirect=True)
def test_the_detector_learns_the_demos_boards(torch_pods: PodHouse) -> None:
    pods = torch_pods
    for one in described(pods.house.folder, pods.namespace):
        pods.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(one))
    until(pods.workers, "a round begins")
    pods.cluster.kubectl("-n", pods.namespace, "wait", "il/pcb", "--for=condition=Deployed", f"--timeout={SECONDS}s")
    assert pods.outcome()["outcome"] == "Deployed"
    assert phases(pods.workers()) == GOOD
    assert gain(pods) > GAIN
