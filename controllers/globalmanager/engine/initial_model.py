"""The first model of a job: what its ``initialModel`` names becomes version 1."""

from __future__ import annotations

import shutil

from globalmanager.db import events, models, resources
from globalmanager.db.values import JobRow
from globalmanager.engine.publishing import publish
from globalmanager.engine.sources import open_source
from globalmanager.engine.tools import Tools
from sedna.common.types import JobKey
from sedna.loop.spec import ModelSpec


def publish_initial_model(tools: Tools, job: JobRow) -> None:
    """Store version 1 and make it known; harmless when that was done.

    Raises:
        UserError: the model cannot be read as it is.
        TemporaryError: a store does not answer, or is full.
    """
    key = JobKey(namespace=job.key.namespace, name=job.spec.initial_model.name)
    with tools.db.read() as session:
        row = resources.get(session, "Model", key)
    spec = ModelSpec.model_validate(row.spec)
    where = f"Model {key}: spec.url"
    folder, name = open_source(spec.url, where)
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
            model_format=spec.format,
            note=f"initial model, from {spec.url}",
        )
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    with tools.write() as session:
        published.insert(session, job.id, tools.now())
        files = ", ".join(f"{file.name} (sha256 {file.sha256})" for file in published.manifest.files)
        events.add(session, job.id, "InitialModelStored", f"model 1 from {spec.url}: {files}", tools.now())
