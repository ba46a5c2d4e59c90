"""Run by Alembic: migrate over the connection that ``globalmanager.db.migrate`` opened, in its transaction."""

from __future__ import annotations

from alembic import context

from globalmanager.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
