"""An upgrade of a filled database: from every schema there was, nothing is lost and today's code reads it."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, event, inspect, make_url, select, text

from fixtures_gm import KEY, START, new_world
from globalmanager.db import Database, datasets, events, jobs, models, older_samples, rounds, samples
from globalmanager.db.label_tables import LabelAnswer, LabelClaim, LabelReview, SamplePrediction
from globalmanager.db.migrate import config_for, head_revision
from globalmanager.db.tables import Base, Job, Sample, SampleCheck, SampleClass
from sedna.common.types import Annotation, Box, Picked, Prediction, Verdict

SEEN_LABEL = Annotation(boxes=(Box(x1=0, y1=0, x2=4, y2=4, label=0), Box(x1=4, y1=4, x2=8, y2=8, label=1)))
SEEN = Prediction(boxes=tuple(box.model_copy(update={"score": 0.5}) for box in SEEN_LABEL.boxes))

FILLED_IN = ("miner", "score", "predicted", "rank_entropy", "rank_margin", "rank_confidence")

LAST_RELEASE = "0013"
"""The schema of the release before, whose program may still run at the schema of now."""

NEW_TABLES = [
    one.__table__ for one in (LabelClaim, LabelAnswer, LabelReview, SamplePrediction, SampleClass, SampleCheck)
]

REVISIONS = sorted(script.revision for script in ScriptDirectory.from_config(config_for()).walk_revisions())


@pytest.fixture(scope="module")
def filled():
    """A database after a round: samples, labels, a dataset version, models, workers, decisions, an edge."""
    with new_world() as world:
        world.apply()
        world.samples(8)
        world.sample(label=None, prediction=SEEN, verdict=Verdict(hard=True, miner="ibt", score=0.25, reason="r"))
        world.sample(label=SEEN_LABEL, prediction=SEEN, picked=Picked.AUDIT)
        world.sample(label=Annotation(boxes=SEEN_LABEL.boxes[:1]), prediction=Prediction(label=1), picked=Picked.AUDIT)
        world.until(lambda job: bool(job.state.history))
        world.beat(model_version=world.job().state.champion, state="serving")
        yield world


def fill(engine, world):
    """The rows of a world, whatever its database is, through the types of the code."""
    with world.db.read() as session, engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            rows = [dict(row._mapping) for row in session.execute(select(table))]
            if rows:
                connection.execute(table.insert(), rows)


def fill_in(db):
    """What the engine does for the samples of a program of before."""
    batches = 0
    with db.read() as session:
        every = session.scalars(select(Job.id)).all()
    for job_id in every:
        while unfilled(db, job_id):
            with db.write() as session:
                older_samples.fill_some(session, job_id, 4)
            batches += 1
    return batches


def unfilled(db, job_id):
    with db.read() as session:
        return older_samples.are_there(session, job_id)


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


def at_schema(engine, revision, content):
    """A database at an older schema with the rows that its tables and columns have room for."""
    with engine.begin() as connection:
        command.upgrade(config_for(connection), revision)
    meta = MetaData()
    meta.reflect(engine)
    with engine.begin() as connection:
        for table in meta.sorted_tables:
            for row in content.get(table.name, []):
                kept = {name: value for name, value in row.items() if name in table.columns}
                connection.execute(table.insert().values(kept))
    return rows_of(engine)


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


def found_by(content):
    """What lists and queues find samples by: of a schema that had none of it, filled in batch by batch."""
    answered = {(row["id"], row["model_version"]) for row in content["samples"] if row["tp"] is not None}
    return (
        {row["id"]: [row[name] for name in FILLED_IN] for row in content["samples"]},
        {(row["class_number"], row["sample_pk"]) for row in content["sample_classes"]},
        {
            (row["sample_pk"], row["is_right"])
            for row in content["sample_checks"]
            if (row["sample_pk"], row["version"]) in answered
        },
    )


def check_upgrade(url, engine, revision, source, content):
    assert all(content[name] for name in ("jobs", "samples", "labels", "rounds", "model_versions", "workers", "edges"))
    before = at_schema(engine, revision, content)
    db = Database(url)
    assert (fill_in(db) > 1) is (revision < "0015")
    after = rows_of(engine)
    for table, old in before.items():
        assert len(after[table]) == len(old), table
        names = set(old[0]) & {column["name"] for column in inspect(engine).get_columns(table)} if old else set()
        kept = [{name: row[name] for name in names} for row in after[table]]
        assert sorted(kept, key=repr) == sorted(({name: row[name] for name in names} for row in old), key=repr), table
    assert found_by(after) == found_by(content)
    with db.read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == head_revision()
        if db.dialect == "sqlite":
            assert session.execute(text("PRAGMA foreign_key_check")).all() == []
    assert seen(db) == seen(source)
    db.close()
    Database(url, migrate=False).close()  # a second start changes nothing


@pytest.mark.sqlite
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_filled_database_of_every_schema_keeps_all_it_has(filled, tmp_path, revision):
    there = create_engine(f"sqlite:///{filled.folder / 'gm.db'}")
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    check_upgrade(tmp_path / "old.db", engine, revision, filled.db, rows_of(there))
    there.dispose()
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_same_on_postgresql(filled, postgres_server, revision):
    source = postgres_server.database()
    there = create_engine(make_url(source).set(drivername="postgresql+psycopg"))
    fill(there, filled)
    url = postgres_server.empty()
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    db = Database(source)
    check_upgrade(url, engine, revision, db, rows_of(there))
    db.close()
    there.dispose()
    engine.dispose()


@pytest.mark.sqlite
def test_labels_of_before_say_where_they_come_from(filled, tmp_path):
    there = create_engine(f"sqlite:///{filled.folder / 'gm.db'}")
    content = rows_of(there)
    authors = {"oracle": "oracle", "dataset/stream": "import", "sedna repair": "import", "ann": "person"}
    content["labels"] = [row | {"author": who} for row, who in zip(content["labels"], authors, strict=False)]
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    at_schema(engine, "0014", content)
    db = Database(tmp_path / "old.db")
    fill_in(db)
    with db.read() as session:
        assert dict(session.execute(text("SELECT author, source FROM labels")).all()) == authors
    db.close()
    there.dispose()
    engine.dispose()


@pytest.mark.sqlite
def test_no_migration_writes_rows_that_grow_with_the_samples(filled, tmp_path):
    """Nobody could write meanwhile: what follows from rows that are there is filled in afterwards."""
    there = create_engine(f"sqlite:///{filled.folder / 'gm.db'}")
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    at_schema(engine, LAST_RELEASE, rows_of(there))
    written = []

    def note(_connection, _cursor, statement, _parameters, _context, _many):
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            written.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    with engine.begin() as connection:
        command.upgrade(config_for(connection), head_revision())
    assert written
    assert [statement for statement in written if "alembic_version" not in statement] == []
    there.dispose()
    engine.dispose()


def purge_like_a_program_of_before(db, engine_of_before, job_id):
    """By the tables that its schema has: it knows no others."""
    meta = MetaData()
    meta.reflect(engine_of_before)
    with db.write() as session:
        for table in reversed(meta.sorted_tables):
            if "job_id" in table.c:
                session.execute(table.delete().where(table.c.job_id == job_id))
        session.execute(text("DELETE FROM jobs WHERE id = :id"), {"id": job_id})


def rows_that_are_new(session, job_id):
    """One in every table that the release before does not know and that belongs to a sample."""
    of = {"job_id": job_id, "sample_pk": session.scalar(select(Sample.id).limit(1))}
    said = {"base_seq": 0, "seconds": 1.0, "undoes": 0, "body_sha256": "", "created_at": START}
    session.add_all(
        [
            LabelClaim(**of, person="ann"),
            LabelAnswer(**of, person="ann", kind="label", **said),
            LabelReview(**of, reason="unsure", sentence="", created_at=START),
            SamplePrediction(**of, source="teacher", version=1, prediction={}, created_at=START),
        ]
    )
    session.flush()


def check_purge(db, before):
    with db.write() as session:
        job_id = jobs.get(session, KEY).id
        rows_that_are_new(session, job_id)
    assert [table.name for table in NEW_TABLES if not rows_in(db, table)] == []
    at_schema(before, LAST_RELEASE, {})
    purge_like_a_program_of_before(db, before, job_id)
    assert [table.name for table in NEW_TABLES if rows_in(db, table)] == []


def rows_in(db, table):
    with db.read() as session:
        return session.execute(select(table)).all()


@pytest.mark.sqlite
def test_the_release_before_purges_a_job_while_it_still_runs(filled, tmp_path):
    """During a rolling upgrade, at the schema of now."""
    there = create_engine(f"sqlite:///{filled.folder / 'gm.db'}")
    engine = create_engine(f"sqlite:///{tmp_path / 'now.db'}")
    at_schema(engine, head_revision(), rows_of(there))
    before = create_engine(f"sqlite:///{tmp_path / 'before.db'}")
    db = Database(tmp_path / "now.db")
    check_purge(db, before)
    db.close()
    for one in (there, engine, before):
        one.dispose()


def test_it_does_so_on_postgresql(filled, postgres_server):
    url = postgres_server.database()
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    fill(engine, filled)
    before = create_engine(make_url(postgres_server.empty()).set(drivername="postgresql+psycopg"))
    db = Database(url)
    check_purge(db, before)
    db.close()
    engine.dispose()
    before.dispose()
