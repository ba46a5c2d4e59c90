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
import tempfile
from typing import IO

import yaml

from globalmanager.db import Database, jobs, models, resources, samples
from globalmanager.db.database import Session
from globalmanager.db.take_back import known
from globalmanager.db.values import JobRow, SampleFilter, SampleStory
from globalmanager.upkeep.export_place import Place
from sedna.common.errors import NotFoundError
from sedna.common.types import Annotation, JobKey, Value
from sedna.labels.export import jsonl_row
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
    """Write a job, as it is at one moment; also while the service runs, and also one that was deleted and not purged.

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
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as labels, tempfile.TemporaryFile() as holdout:
            # First everything that the database says, from one snapshot; files afterwards, for a server ends a
            # transaction that stands still while they are copied.
            with self._db.read() as session:
                job = jobs.find(session, self._key)
                if job is None:
                    raise NotFoundError("there is no such job", where=str(self._key), hint="nor one that was deleted")
                versions = sorted(known(session, job.id).datasets.items())
                published = sorted(models.known(session, job.id))
                described = _descriptions(session, job)
                _write_stories(session, job.id, told)
            self._place.add("job.yaml", described)
            self._place.add("classes.txt", "".join(f"{name}\n" for name in job.class_names).encode())
            told.seek(0)
            labelled = self._samples(told, labels, holdout)
            for name, file in (("samples.jsonl", told), ("labels.jsonl", labels), ("holdout.jsonl", holdout)):
                file.seek(0)
                self._place.copy(name, file)
        return ExportReport(
            samples=len(self._names),
            labelled=labelled,
            datasets=sum([self._dataset(version) for version, at in versions if at is not None]),
            models=sum([self._model(version) for version in published]),
            missing=tuple(self._missing),
        )

    def _samples(self, told: IO[bytes], labels: IO[bytes], holdout: IO[bytes]) -> int:
        """Copy the pictures, and write the lines of those that are there and labelled; how many."""
        count = 0
        for line in told:
            sample = SampleStory.model_validate_json(line).sample
            name = f"images/{sample.record.sample_id}.{sample.record.extension}"
            if not self._copy(name, sample_key(self._key, sample.record.sample_id, sample.record.extension)):
                continue
            self._names[sample.record.sample_id] = name
            if sample.label is not None and not sample.excluded:
                file = holdout if sample.part == "holdout" else labels
                file.write(_line(name, sample.label.annotation).encode() + b"\n")
                count += 1
        return count

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


def _write_stories(session: Session, job_id: int, file: IO[bytes]) -> None:
    cursor: str | None = None
    while True:
        wanted = SampleFilter(excluded=None)
        page = samples.list_page(session, job_id, wanted, limit=_PAGE, cursor=cursor, newest_first=False)
        for row in page.items:
            story = samples.story(session, job_id, row.record.sample_id)
            # Its picture is gone on purpose.
            if not any(one.deleted and not one.ended for one in story.exclusions):
                file.write(story.model_dump_json().encode() + b"\n")
        if page.next is None:
            return
        cursor = page.next


def _line(name: str, annotation: Annotation) -> str:
    # Numbers and no names: the job that is described beside it counts its classes alike.
    return json.dumps(jsonl_row(name, annotation))


def _descriptions(session: Session, job: JobRow) -> bytes:
    """The job, and before it what it names, in the order in which they can be applied."""
    spec = job.spec
    given = [spec.initial_model.name, spec.deploy_spec.model.name]
    if spec.eval_spec.initial_eval_model is not None:
        given.append(spec.eval_spec.initial_eval_model.name)
    wanted: list[tuple[resources.Kind, str]] = [("Dataset", spec.dataset.name)]
    wanted += [("Model", name) for name in dict.fromkeys(given)]
    found = [
        row
        for kind, name in wanted
        if (row := resources.find(session, kind, JobKey(namespace=job.key.namespace, name=name))) is not None
    ]
    own = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    objects: list[tuple[str, object, object]] = [(row.kind, row.metadata, row.spec) for row in found]
    objects.append(("IncrementalLearningJob", job.metadata, own))
    return yaml.safe_dump_all(
        [{"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec} for kind, meta, spec in objects],
        sort_keys=False,
    ).encode()
