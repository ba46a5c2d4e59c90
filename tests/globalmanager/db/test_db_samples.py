import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from fixtures_gm import BOX, new_world, png, record_of
from globalmanager.db import datasets, pool, sample_labels, samples
from globalmanager.db.values import SampleFilter
from sedna.common.errors import NotFoundError, SpecError
from sedna.common.types import Annotation, Picked
from sedna.loop.split import part_of


@pytest.fixture
def job(world):
    world.apply()
    return world.job()


def add(world, job, number, **options):
    with world.db.write() as session:
        record = record_of(png(number))
        samples.insert(session, job.id, record, world.clock.now(), **options)
        return record.sample_id


def label(world, job, sample, annotation=BOX, author="ann"):
    with world.db.write() as session:
        return sample_labels.add_label(session, job.id, sample, annotation, author, world.clock.now())


def test_a_sample_is_one_row_by_its_content(world, job):
    first = add(world, job, 1)
    with world.db.write() as session:
        assert not samples.insert(session, job.id, record_of(png(1)), world.clock.now(), holdout=True)
        assert samples.get(session, job.id, first).part is None
    assert world.job().totals.samples == 1


def test_parts_follow_the_order_of_labelling_and_stay(world, job):
    ids = [add(world, job, number) for number in range(10)]
    for sample in reversed(ids):
        label(world, job, sample)
    parts = {}
    with world.db.read() as session:
        for ordinal, sample in enumerate(reversed(ids)):
            parts[sample] = samples.get(session, job.id, sample).part
            assert parts[sample] == part_of(ordinal, 0.5)
    relabelled = label(world, job, ids[0], Annotation(label=1), "bea")
    assert relabelled.part == parts[ids[0]]
    assert relabelled.label.author == "bea"
    totals = world.job().totals
    assert (totals.train, totals.eval, totals.unlabelled) == (5, 5, 0)


def test_hold_out_samples_take_no_ordinal(world, job):
    held = add(world, job, 1, holdout=True)
    assert label(world, job, held).part == "holdout"
    assert label(world, job, add(world, job, 2)).part == part_of(0, 0.5)
    assert world.job().totals.holdout == 1


def test_the_same_statement_twice_is_one_label(world, job):
    sample = add(world, job, 1)
    label(world, job, sample)
    label(world, job, sample, author="bea")
    with world.db.read() as session:
        assert [entry.author for entry in samples.story(session, job.id, sample).labels] == ["ann"]


def test_a_round_takes_a_sample_once_and_may_give_it_back(world, job):
    for number in range(4):
        label(world, job, add(world, job, number))
    add(world, job, 99)
    with world.db.write() as session:
        assert samples.take_new(session, job.id, 1) == 4
        assert samples.take_new(session, job.id, 2) == 0
        assert samples.counts(session, job.id).train_new == 0
        assert samples.release(session, job.id, 1) == 4
        counts = samples.counts(session, job.id)
    assert (counts.train_new, counts.eval_new, counts.train_total, counts.unlabelled) == (2, 2, 2, 1)
    assert counts.oldest_new_at == world.clock.now()


def test_a_dataset_version_is_fixed_by_its_newest_label(world, job):
    ids = [add(world, job, number) for number in range(4)]
    for sample in ids[:3]:
        label(world, job, sample)
    with world.db.write() as session:
        version = datasets.create(session, job.id, 1, samples.take_new(session, job.id, 1), world.clock.now())
    label(world, job, ids[3])
    label(world, job, ids[0], Annotation())
    with world.db.read() as session:
        members = {member.sample_id: member for member in datasets.members(session, job.id, version.label_seq)}
        now = list(datasets.members(session, job.id, version.label_seq + 2))
    assert set(members) == set(ids[:3])
    assert members[ids[0]].annotation == BOX
    assert len(now) == 4
    assert now[0].annotation == Annotation()
    train = sum(part_of(ordinal, 0.5) == "train" for ordinal in range(3))
    assert (version.version, version.parent, version.train, version.eval, version.new) == (1, None, train, 3 - train, 3)


