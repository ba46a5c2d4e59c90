"""Models that an order names: versions of the job, and those that its description brings.

Upstream tells three apart, which may be one: ``initialModel`` is what the first training starts from,
``deploySpec.model`` is in service at the start, and ``evalSpec.initialEvalModel``, if given, is what the first
candidates are compared with. The one in service becomes version 1; once another version is in service the others have
no part.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from globalmanager.db import models, resources
from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.ingest.sources import open_source
from sedna.common.types import JobKey
from sedna.core.staging.order import ModelRole, OrderedModel
from sedna.loop.spec import ModelSpec
from sedna.store import S3Settings
from sedna.store.file_sets import StoredFile, list_files, upload
from sedna.store.layout import input_key, model_file_key
from sedna.store.models import ModelManifest, load_manifest

__all__ = ["baseline_model", "model_spec", "s3_of_model", "start_model", "version_model"]


def model_spec(seams: EngineSeams, job: JobRow, name: str) -> tuple[ModelSpec, str]:
    """A Model that the job refers to, and what messages about its address call it."""
    key = JobKey(namespace=job.key.namespace, name=name)
    with seams.db.read() as session:
        row = resources.get(session, "Model", key)
    return ModelSpec.model_validate(row.spec), f"Model {key}: spec.url"


def s3_of_model(seams: EngineSeams, job: JobRow, spec: ModelSpec) -> S3Settings | None:
    """How to reach the object store of a Model: by its own credential, or else by the job's."""
    return seams.s3(spec.url, job.key.namespace, spec.credential_name, job.spec.credential_name)


def start_model(seams: EngineSeams, job: JobRow, champion: int) -> OrderedModel:
    """What a training starts from while ``champion`` is in service: the form of it that ``initialModel`` has."""
    wanted = job.spec.initial_model.name
    if champion == models.INITIAL and wanted != job.spec.deploy_spec.model.name:
        return _described(seams, job, "base", wanted)
    return version_model(seams, job, "base", champion, model_spec(seams, job, wanted)[0].format)


def baseline_model(seams: EngineSeams, job: JobRow, champion: int) -> tuple[OrderedModel, ModelManifest | None]:
    """What a candidate is compared with while ``champion`` is in service; without a manifest where it is no version."""
    wanted = job.spec.eval_spec.initial_eval_model
    if champion == models.INITIAL and wanted is not None and wanted.name != job.spec.deploy_spec.model.name:
        return _described(seams, job, "champion", wanted.name), None
    return version_model(seams, job, "champion", champion), load_manifest(seams.store, job.key, champion)


def version_model(
    seams: EngineSeams, job: JobRow, role: ModelRole, version: int, model_format: str = ""
) -> OrderedModel:
    """A model version: the file that a worker opens, or the folder.

    Args:
        model_format: which of the forms that its worker reported; the first one where it reported no such form.

    Raises:
        NotFoundError, IntegrityError: the store has it not, or not as it was.
    """
    with seams.db.read() as session:
        row = models.get(session, job.id, version)
    manifest = load_manifest(seams.store, job.key, version)
    files = tuple(
        StoredFile(**file.model_dump(), key=model_file_key(job.key, version, file.sha256, file.name))
        for file in manifest.files
    )
    return OrderedModel(role=role, entry=manifest.entries.get(model_format, row.entry), files=files)


def _described(seams: EngineSeams, job: JobRow, role: ModelRole, name: str) -> OrderedModel:
    """A model that only the description knows; brought into the store, where every worker can read it."""
    spec, where = model_spec(seams, job, name)
    folder, file = open_source(spec.url, where, s3_of_model(seams, job, spec), seams.patience)
    seams.settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=seams.settings.scratch_dir) as scratch:
            source = folder.fetch(file, Path(scratch))
            entry = source.name if source.is_file() else ""
            files = upload(seams.store, list_files(source), lambda one: input_key(job.key, one.sha256, one.name))
    finally:
        folder.close()
    return OrderedModel(role=role, entry=entry, files=files)
