"""A job for Pods: a numpy program in upstream's style, whose behaviour a variable of its template says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

PROGRAM = """
import json, os, pathlib, sys, time, urllib.request
import numpy as np

kind, mode, env = sys.argv[1], os.environ.get("MODE", ""), os.environ
print("mode", mode, "uid", os.getuid(), "s3", env.get("S3_ENDPOINT_URL"), env.get("ACCESS_KEY_ID"), flush=True)
assert "SEDNA_IDENTITY_FILE" not in env and not pathlib.Path("/var/run/secrets/sedna").exists()

def report(results, status="completed"):
    body = {"name": env["WORKER_NAME"], "namespace": env["NAMESPACE"], "ownerName": env["JOB_NAME"],
            "ownerKind": "incrementallearningjob", "kind": kind, "status": status, "results": results}
    url = env["LC_SERVER"] + "/sedna/workers/" + env["WORKER_NAME"] + "/info"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    print("reported", urllib.request.urlopen(request).read().decode(), flush=True)

def lines(variable):
    found = [line.split() for line in open(env[variable])]
    for path, *_ in found:
        assert os.path.isfile(path), path
    return found

def fails():
    if mode == "memory":
        held = []
        while True:
            held.append(np.ones(1 << 20))
    if mode == "disk":
        with open(os.path.join(env["CHECKPOINT_DIR"], "big"), "wb") as file:
            for _ in range(200):
                file.write(os.urandom(1 << 20))
                file.flush()
                time.sleep(0.02)
        time.sleep(600)
    if mode == "exit":
        sys.exit(3)

if kind == "train":
    samples = lines("TRAIN_DATASET_URL")
    before = json.load(open(env["BASE_MODEL_URL"]))["value"]
    step_file = pathlib.Path(env["CHECKPOINT_DIR"]) / "step.txt"
    done = int(step_file.read_text()) if step_file.exists() else 0
    print("resumed at step", done, flush=True)
    fails()
    steps = int(env.get("STEPS", "2"))
    for step in range(done, steps):
        time.sleep(float(env.get("PAUSE", "0")))
        if (step + 1) % 6 == 0:  # seldom enough for two looks to find it unchanged
            step_file.write_text(str(step + 1))
        with open(env["PROGRESS_PATH"], "a") as file:
            file.write(json.dumps({"iteration": step + 1, "max_iteration": steps}) + "\\n")
    model = os.path.join(env["MODEL_URL"], "model.json")
    value = float(np.mean([len(one) for one in samples])) + before
    json.dump({"value": value, "samples": len(samples)}, open(model, "w"))
    if int(env.get("MODEL_MIB", "0")):
        with open(os.path.join(env["MODEL_URL"], "weights.bin"), "wb") as file:
            file.write(np.random.default_rng(0).bytes(int(env["MODEL_MIB"]) << 20))
    # As upstream's library reports a path: without the prefix under which a container has its host's folders.
    shown = os.path.join("/", os.path.relpath(model, env["DATA_PATH_PREFIX"]))
    report([{"format": "json", "url": shown, "metrics": {"loss": 0.5}}])
else:
    samples = lines("TEST_DATASET_URL")
    results = []
    for url in env["MODEL_URLS"].split(";"):
        value = json.load(open(url))["value"]
        rows = [{"sample": pathlib.Path(path).stem, "value": value} for path, *_ in samples]
        results.append({"format": "json", "url": url, "metrics": {"value": value, "per_sample": rows}})
    report(results)
"""


def write_job(
    folder: Path,
    namespace: str,
    image: str,
    *,
    env: dict[str, str] | None = None,
    container: dict[str, Any] | None = None,
    pod: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
    algorithm: dict[str, Any] | None = None,
    base: str = "",
    credential: str | None = None,
) -> Path:
    """``job.yaml`` with eight labelled pictures: its first round begins by itself, and its model is a better one.

    ``base``: where Dataset and Model name their files, if that is not the folder; pictures are named relative to it.
    """
    lines = []
    for level in range(8):
        path = folder / f"{level}.png"
        Image.new("L", (8, 8), 10 * level).save(path)
        lines.append(f"{path.name if base else path} 1,1,5,5,0\n")
    (folder / "boards.txt").write_text("".join(lines))
    (folder / "first.json").write_text(json.dumps({"value": 0.5}))
    meta = {"namespace": namespace}
    trigger = {"checkPeriodSeconds": 1, "condition": {"operator": ">=", "threshold": 2, "metric": "num_of_samples"}}
    work = {"limits": {"retrySeconds": 1} | (limits or {})}
    train, evaluate = (
        {"template": _template(kind, image, env or {}, container or {}, pod or {})} for kind in ("train", "eval")
    )
    if algorithm is not None:
        train, evaluate = {"algorithm": algorithm}, {}
    named = {} if credential is None else {"credentialName": credential}
    where = base or str(folder)
    head = {"apiVersion": "sedna.io/v1alpha1"}
    documents = [
        head
        | {
            "kind": "Dataset",
            "metadata": meta | {"name": "stream"},
            "spec": {"url": f"{where}/boards.txt", "format": "txt", **named},
        },
        head
        | {
            "kind": "Model",
            "metadata": meta | {"name": "first"},
            "spec": {"url": f"{where}/first.json", "format": "json", **named},
        },
        head
        | {
            "kind": "IncrementalLearningJob",
            "metadata": meta | {"name": "pcb"},
            "spec": {
                **named,
                "dataset": {"name": "stream", "trainProb": 0.5},
                "initialModel": {"name": "first"},
                "trainSpec": {**train, **work, "trigger": trigger},
                "evalSpec": {**evaluate, **work},
                "deploySpec": {
                    "model": {"name": "first"},
                    "hardExampleMining": {"name": "IBT"},
                    "gate": {"metric": "value"},
                },
                "classNames": ["board"],
            },
        },
    ]
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def _template(
    kind: str, image: str, env: dict[str, str], container: dict[str, Any], pod: dict[str, Any]
) -> dict[str, Any]:
    main = {
        "name": kind,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", PROGRAM, kind],
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "securityContext": {"runAsUser": 0},
    }
    return {"spec": {"restartPolicy": "OnFailure", "containers": [main | container], **pod}}