def test_pages_hold_everything_once_in_order(world, job):
    ids = [add(world, job, number) for number in range(7)]
    for sample in ids[::2]:
        label(world, job, sample)

    def walk(**options):
        cursor, seen = None, []
        while True:
            with world.db.read() as session:
                page = samples.list_page(session, job.id, limit=2, cursor=cursor, **options)
            seen += [row.record.sample_id for row in page.items]
            cursor = page.next
            if cursor is None:
                return seen

    trained = [sample for ordinal, sample in enumerate(ids[::2]) if part_of(ordinal, 0.5) == "train"]
    assert walk(newest_first=False) == ids
    assert walk() == ids[::-1]
    assert walk(wanted=SampleFilter(labelled=True), newest_first=False) == ids[::2]
    assert walk(wanted=SampleFilter(labelled=False), newest_first=False) == ids[1::2]
    assert walk(wanted=SampleFilter(picked=Picked.AUDIT)) == []
    assert walk(wanted=SampleFilter(edge="edge-1", part="train"), newest_first=False) == trained


@pytest.mark.parametrize(("limit", "cursor"), [(0, None), (1001, None), (5, "x"), (5, "-1"), (5, "9" * 30)])
def test_impossible_pages_are_refused(world, job, limit, cursor):
    with world.db.read() as session, pytest.raises(SpecError):
        samples.list_page(session, job.id, limit=limit, cursor=cursor)


def test_unknown_samples(world, job):
    with world.db.read() as session:
        for ask in (samples.get, samples.story):
            with pytest.raises(NotFoundError, match="no such sample"):
                ask(session, job.id, "0" * 64)
    with pytest.raises(NotFoundError):
        label(world, job, "0" * 64)


steps = st.lists(
    st.tuples(st.sampled_from(["add", "holdout", "label", "take", "release"]), st.integers(0, 7)), max_size=40
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps)
def test_counters_always_agree_with_the_rows(steps):
    with new_world() as world:
        world.apply()
        job = world.job()
        number = 0
        with world.db.write() as session:
            for what, which in steps:
                record = record_of(png(which))
                if what in ("add", "holdout"):
                    samples.insert(session, job.id, record, world.clock.now(), holdout=what == "holdout")
                elif what == "label" and samples.exists(session, job.id, record.sample_id):
                    sample_labels.add_label(
                        session, job.id, record.sample_id, Annotation(label=which), "x", world.clock.now()
                    )
                elif what == "take":
                    number += 1
                    samples.take_new(session, job.id, number)
                elif what == "release":
                    samples.release(session, job.id, number)
        with world.db.read() as session:
            rows = samples.list_page(session, job.id, limit=100).items
            counts = samples.counts(session, job.id)
        totals = world.job().totals
        assert totals.samples == len(rows)
        for part in ("train", "eval", "holdout"):
            assert getattr(totals, part) == sum(row.part == part and row.label is not None for row in rows)
        for part, found in (("train", counts.train_new), ("eval", counts.eval_new)):
            assert found == sum(row.part == part and row.label is not None and row.round_used is None for row in rows)
        ordinals = sorted((row.labelled_at, row.id) for row in rows if row.part in ("train", "eval"))
        assert totals.train == sum(part_of(ordinal, 0.5) == "train" for ordinal in range(len(ordinals)))


QUESTIONS = {
    "counts": samples.counts,
    "audit": lambda s, job: samples.audit(s, job, 3, 1000),
    "one sample": lambda s, job: samples.exists(s, job, "x"),
    "release": lambda s, job: samples.release(s, job, 3),
    "take": lambda s, job: samples.take_new(s, job, 3),
    "unlabelled": lambda s, job: samples.list_page(s, job, SampleFilter(labelled=False)),
    "the unlabelled pool": lambda s, job: pool.newest(s, job, 100),
    "a part": lambda s, job: samples.list_page(s, job, SampleFilter(part="train")),
    "hard ones": lambda s, job: samples.list_page(s, job, SampleFilter(picked=Picked.HARD)),
    "all": samples.list_page,
    "by source": lambda s, job: samples.by_source(s, job, ["a.png"]),
}


