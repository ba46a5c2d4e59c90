"""The first model of a job: what its ``deploySpec.model`` names is in service at the start, as version 1."""

from __future__ import annotations

import shutil

from globalmanager.db import events, models
from globalmanager.db.values import JobRow
from globalmanager.engine.described import model_spec
from globalmanager.engine.publishing import publish
from globalmanager.engine.sources import open_source
from globalmanager.engine.tools import Tools


def publish_initial_model(tools: Tools, job: JobRow) -> None:
    """Store version 1 and make it known; harmless when that was done.

    Raises:
        UserError: the model cannot be read as it is.
        TemporaryError: a store does not answer, or is full.
    """
    spec, where = model_spec(tools, job, job.spec.deploy_spec.model.name)
    folder, name = open_source(spec.url, where, tools.settings.s3)
    staging = tools.job_dir(job) / "initial-model"
    try:
        source = folder.fetch(name, staging)
        published = publish(
            tools,
            job,
            models.INITIAL,
            source,
            entry=source.name if source.is_file() else "",
            created_at=tools.now(),
            algorithm=job.spec.train_spec.algorithm,
            model_format=spec.format,
            note=f"initial model, from {spec.url}",
        )
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        folder.close()
    with tools.write() as session:
        published.insert(session, job.id, tools.now())
        files = ", ".join(f"{file.name} (sha256 {file.sha256})" for file in published.manifest.files)
        events.add(session, job.id, "InitialModelStored", f"model 1 from {spec.url}: {files}", tools.now())
