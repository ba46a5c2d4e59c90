"""The first model of a job: what its ``deploySpec.model`` names is in service at the start, as version 1."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import unquote

from globalmanager.db import events, models
from globalmanager.db.values import JobRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.described import model_spec, s3_of_model
from globalmanager.engine.work.openers import current_module
from globalmanager.engine.work.publishing import description_of
from globalmanager.ingest.sources import open_source
from sedna.common.errors import ConflictError, NotFoundError
from sedna.store.file_sets import list_files
from sedna.store.models import ModelManifest, load_manifest, publish_model

_NOTE = "initial model, from "


def publish_initial_model(seams: EngineSeams, job: JobRow) -> None:
    """Store version 1 and make it known; harmless when that was done.

    Raises:
        UserError: the model cannot be read as it is, or the store has a model 1 of another life of the job.
        TemporaryError: a store does not answer, or is full.
    """
    try:
        manifest, entry = _publish(seams, job)
    except ConflictError:
        stored = _stored(seams, job)
        if stored is None:
            raise
        manifest, entry = stored
    # In the store before the database: an edge that hears of model 1 can fetch it.
    with seams.write() as session:
        models.insert(session, job.id, manifest, entry=entry, now=seams.now())
        files = ", ".join(f"{file.name} (sha256 {file.sha256})" for file in manifest.files)
        text = f"model 1 from {manifest.note.removeprefix(_NOTE)}: {files}"
        events.add(session, job.id, "InitialModelStored", text, seams.now())


def _publish(seams: EngineSeams, job: JobRow) -> tuple[ModelManifest, str]:
    """The manifest, and the file that is named as the model ("" for a folder)."""
    spec, where = model_spec(seams, job, job.spec.deploy_spec.model.name)
    folder, name = open_source(spec.url, where, s3_of_model(seams, job, spec), seams.patience)
    seams.settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=seams.settings.scratch_dir) as scratch:
            source = folder.fetch(name, Path(scratch))
            entry = source.name if source.is_file() else ""
            description = description_of(
                job,
                models.INITIAL,
                [file.entry.name for file in list_files(source)],
                entry=entry,
                algorithm=job.spec.train_spec.algorithm,
                model_format=spec.format,
                created_at=seams.now(),
                note=f"{_NOTE}{spec.url}",
            )
            module = current_module(seams, job, job.spec.train_spec.algorithm)
            return publish_model(seams.store, source, description, module), entry
    finally:
        folder.close()


def _stored(seams: EngineSeams, job: JobRow) -> tuple[ModelManifest, str] | None:
    """Model 1 as the store has it, where an engine stored it and died before the database knew: it is whole and cannot
    change any more, although the job may have been edited since. None if it belongs to another job of this name."""
    try:
        manifest = load_manifest(seams.store, job.key, models.INITIAL)
    except NotFoundError:
        return None
    if manifest.created_at < job.created_at:
        return None  # a database that is no more knew it
    first, *more = (file.name for file in manifest.files)
    return manifest, first if not more and unquote(manifest.note).endswith(f"/{first}") else ""