@pytest.mark.sqlite
@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_no_question_reads_the_whole_table(world, job, ask):
    """Asks SQLite how it would answer the very statements that are sent, with 20,000 samples in the table."""
    with world.db.write() as session:
        samples.insert(session, job.id, record_of(png(1)), world.clock.now())
        session.execute(text(MANY))
        sent = []
        event.listen(session.connection(), "before_cursor_execute", lambda *args: sent.append(args[2:4]))
        ask(session, job.id)
        plans = []
        for statement, parameters in sent[:]:
            rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            plans += [str(row[3]) for row in rows]
    of_samples = [plan for plan in plans if "samples" in plan]
    assert of_samples
    assert all("SEARCH" in plan for plan in of_samples)
    assert not any("TEMP B-TREE FOR ORDER BY" in plan for plan in plans)
    unbounded = [plan for plan in of_samples if plan.endswith("(job_id=?)") and "ix_samples_page" not in plan]
    assert all("ix_samples_unlabelled" in plan or "ix_samples_new" in plan for plan in unbounded)


@pytest.mark.postgresql
@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_postgresql_needs_no_look_at_the_whole_table_either(world, job, ask):
    """As above. Here the statistics decide: the samples are of many jobs, as where a table is worth an index."""
    with world.db.write() as session:
        samples.insert(session, job.id, record_of(png(1)), world.clock.now())
        session.execute(text(MANY_ON_POSTGRESQL))
        session.execute(text("ANALYZE samples"))
        sent = []
        event.listen(session.connection(), "before_cursor_execute", lambda *args: sent.append(args[2:4]))
        ask(session, job.id)
        plans = []
        for statement, parameters in sent[:]:
            rows = session.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters).all()
            plans.append("\n".join(str(row[0]) for row in rows))
    of_samples = [plan for plan in plans if "samples" in plan]
    assert of_samples
    for plan in of_samples:
        assert "Seq Scan on samples" not in plan, plan
        assert "Index" in plan, plan


MANY_ON_POSTGRESQL = """
WITH made AS (
    INSERT INTO jobs (namespace, name, spec, meta, generation, state, seq, label_seq, next_ordinal, next_model,
                      next_dataset, samples, train_total, eval_total, holdout_total, created_at, updated_at)
    SELECT 'x', 'j' || k, spec, meta, 1, state, 0, 0, 0, 1, 1, 0, 0, 0, 0, created_at, updated_at
    FROM jobs, generate_series(1, 9) k RETURNING id),
known AS (SELECT id FROM made UNION ALL SELECT min(id) FROM jobs)
INSERT INTO samples (job_id, sample_id, record, extension, picked, edge, model_version, received_at, label_seq,
                     labelled_at, ordinal, part, round_used)
SELECT known.id, lpad(i::text, 64, '0'), (SELECT record FROM samples), 'png', 'hard', 'e', 1, '2026-01-01Z',
       i, '2026-01-01Z', i, CASE i % 2 WHEN 0 THEN 'train' ELSE 'eval' END, 1 + i / 100
FROM known, generate_series(10, 3000) i
"""


MANY = """
WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO samples (job_id, sample_id, record, extension, picked, edge, model_version, received_at, label_seq,
                     labelled_at, ordinal, part, round_used)
SELECT 1, printf('%064d', i), (SELECT record FROM samples), 'png', 'hard', 'e', 1, '2026-01-01 00:00:00', NULL,
       NULL, i, CASE i % 2 WHEN 0 THEN 'train' ELSE 'eval' END, 1 + i / 1000 FROM n
"""


def test_any_number_of_file_names_can_be_looked_up(world, job):
    """A label file may name more images than a database takes parameters for."""
    for number in range(3):
        add(world, job, number, source=f"{number}.png")
    with world.db.read() as session:
        sent = []
        event.listen(session.connection(), "before_cursor_execute", lambda *args: sent.append(len(args[3])))
        found = samples.by_source(session, job.id, [f"{number}.png" for number in range(4000)])
    assert len(found) == 3
    assert max(sent) < 999  # the smallest limit in use, that of old SQLite builds


def test_the_cost_of_a_sample_does_not_grow(world, job):
    """Counted in rows touched, not in seconds: the plans above say which rows, this says that nothing else is done."""
    with world.db.write() as session:
        statements = []
        event.listen(session.connection(), "before_cursor_execute", lambda *args: statements.append(args[2]))
        costs = []
        for number in range(50):
            del statements[:]
            record = record_of(png(number))
            samples.insert(session, job.id, record, world.clock.now())
            sample_labels.add_label(session, job.id, record.sample_id, BOX, "ann", world.clock.now())
            costs.append(len(statements))
    assert len(set(costs[1:])) == 1
