import json

import pytest

from fixtures_gm import BOX, KEY
from globalmanager.db import samples
from globalmanager.labelling import Oracle, label_sample
from sedna.common.errors import DataError, NotFoundError
from sedna.common.types import Annotation, Box, JobKey


@pytest.fixture
def three(world):
    """Three samples without labels."""
    world.apply()
    world.ids = world.samples(3, label=None)
    return world


def story(world, sample):
    with world.db.read() as session:
        return samples.story(session, world.job().id, sample)


def boxes(*corners, label=0):
    return Annotation(boxes=tuple(Box(x1=a, y1=b, x2=c, y2=d, label=label) for a, b, c, d in corners))


def test_one_sample_at_a_time_with_its_author(three):
    row = label_sample(three.db, KEY, three.ids[0], BOX, "ann", three.clock.now())
    assert (row.label.author, row.label.annotation) == ("ann", BOX)
    label_sample(three.db, KEY, three.ids[0], Annotation(), "bea", three.clock.now())
    assert [entry.author for entry in story(three, three.ids[0]).labels] == ["ann", "bea"]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (boxes((1, 1, 9, 5)), "x2 is 9.0, outside the image"),
        (boxes((1, 1, 5, 5), label=2), "class 2 is not known.*0 to 1: good, bad"),
        (Annotation(label=5), "class 5 is not known"),
    ],
)
def test_impossible_labels_are_refused(three, annotation, words):
    with pytest.raises(DataError, match=words):
        label_sample(three.db, KEY, three.ids[0], annotation, "ann", three.clock.now())
    assert story(three, three.ids[0]).labels == ()


def test_labels_need_a_job_and_a_sample(three):
    with pytest.raises(NotFoundError):
        label_sample(three.db, JobKey(name="other"), three.ids[0], BOX, "ann", three.clock.now())
    with pytest.raises(NotFoundError):
        label_sample(three.db, KEY, "0" * 64, BOX, "ann", three.clock.now())


def manifest(world, known):
    path = world.folder / "manifest.json"
    boards = [{"sha256": sample, "boxes": [[1, 1, 4, 4, 1]], "name": "x"} for sample in known]
    path.write_text(json.dumps({"boards": [*boards, {"name": "initial only"}], "seed": 1}))
    return path


def test_an_oracle_labels_what_it_knows_in_batches(three):
    oracle = Oracle.from_manifest(manifest(three, [three.ids[0], three.ids[2], "f" * 64]))
    assert oracle.label(three.db, KEY, three.clock.now(), limit=1) == 1
    assert oracle.label(three.db, KEY, three.clock.now()) == 1
    assert oracle.label(three.db, KEY, three.clock.now()) == 0
    assert story(three, three.ids[1]).labels == ()
    told = story(three, three.ids[2]).labels[0]
    assert (told.author, told.source) == ("oracle", "oracle")
    late = three.sample(label=None)
    assert Oracle({late: BOX}).label(three.db, KEY, three.clock.now()) == 1


@pytest.mark.parametrize(
    "content",
    ["{", '{"boards": [{"sha256": "xyz"}]}', '{"boards": [{"sha256": "%s", "boxes": [[5,5,1,1,0]]}]}' % ("a" * 64)],
)
def test_what_is_no_manifest_is_refused(tmp_path, content):
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(DataError, match="manifest"):
        Oracle.from_manifest(tmp_path / "m.json")
    with pytest.raises(NotFoundError):
        Oracle.from_manifest(tmp_path / "none.json")
