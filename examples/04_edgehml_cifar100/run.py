"""The whole loop on CIFAR-100: edge, mining, upload, labels, EdgeHML rounds, gate, roll-out.

    python run.py --source DIR [--json FILE]

Starts a service with one edge in this process and streams the pictures of make_data.py to the edge: first those that
nobody labels, then two parts that an oracle labels, with a round after each. Ends with the accuracy of every model on
the hold-out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from make_data import Labelled, make

from globalmanager.api.manifests import read_manifests
from globalmanager.api.relative_paths import resolve_paths
from globalmanager.labelling import Oracle
from globalmanager.service.service import Service
from globalmanager.service.settings import EngineOptions, ServiceSettings
from sedna.algorithms.continual.job.estimator import EdgeHMLEstimator
from sedna.common.errors import WorkerError
from sedna.common.types import JobKey

HERE = Path(__file__).parent
JOB = JobKey(name="cifar")
EDGE = "local-1"


class Run:
    """One service, one edge, two rounds."""

    def __init__(self, work: Path, folder: Path, job_file: Path) -> None:
        self._work = work
        self._boards = json.loads((work / "manifest.json").read_text())["boards"]
        self._oracle = Oracle.from_manifest(work / "manifest.json")
        self._service = Service(
            ServiceSettings(
                data_dir=folder, port=0, edges=1, engine=EngineOptions(tick_seconds=0.5, heartbeat_seconds=1.0)
            )
        )
        self._service.start()
        headers = {"Authorization": f"Bearer {self._service.admin_token}"}
        self._api = httpx.Client(base_url=f"{self._service.url}/api/v1/", headers=headers, timeout=60)
        described = resolve_paths(read_manifests(job_file), work.parent)
        bodies = [entry.model_dump(mode="json", by_alias=True, exclude_unset=True) for entry in described]
        self._api.post("resources", json=bodies).raise_for_status()

    def stop(self) -> None:
        """Stop the service; everything it made stays in its folder."""
        self._api.close()
        self._service.stop()

    def play(self) -> list[dict[str, object]]:
        """The unlabelled pictures, then two parts with a round after each; accuracy of every model on the hold-out."""
        self._wait("the first model at the edge", lambda: self._serving() == 1)
        self._stream("unlabelled")
        for number, part in enumerate(("stream-1", "stream-2"), start=1):
            self._stream(part)
            self._wait(f"round {number}", lambda number=number: len(self._history()) >= number, seconds=1800)
            ended = self._history()[-1]
            print(f"round {number}: {ended['outcome']}", flush=True)
        return [self._score(model) for model in self._list("models")]

    def _stream(self, part: str) -> None:
        pictures = [self._work / "pictures" / board["file"] for board in self._boards if board["part"] == part]
        url = f"{self._service.edge_urls[EDGE]}/v2/models/{JOB.name}/infer"
        for path in pictures:
            answer = httpx.post(url, content=path.read_bytes(), headers={"Content-Type": "image/png"}, timeout=30)
            answer.raise_for_status()
        print(f"{part}: {len(pictures)} pictures sent", flush=True)

    def _wait(self, what: str, done: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise WorkerError(f"did not happen within {seconds:.0f} s", where=what)
            if self._oracle.label(self._service.api.db, JOB, datetime.now(UTC)):
                self._service.engine.wake()
            time.sleep(0.3)

    def _history(self) -> list[dict[str, str]]:
        return list(self._api.get(f"jobs/default/{JOB.name}").json()["state"]["history"])

    def _serving(self) -> int | None:
        edges = self._api.get("edges").json()
        jobs = [job for edge in edges for job in edge["jobs"]]
        return jobs[0]["model_version"] if jobs else None

    def _list(self, what: str) -> list[dict[str, Any]]:
        answer = self._api.get(f"jobs/default/{JOB.name}/{what}").json()
        return sorted(answer["items"] if isinstance(answer, dict) else answer, key=lambda row: row["version"])

    def _score(self, model: dict[str, Any]) -> dict[str, object]:
        version = model["version"]
        content = self._api.get(
            f"jobs/default/{JOB.name}/models/{version}/files/{self._file(version)}", follow_redirects=True
        )
        content.raise_for_status()
        held_out = [board for board in self._boards if board["part"] == "holdout"]
        paths = [str(self._work / "pictures" / board["file"]) for board in held_out]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            path.write_bytes(content.content)
            report = EdgeHMLEstimator().evaluate(Labelled(paths, [str(b["label"]) for b in held_out]), path)
        recall = report["recall"]
        row: dict[str, object] = {"version": version, "accuracy": round(report["accuracy"], 4)}
        row |= {"known_classes": round(sum(recall[:5]) / 5, 4), "new_classes": round(sum(recall[5:]) / 5, 4)}
        row["unlabelled_samples"] = model["metrics"].get("unlabelled_samples", 0)
        print(f"model {version}: {row}", flush=True)
        return row

    def _file(self, version: int) -> str:
        manifest = self._api.get(f"jobs/default/{JOB.name}/models/{version}/manifest").json()
        names = [file["name"] for file in manifest["files"]]
        return next(name for name in names if name.endswith(".safetensors"))


def main() -> int:
    """Make the data if it is not there, run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument(
        "--work", type=Path, default=HERE / "work", help="pictures and first model; a folder named work"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.work.name != "work":
        parser.error(f"--work {arguments.work}: job.yaml looks for its files in a folder named work")
    if not (arguments.work / "initial_model").exists():
        make(arguments.source, arguments.work, 400)
    with tempfile.TemporaryDirectory(prefix="sedna-cifar-") as folder:
        run = Run(arguments.work.resolve(), Path(folder) / "service", HERE / "job.yaml")
        try:
            models = run.play()
        finally:
            run.stop()
    if arguments.json:
        arguments.json.write_text(json.dumps({"models": models}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
