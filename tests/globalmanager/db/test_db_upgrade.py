"""An upgrade of a filled database: from every schema there was, nothing is lost and today's code reads it."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect, select, text

from fixtures_gm import KEY, new_world
from globalmanager.db import Database, datasets, events, jobs, models, rounds, samples
from globalmanager.db.migrate import config_for, head_revision

pytestmark = pytest.mark.sqlite

REVISIONS = sorted(script.revision for script in ScriptDirectory.from_config(config_for()).walk_revisions())


@pytest.fixture(scope="module")
def filled():
    """A database after a round: samples, labels, a dataset version, models, workers, decisions, an edge."""
    with new_world() as world:
        world.apply()
        world.samples(8)
        world.sample(label=None)
        world.until(lambda job: bool(job.state.history))
        world.beat(model_version=world.job().state.champion, state="serving")
        yield world


def rows_of(engine):
    """Every row of every table, by table, in a fixed order."""
    meta = MetaData()
    meta.reflect(engine)
    with engine.connect() as connection:
        return {
            name: sorted((dict(row._mapping) for row in connection.execute(select(table))), key=repr)
            for name, table in meta.tables.items()
            if name != "alembic_version"
        }


def at_schema(path, revision, content):
    """A database at an older schema with the rows that its tables and columns have room for."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(config_for(connection), revision)
    meta = MetaData()
    meta.reflect(engine)
    with engine.begin() as connection:
        for table in meta.sorted_tables:
            for row in content.get(table.name, []):
                kept = {name: value for name, value in row.items() if name in table.columns}
                connection.execute(table.insert().values(kept))
    before = rows_of(engine)
    engine.dispose()
    return before


def seen(db):
    """What the code of today reads."""
    with db.read() as session:
        job = jobs.get(session, KEY)
        return (
            job.state, job.totals,
            [(row.record, row.label, row.part, row.round_used) for row in samples.list_page(session, job.id).items],
            [row.model_dump() for row in rounds.list_page(session, job.id).items],
            [row.model_dump() for row in datasets.list_page(session, job.id).items],
            [row.model_dump() for row in models.list_page(session, job.id).items],
            [row.message for row in events.after(session, 0, limit=1000)],
        )  # fmt: skip


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_filled_database_of_every_schema_keeps_all_it_has(filled, tmp_path, revision):
    engine = create_engine(f"sqlite:///{filled.folder / 'gm.db'}")
    content = rows_of(engine)
    engine.dispose()
    assert all(content[name] for name in ("jobs", "samples", "labels", "rounds", "model_versions", "workers", "edges"))
    before = at_schema(tmp_path / "old.db", revision, content)
    db = Database(tmp_path / "old.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    after = rows_of(engine)
    for table, old in before.items():
        assert len(after[table]) == len(old), table
        names = set(old[0]) & {column["name"] for column in inspect(engine).get_columns(table)} if old else set()
        kept = [{name: row[name] for name in names} for row in after[table]]
        assert sorted(kept, key=repr) == sorted(({name: row[name] for name in names} for row in old), key=repr), table
    engine.dispose()
    with db.read() as session:
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == head_revision()
    assert seen(db) == seen(filled.db)
    db.close()
    Database(tmp_path / "old.db", migrate=False).close()  # a second start changes nothing
