"""Whatever several people do in whatever order: never more answers than wanted, none lost, none used twice."""

from collections import Counter
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy import select

from fixtures_gm import KEY, new_world
from fixtures_people import LEASE, RIGHT, People, drawn
from globalmanager.db import jobs, samples
from globalmanager.db.label_tables import LabelAnswer, LabelClaim, LabelReview
from globalmanager.db.tables import Label, Sample
from globalmanager.labelling.reviewing import Decision, decide_review
from sedna.common.errors import ConflictError

NAMES = ("ann", "ben", "cid", "dan")
SAYS = (
    (RIGHT, "boxes"), (drawn(1, 1, 5, 4.5), "boxes"), (drawn(6, 6, 8, 8, label=1), "boxes"), (None, "nothing"),
    (None, "unsure"), (None, "bad"),
)  # fmt: skip


class Labelling(RuleBasedStateMachine):
    """A job that asks for two answers, three samples, four people."""

    given = Bundle("given")

    @initialize(annotators=st.sampled_from([1, 2, 3]))
    def begin(self, annotators):
        self.held = new_world()
        self.annotators = annotators
        self.people = People(self.held.__enter__(), annotators=annotators)
        self.ids = [self.people.sample() for _ in range(3)]
        self.said = []

    def teardown(self):
        if hasattr(self, "held"):
            self.held.__exit__(None, None, None)

    @rule(person=st.sampled_from(NAMES), limit=st.integers(1, 3))
    def claim(self, person, limit):
        found = self.people.claim(person, limit)
        assert len(set(found)) == len(found) <= limit

    @rule(target=given, person=st.sampled_from(NAMES), place=st.integers(0, 2), says=st.sampled_from(SAYS))
    def answer(self, person, place, says):
        annotation, kind = says
        try:
            done = self.people.answer(person, self.ids[place], annotation, kind)
        except ConflictError:
            return multiple()
        self.said.append(done.answer_id)
        return (person, done.answer_id)

    @rule(person=st.sampled_from(NAMES), place=st.integers(0, 2), skip=st.booleans())
    def give_back(self, person, place, skip):
        (self.people.skip if skip else self.people.give_back)(person, self.ids[place])

    @rule(person=st.sampled_from(NAMES), place=st.integers(0, 2))
    def draft(self, person, place):
        try:
            self.people.draft(person, self.ids[place], kind="nothing")
        except ConflictError:
            return

    @rule(what=consumes(given))
    def withdraw(self, what):
        person, answer_id = what
        try:
            self.people.withdraw(person, answer_id)
        except ConflictError:
            return
        self.said.remove(answer_id)

    @rule(seconds=st.sampled_from([1, LEASE // 2, LEASE + 1]))
    def time_passes(self, seconds):
        self.people.world.clock.advance(seconds)

    @rule(place=st.integers(0, 2))
    def decide(self, place):
        said = Decision(annotation=RIGHT, base_revision=0)
        try:
            decide_review(self.people.world.db, KEY, self.ids[place], "eve", said, self.people.now)
        except ConflictError:
            return

    @invariant()
    def what_must_always_be_true(self):
        if not hasattr(self, "held"):
            return
        with self.people.world.db.read() as session:
            rows = list(session.scalars(select(Sample)))
            answers = list(session.scalars(select(LabelAnswer)))
            claims = list(session.scalars(select(LabelClaim).where(LabelClaim.expires_at > self.people.now)))
            labels = list(session.scalars(select(Label)))
            in_review = set(session.scalars(select(LabelReview.sample_pk)))
            job = jobs.get(session, KEY)
            unused = samples.counts(session, job.id)
        open_for = Counter(answer.open_for for answer in answers if answer.open_for is not None)
        for row in rows:
            assert row.answers == open_for[row.id]
            live = sum(claim.sample_pk == row.id and claim.base_seq == (row.label_seq or 0) for claim in claims)
            if row.label_seq is None and row.label_state is None:
                assert open_for[row.id] + live <= self.annotators
                assert open_for[row.id] < self.annotators, "all its answers, and nothing came of it"
            assert (row.label_state == "review") == (row.id in in_review)
            assert row.excluded == (row.label_state == "bad")
            assert (row.label_seq is None) == (row.labelled_at is None)
        # Nothing that was said is lost, and each answer has led to one label at most.
        assert {answer.id for answer in answers if answer.withdrawn_at is None} == set(self.said)
        counted = {label.seq: label for label in labels if label.withdrawn_at is None}
        assert {row.label_seq for row in rows if row.label_seq is not None} == set(counted)
        for seq, label in counted.items():
            led = [answer for answer in answers if answer.label_seq == seq]
            assert len(led) == (0 if label.source == "review" else self.annotators)
            assert all(answer.open_for is None and answer.withdrawn_at is None for answer in led)
        labelled = [row for row in rows if row.labelled_at is not None and not row.excluded]
        assert job.totals.labelled == len(labelled) == unused.train_new + unused.eval_new


Labelling.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=timedelta(minutes=1),
    suppress_health_check=[HealthCheck.too_slow], derandomize=True,
)  # fmt: skip
TestLabelling = Labelling.TestCase
