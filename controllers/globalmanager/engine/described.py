"""Models that a job names beside those that it has made: where upstream's stages begin.

Upstream tells three apart, which may be one: ``initialModel`` is what the first training starts from,
``deploySpec.model`` is in service at the start, and ``evalSpec.initialEvalModel``, if given, is what the first
candidates are compared with. The one in service becomes version 1; once another version is in service the others have
no part.
"""

from __future__ import annotations

from pathlib import Path

from globalmanager.db import models, resources
from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.ingest.sources import open_source
from sedna.common.types import JobKey
from sedna.loop.spec import ModelSpec
from sedna.store.models import fetch_model, load_manifest

__all__ = ["baseline_path", "forms_of", "model_path", "model_spec", "start_path"]


def model_spec(seams: EngineSeams, job: JobRow, name: str) -> tuple[ModelSpec, str]:
    """A Model that the job refers to, and what messages about its address call it."""
    key = JobKey(namespace=job.key.namespace, name=name)
    with seams.db.read() as session:
        row = resources.get(session, "Model", key)
    return ModelSpec.model_validate(row.spec), f"Model {key}: spec.url"


def start_path(seams: EngineSeams, job: JobRow, champion: int) -> Path:
    """What a training starts from while ``champion`` is in service: the form of it that ``initialModel`` has."""
    wanted = job.spec.initial_model.name
    if champion == models.INITIAL and wanted != job.spec.deploy_spec.model.name:
        return _described(seams, job, wanted)
    return model_path(seams, job, champion, model_spec(seams, job, wanted)[0].format)


def baseline_path(seams: EngineSeams, job: JobRow, champion: int) -> Path:
    """What a candidate is compared with while ``champion`` is in service."""
    wanted = job.spec.eval_spec.initial_eval_model
    if champion == models.INITIAL and wanted is not None and wanted.name != job.spec.deploy_spec.model.name:
        return _described(seams, job, wanted.name)
    return model_path(seams, job, champion)


def model_path(seams: EngineSeams, job: JobRow, version: int, model_format: str = "") -> Path:
    """A local copy of a model version, verified: the file that a worker opens, or the folder.

    Args:
        model_format: which of the forms that its worker reported; the first one where it reported no such form.
    """
    with seams.db.read() as session:
        row = models.get(session, job.id, version)
    folder = seams.model_dir(job, version)
    manifest = load_manifest(seams.store, job.key, version)
    fetch_model(seams.store, manifest, folder)
    entry = manifest.entries.get(model_format, row.entry)
    return folder / entry if entry else folder


def _described(seams: EngineSeams, job: JobRow, name: str) -> Path:
    spec, where = model_spec(seams, job, name)
    folder, file = open_source(spec.url, where, seams.settings.s3)
    try:
        return folder.fetch(file, seams.models_dir(job) / "described" / name)
    finally:
        folder.close()


def forms_of(output: Path, results: tuple[dict[str, object], ...]) -> dict[str, str]:
    """Which file or folder below ``output`` a worker reported as which form of its model; "" is the whole folder."""
    forms: dict[str, str] = {}
    for result in results:
        form, url = result.get("format"), result.get("url")
        if isinstance(form, str) and form and isinstance(url, str) and url:
            named = Path(url).absolute()
            if named.is_relative_to(output.absolute()) and named.exists():
                inside = named.relative_to(output.absolute()).as_posix()
                forms.setdefault(form, "" if inside == "." else inside)
    return forms
