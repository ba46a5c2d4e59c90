"""One job as files that its imports read back.

job.yaml                        Dataset, Model and job as they were applied: `sedna job apply -f`
images/{sample_id}.{ext}        the pictures, byte for byte
labels.jsonl, holdout.jsonl     {"x": "images/...", "y": ...}: a Dataset of format jsonl, or `sedna sample import`
samples.jsonl                   everything known of each sample: record, part, every label, exclusions
dataset-{n}.{part}.jsonl        a dataset version, as labels.jsonl
datasets/{n}/manifest.jsonl     the same as the store has it
models/{v}/manifest.json        a model version
models/{v}/files/{name}         its files: a Model's url
classes.txt                     a class a line, as labels count them from 0
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml

from globalmanager.db import Database, jobs, models, resources, samples
from globalmanager.db.database import Session
from globalmanager.db.take_back import known
from globalmanager.db.values import JobRow, ResourceRow, SampleFilter, SampleStory
from globalmanager.upkeep.export_place import Place
from sedna.common.errors import NotFoundError
from sedna.common.types import Annotation, JobKey, Value
from sedna.loop.spec import API_VERSION
from sedna.store.base import ObjectStore
from sedna.store.datasets import parse_dataset
from sedna.store.layout import dataset_manifest_key, model_file_key, model_manifest_key, sample_key
from sedna.store.models import load_manifest

__all__ = ["ExportReport", "export_job"]

_PAGE = 500


class ExportReport(Value):
    """What was written; ``missing``: what the database speaks of and the store does not have."""

    samples: int
    labelled: int
    datasets: int
    models: int
    missing: tuple[str, ...]


def export_job(db: Database, store: ObjectStore, key: JobKey, place: Place) -> ExportReport:
    """Write a job, as it is at one moment; also while the service runs.

    Raises:
        NotFoundError: there is no such job.
        TemporaryError: database, store or disk do not take part.
    """
    return _Export(db, store, key, place).run()


class _Export:
    def __init__(self, db: Database, store: ObjectStore, key: JobKey, place: Place) -> None:
        self._db, self._store, self._key, self._place = db, store, key, place
        self._missing: list[str] = []
        self._names: dict[str, str] = {}
        """Of pictures that were written, by sample."""

    def run(self) -> ExportReport:
        with self._db.read() as session:  # one snapshot for all
            job = jobs.get(session, self._key)
            before = known(session, job.id)
            self._place.add("job.yaml", _descriptions(job, [
                row for kind, name in _named(job)
                if (row := resources.find(session, kind, JobKey(namespace=self._key.namespace, name=name))) is not None
            ]))  # fmt: skip
            self._place.add("classes.txt", "".join(f"{name}\n" for name in job.class_names).encode())
            labelled = self._samples(_stories(session, job.id))
            versions = [row.version for row in models.list_page(session, job.id, limit=1000).items]
        written = [self._dataset(version) for version, at in sorted(before.datasets.items()) if at is not None]
        models_written = [self._model(version) for version in sorted(versions)]
        return ExportReport(
            samples=len(self._names),
            labelled=labelled,
            datasets=sum(written),
            models=sum(models_written),
            missing=tuple(self._missing),
        )

    def _samples(self, stories: Iterator[SampleStory]) -> int:
        lines: dict[str, list[str]] = {"labels.jsonl": [], "holdout.jsonl": []}
        known_of = []
        for story in stories:
            record, label = story.sample.record, story.sample.label
            known_of.append(story.model_dump_json())
            name = f"images/{record.sample_id}.{record.extension}"
            if self._copy(name, sample_key(self._key, record.sample_id, record.extension)):
                self._names[record.sample_id] = name
                if label is not None and not story.sample.excluded:
                    kind = "holdout" if story.sample.part == "holdout" else "labels"
                    lines[f"{kind}.jsonl"].append(_line(name, label.annotation))
        for file, content in (*lines.items(), ("samples.jsonl", known_of)):
            self._place.add(file, "".join(f"{line}\n" for line in content).encode())
        return sum(map(len, lines.values()))

    def _dataset(self, version: int) -> bool:
        key = dataset_manifest_key(self._key, version)
        try:
            data = self._store.get(key)
        except NotFoundError:
            self._missing.append(key)
            return False
        self._place.add(f"datasets/{version}/manifest.jsonl", data)
        parts: dict[str, list[str]] = {"train": [], "eval": [], "holdout": []}
        for entry in parse_dataset(data, key).entries:
            # One that was deleted since has no picture any more, and is in the manifest.
            if (name := self._names.get(entry.sample_id)) is not None:
                parts[entry.part.value].append(_line(name, entry.annotation))
        for part, lines in parts.items():
            self._place.add(f"dataset-{version}.{part}.jsonl", "".join(f"{line}\n" for line in lines).encode())
        return True

    def _model(self, version: int) -> bool:
        try:
            manifest = load_manifest(self._store, self._key, version)
        except NotFoundError:
            self._missing.append(model_manifest_key(self._key, version))
            return False
        self._place.add(f"models/{version}/manifest.json", manifest.to_bytes())
        whole = True
        for file in manifest.files:  # also those after one that is missing
            stored = model_file_key(self._key, version, file.sha256, file.name)
            whole = self._copy(f"models/{version}/files/{file.name}", stored) and whole
        return whole

    def _copy(self, name: str, key: str) -> bool:
        try:
            with self._store.open(key) as stream:
                self._place.copy(name, stream)
        except NotFoundError:
            self._missing.append(key)
            return False
        return True


def _stories(session: Session, job_id: int) -> Iterator[SampleStory]:
    cursor: str | None = None
    while True:
        wanted = SampleFilter(excluded=None)
        page = samples.list_page(session, job_id, wanted, limit=_PAGE, cursor=cursor, newest_first=False)
        for row in page.items:
            story = samples.story(session, job_id, row.record.sample_id)
            # Its picture is gone on purpose.
            if not any(one.deleted and not one.ended for one in story.exclusions):
                yield story
        if page.next is None:
            return
        cursor = page.next


def _line(name: str, annotation: Annotation) -> str:
    if annotation.label is not None:
        return json.dumps({"x": name, "y": annotation.label})
    return json.dumps({"x": name, "y": [[box.x1, box.y1, box.x2, box.y2, box.label] for box in annotation.boxes]})


def _named(job: JobRow) -> list[tuple[resources.Kind, str]]:
    spec = job.spec
    names = [spec.initial_model.name, spec.deploy_spec.model.name]
    if spec.eval_spec.initial_eval_model is not None:
        names.append(spec.eval_spec.initial_eval_model.name)
    found: list[tuple[resources.Kind, str]] = [("Dataset", spec.dataset.name)]
    return found + [("Model", name) for name in dict.fromkeys(names)]


def _descriptions(job: JobRow, rows: list[ResourceRow]) -> bytes:
    spec = job.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    kinds = [(row.kind, row.metadata, row.spec) for row in rows] + [("IncrementalLearningJob", job.metadata, spec)]
    return yaml.safe_dump_all(
        [{"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec} for kind, meta, spec in kinds],
        sort_keys=False,
    ).encode()
