"""Bring a database to the schema of this program, or refuse it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from sedna.common.errors import ConflictError

_FOLDER = Path(__file__).parent / "migrations"


def config_for(connection: Connection | None = None) -> Config:
    """Alembic's configuration; commands work on ``connection``, inside its transaction."""
    config = Config()
    # The configuration parser takes a percent sign in a path for a reference.
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str | None:
    """The newest schema that this program knows."""
    return ScriptDirectory.from_config(config_for()).get_current_head()


def current_revision(connection: Connection) -> str | None:
    """The schema that the database is at, or None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the caller's transaction: all of them or none.

    Raises:
        ConflictError: the database is at a schema that this program does not know.
    """
    directory = ScriptDirectory.from_config(config_for())
    current = current_revision(connection)
    if current == directory.get_current_head():
        return
    # An unknown revision is of a newer program: writing with the old tables would lose what it has added.
    known = {script.revision for script in directory.walk_revisions()}
    if current is not None and current not in known:
        raise ConflictError(
            f"the database is at schema {current}, which this version does not know (newest known:"
            f" {directory.get_current_head()})",
            where="database",
            hint="a newer version wrote it: install that version, or restore a backup",
        )
    command.upgrade(config_for(connection), "head")


def require_current(connection: Connection) -> None:
    """Refuse a database that `upgrade` would change, or that this program does not know.

    Raises:
        ConflictError: it is at another schema.
    """
    current = current_revision(connection)
    if current != head_revision():
        raise ConflictError(
            f"the database is at schema {current or 'none'}, this version works with {head_revision()}",
            where="database",
            hint="'sedna up' of this version brings an older one up to date",
        )


def knows(revision: str) -> bool:
    """Whether this program can bring a database at this schema up to date."""
    return revision in {script.revision for script in ScriptDirectory.from_config(config_for()).walk_revisions()}
