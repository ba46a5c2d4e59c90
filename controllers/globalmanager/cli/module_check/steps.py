"""The steps of a check: each in a process of its own, as workers and edges do them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from globalmanager.cli.module_check.findings import (
    CheckError,
    judge_answers,
    judge_evaluation,
    judge_output,
)
from globalmanager.cli.module_check.job_file import certainty_threshold, job_documents, write_job
from globalmanager.cli.module_check.samples import CheckSamples, write_index
from sedna.common.class_factory import ClassType
from sedna.common.neighbours import NOT_STORED, neighbours_of
from sedna.common.plugin import Plugin, load_version, plugin_errors
from sedna.common.types import JobKey, Prediction
from sedna.store.file_sets import list_files
from sedna.store.models import ModelManifest, describe_model, runtime_of

__all__ = ["ModuleCheck", "Told"]

Told = Callable[[str, str], None]
"""Called with a step and what it has found."""

_KEEP = "--keep FOLDER keeps the model and the logs"

_SECONDS = 600.0
"""Of one step: a check that takes longer was given too much."""


@dataclass
class ModuleCheck:
    """One check of one file. `run` ends with a `CheckError` at the first step that fails.

    Args:
        path: the user's file.
        name: alias of the class; None = the only one that the file registers.
        parameters: ``algorithm.parameters`` of a job.
        folder: empty; models and logs are left there.
        told: what each step has found.
    """

    path: Path
    name: str | None
    parameters: Mapping[str, Any]
    samples: CheckSamples
    folder: Path
    told: Told
    warnings: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Load, train, save, evaluate in a fresh process, self-test and predict as an edge."""
        plugin = self._load()
        train = self.folder / "train.txt"
        write_index(self.samples.train, self.folder / "samples", train)
        self._worker("train", {"TRAIN_DATASET_URL": str(train), "MODEL_URL": str(self.output)})
        entry = self._saved()
        test = self.folder / "test.txt"
        pictures = write_index(self.samples.evaluation, self.folder / "samples", test)
        report = self._worker("eval", {"TEST_DATASET_URL": str(test), "MODEL_URLS": str(entry)})
        rows = judge_evaluation(report, [path.stem for path in pictures], len(self.samples.class_names))
        self.told("evaluate", f"{rows.text}; gate.metric: {rows.metric}")
        predictions = self._edge(plugin, pictures, rows.right)
        write_job(self.folder / "job.yaml", self._job(entry, predictions, counted=bool(rows.right)))

    @property
    def output(self) -> Path:
        """Folder of the model."""
        return self.folder / "model"

    def _job(self, model: Path, predictions: Sequence[Prediction], *, counted: bool) -> list[dict[str, Any]]:
        algorithm: dict[str, Any] = {"name": self.name, "module": str(self.path.resolve())}
        if self.parameters:
            algorithm["parameters"] = dict(self.parameters)
        detection = self.samples.detection
        metric = ("f1" if detection else "accuracy") if counted else "value"
        miner: dict[str, Any] = {"name": "IBT"}
        if not detection:
            value = f"{certainty_threshold(predictions):.4g}"
            miner = {"name": "CrossEntropy", "parameters": [{"key": "threshold_cross_entropy", "value": value}]}
        return job_documents(algorithm, self.samples.class_names, metric, miner, self.folder, model)

    def _load(self) -> Plugin:
        with plugin_errors(self.path):
            plugin = load_version(self.path)
        names = plugin.own.names(ClassType.GENERAL)
        if self.name is None and len(names) == 1:
            self.name = names[0]
        if self.name not in names:
            listed = ", ".join(names) or "nothing"
            what = f"does not register {self.name!r}" if self.name else "registers not exactly one class"
            hint = '@ClassFactory.register(ClassType.GENERAL, alias="...") on the class; --name chooses one of several'
            raise CheckError("load", f"{self.path} {what}; it registers {listed}", hint)
        for neighbour in neighbours_of(plugin.source, self.path.resolve().parent):
            self.warnings.append(f"it imports {neighbour}, {NOT_STORED}")
        self.told("load", f"registers {self.name} (sha256 {plugin.sha256[:12]})")
        return plugin

    def _worker(self, stage: str, inputs: Mapping[str, str]) -> dict[str, Any]:
        """Run the built-in worker; its report."""
        report = self.folder / f"{stage}.json"
        environment = {
            "JOB_NAME": "check", "NAMESPACE": "default", "WORKER_NAME": f"check-{stage}", "DATA_PATH_PREFIX": "/",
            "REPORT_PATH": str(report), "ALGORITHM": str(self.name), "ALGORITHM_MODULE": str(self.path.resolve()),
            "ALGORITHM_PARAMETERS": json.dumps(dict(self.parameters)),
            "CLASS_NAMES": json.dumps(list(self.samples.class_names)), **inputs,
        }  # fmt: skip
        begun = time.monotonic()
        self._program(stage, ["sedna.core.incremental_learning.worker", stage], environment)
        if stage == "train":
            self.told("train", f"{len(self.samples.train)} samples in {time.monotonic() - begun:.1f} s")
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def _program(self, step: str, module: Sequence[str], environment: Mapping[str, str]) -> Path:
        log = self.folder / f"{step}.log"
        with log.open("wb") as file:
            try:
                done = subprocess.run(
                    [sys.executable, "-P", "-m", *module],
                    env={**_inherited(), **environment},
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    timeout=_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise CheckError(step, f"took longer than {_SECONDS:.0f} s", "a smaller --limit") from None
        if done.returncode:
            raise CheckError(step, _last_error(log), _KEEP, log.read_text(errors="replace"))
        return log

    def _saved(self) -> Path:
        """The file or folder that the worker reported as its model."""
        report = json.loads((self.folder / "train.json").read_text())
        entry = Path(report["results"][0]["url"])
        files = list_files(self.output) if self.output.is_dir() and any(self.output.rglob("*")) else []
        if not files:
            hint = "save(model_url) writes the file model_url, or files beside it in the same folder"
            raise CheckError("save", f"nothing was written into {self.output}", hint)
        self.warnings += judge_output(self.output)
        size = sum(file.entry.size for file in files)
        self.told("save", f"{', '.join(file.entry.name for file in files)} ({size} bytes)")
        return entry

    def _edge(self, plugin: Plugin, pictures: Sequence[Path], right: Mapping[str, bool]) -> list[Prediction]:
        order = {
            "module": str(self.path.resolve()),
            "folder": str(self.output),
            "manifest": json.loads(self._manifest(plugin).model_dump_json()),
            "pictures": [str(path) for path in pictures],
        }
        done = subprocess.run(
            [sys.executable, "-P", "-m", "sedna.edge.trial"],
            input=json.dumps(order).encode(),
            env=_inherited(),
            cwd=self.folder,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        (self.folder / "edge.log").write_bytes(done.stderr)
        if done.returncode or not done.stdout:
            log = self.folder / "edge.log"
            raise CheckError("edge", _last_error(log), _KEEP, log.read_text(errors="replace"))
        answer = json.loads(done.stdout)
        if answer["step"]:
            raise CheckError(f"edge: {answer['step']}", answer["message"], "")
        self.told("edge", "a fresh process loads the model, and it passes the self-test")
        found = [Prediction.model_validate(one) for one in answer["predictions"]]
        samples = {path.stem: sample.annotation for path, sample in zip(pictures, self.samples.evaluation, strict=True)}
        text, warnings = judge_answers(dict(zip(samples, found, strict=True)), samples, right)
        self.warnings += warnings
        self.told("predict", text)
        return found

    def _manifest(self, plugin: Plugin) -> ModelManifest:
        files = [file.entry for file in list_files(self.output)]
        names = [file.name for file in files]
        description = describe_model(
            JobKey(name="check"),
            1,
            algorithm=str(self.name),
            parameters=dict(self.parameters),
            module={"name": self.path.name, "sha256": plugin.sha256, "size": len(plugin.source)},
            runtime=runtime_of(names),
            format="files",
            class_names=self.samples.class_names,
            created_at=datetime.now(UTC),
        )
        given = {name: getattr(description, name) for name in type(description).model_fields}
        return ModelManifest(**given, files=tuple(files))


def _inherited() -> dict[str, str]:
    """The environment without what would be taken for a worker's own."""
    mine = ("LC_SERVER", "MODEL_", "TRAIN_", "TEST_", "BASE_MODEL", "ALGORITHM", "CHECKPOINT", "BACKEND_TYPE")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)}


def _last_error(log: Path) -> str:
    """The line of a log that says what went wrong."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    failed = [line for line in lines if " failed: " in line]
    return (failed or lines or ["it says nothing"])[-1].rpartition(" failed: ")[2].strip()
