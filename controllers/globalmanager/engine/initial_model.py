"""The first model of a job: what its ``deploySpec.model`` names is in service at the start, as version 1."""

from __future__ import annotations

import shutil
from urllib.parse import unquote

from globalmanager.db import events, models
from globalmanager.db.values import JobRow
from globalmanager.engine.described import model_spec
from globalmanager.engine.publishing import Published, publish
from globalmanager.engine.seams import EngineSeams
from globalmanager.ingest.sources import open_source
from sedna.common.errors import ConflictError, NotFoundError
from sedna.store.models import load_manifest

_NOTE = "initial model, from "


def publish_initial_model(seams: EngineSeams, job: JobRow) -> None:
    """Store version 1 and make it known; harmless when that was done.

    Raises:
        UserError: the model cannot be read as it is, or the store has a model 1 of another life of the job.
        TemporaryError: a store does not answer, or is full.
    """
    spec, where = model_spec(seams, job, job.spec.deploy_spec.model.name)
    folder, name = open_source(spec.url, where, seams.settings.s3)
    staging = seams.job_dir(job) / "initial-model"
    try:
        source = folder.fetch(name, staging)
        published = publish(
            seams,
            job,
            models.INITIAL,
            source,
            entry=source.name if source.is_file() else "",
            created_at=seams.now(),
            algorithm=job.spec.train_spec.algorithm,
            model_format=spec.format,
            note=f"{_NOTE}{spec.url}",
        )
    except ConflictError:
        stored = _stored(seams, job)
        if stored is None:
            raise
        published = stored
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        folder.close()
    with seams.write() as session:
        published.insert(session, job.id, seams.now())
        files = ", ".join(f"{file.name} (sha256 {file.sha256})" for file in published.manifest.files)
        text = f"model 1 from {published.manifest.note.removeprefix(_NOTE)}: {files}"
        events.add(session, job.id, "InitialModelStored", text, seams.now())


def _stored(seams: EngineSeams, job: JobRow) -> Published | None:
    """Model 1 as an engine stored it that died before it said so, if that was for this job: it is whole and cannot
    change any more, and the job has been edited since."""
    try:
        manifest = load_manifest(seams.store, job.key, models.INITIAL)
    except NotFoundError:
        return None
    if manifest.created_at < job.created_at:
        return None  # a database that is no more knew it
    first, *more = (file.name for file in manifest.files)
    return Published(manifest, first if not more and unquote(manifest.note).endswith(f"/{first}") else "")
