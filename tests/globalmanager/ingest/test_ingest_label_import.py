import json

import pytest

from fixtures_gm import KEY, job_spec
from globalmanager.db import samples
from globalmanager.ingest import ImportWish, import_labels
from globalmanager.labelling import label_sample
from sedna.common.errors import ConflictError, DataError
from sedna.common.types import Annotation, Box


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


def imported(world, text, mode="strict", fmt="txt", *, holdout=False):
    data = text if isinstance(text, bytes) else text.encode()
    wish = ImportWish(label_format=fmt, mode=mode, author="cvat", holdout=holdout)
    return import_labels(world.db, KEY, data, wish, world.clock.now())


def test_a_txt_file_by_sample_id(three):
    a, b, _ = three.ids
    report = imported(three, f"{a}.png 1,1,5,5,0 2,2,6,6,1\n\nsome/folder/{b}.jpg\n")
    assert (report.labelled, report.unchanged, report.unknown, report.problems) == (2, 0, (), ())
    assert len(story(three, a).sample.label.annotation.boxes) == 2
    assert story(three, b).sample.label.annotation == Annotation()
    assert story(three, a).labels[0].author == "cvat"
    again = imported(three, f"{a}.png 1,1,5,5,0 2,2,6,6,1\n")
    assert (again.labelled, again.unchanged) == (0, 1)
    assert len(story(three, a).labels) == 1


def test_a_coco_file_by_the_name_of_import(three):
    from fixtures_gm import png

    (three.folder / "board.png").write_bytes(png(500))
    (three.folder / "stream.txt").write_text("board.png\n")
    three.tick(2)
    coco = {
        "images": [{"id": 1, "file_name": "board.png", "width": 8, "height": 8}],
        "categories": [{"id": 3, "name": "bad"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 2, 2]}],
    }
    assert imported(three, json.dumps(coco), fmt="coco").labelled == 1
    coco["images"][0]["width"] = 9
    with pytest.raises(DataError, match="says the image is 9 x 8, it is 8 x 8"):
        imported(three, json.dumps(coco), fmt="coco")


STRICT = [
    ("no.png 1,1,5,5,0", "no image no.png"),
    ("{a}.png 1,1,9,5,0", "outside the image"),
    ("{a}.png 1,1,5,5,7", "class 7"),
    ("{a}.png 1,1,5", "is no box"),
    ("{a}.png 1,1,5,5,1000000000000", "label 1000000000000 is too large"),
    ("{a}.png 1,1,5,5,0\n{a}.png 2,2,6,6,0", "says something else"),
]


@pytest.mark.parametrize(("bad", "words"), STRICT)
def test_strict_takes_everything_or_nothing(three, bad, words):
    a, b, _ = three.ids
    with pytest.raises(DataError, match=words) as caught:
        imported(three, f"{b}.png 1,1,5,5,0\n{bad.format(a=a)}\n")
    assert "nothing was stored" in str(caught.value)
    assert story(three, b).labels == ()


def test_a_refused_file_is_told_everything_that_is_wrong_with_it(three):
    a, _, _ = three.ids
    with pytest.raises(DataError) as caught:
        imported(three, f"no.png 1,1,5,5,0\n{a}.png 1,1\n")
    assert "is no box" in str(caught.value)
    assert "the job has no image no.png" in str(caught.value)


@pytest.mark.parametrize(("bad", "words"), STRICT)
def test_clip_takes_what_is_usable_and_reports_the_rest(three, bad, words):
    a, b, _ = three.ids
    report = imported(three, f"{b}.png 1,1,5,5,0\n{bad.format(a=a)}\n", mode="clip")
    assert story(three, b).labels != ()
    assert report.unknown or report.problems
    if "outside" in words:
        assert story(three, a).sample.label.annotation == boxes((1, 1, 8, 5))


def coco(annotations, name="{a}.png", **changes):
    content = {
        "images": [{"id": 1, "file_name": name, "width": 8, "height": 8}],
        "categories": [{"id": 1, "name": "good"}, {"id": 2, "name": "ugly"}],
        "annotations": annotations,
        **changes,
    }
    return json.dumps(content)


GOOD = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4]}


@pytest.mark.parametrize(
    "name",
    [
        "{id}.png",
        "images\\{id}.png",
        "..\\..\\media\\upload\\4\\cb0618f6-{id}.png",
        "../../upload/4/cb0618f6-{id}.png",
        "{id}_png.rf.0123456789abcdef0123456789abcdef.jpg",
        "{ID}.PNG",
        "http://tool:8080/data/upload/4/{id}.png?token=a/b.png",
    ],
)
def test_a_sample_is_found_by_its_id_as_tools_spell_it(three, name):
    a = three.ids[0]
    spelt = name.format(id=a, ID=a.upper())
    assert imported(three, coco([GOOD], spelt), fmt="coco").labelled == 1
    assert imported(three, json.dumps({"x": spelt, "y": [[1, 1, 5, 5, 0]]}), fmt="jsonl").unchanged == 1


def test_a_name_with_two_ids_is_nobodys_guess(three):
    a, b, _ = three.ids
    with pytest.raises(DataError, match="names 2 samples"):
        imported(three, f"{a}-{b}.png 1,1,5,5,0\n")


def test_clip_counts_what_was_taken_skipped_and_refused(three):
    a, b, c = three.ids
    file = coco(
        [
            GOOD,
            {**GOOD, "id": 2, "bbox": [4, 4, 9, 2]},
            {**GOOD, "id": 3, "iscrowd": 1},
            {**GOOD, "id": 4, "category_id": 2},
            {**GOOD, "id": 5, "bbox": []},
            {**GOOD, "id": 6, "image_id": 2, "iscrowd": 1},
            {**GOOD, "id": 7, "image_id": 3, "bbox": [20, 20, 5, 5]},
            {**GOOD, "id": 8, "image_id": 77},
            {**GOOD, "id": 9, "image_id": 4},
        ],
        images=[
            {"id": number, "file_name": f"{name}.png", "width": 8, "height": 8}
            for number, name in enumerate((a, b, c, "stranger"), start=1)
        ],
    )
    report = imported(three, file, mode="clip", fmt="coco")
    assert (report.labelled, report.unchanged, report.unknown) == (1, 0, ("stranger.png",))
    assert report.pictures.model_dump() == {"taken": 1, "skipped": 1, "refused": 2}
    assert report.annotations.model_dump() == {"taken": 2, "skipped": 2, "refused": 5}
    told = "\n".join(report.problems)
    for words in (
        "annotation 4: category 2 'ugly' is not among the classes of the job (the classes are good, bad; rename it",
        "annotation 5: bbox is []",
        "annotation 7: [20, 20, 25, 25] has no area inside the image",
        f"{c}.png: nothing of it is usable, so the picture stays as it was",
        "annotation 8: image 77 is not in the file",
        "annotation 2: cut at the edge of the image",
    ):
        assert words in told
    assert [text.split(": ", 1)[1] for text in report.skipped] == [
        "annotation 3: iscrowd, a region over many things and no box around one",
        "annotation 6: iscrowd, a region over many things and no box around one",
        f"{b}.png: nothing of it is usable, so the picture stays as it was",
    ]
    assert story(three, a).sample.label.annotation == boxes((1, 1, 5, 5), (4, 4, 8, 6))
    assert [story(three, name).sample.label for name in (b, c)] == [None, None], "and nothing became empty"
    [event] = three.events("LabelsImported")
    assert event.message.endswith("; 2 pictures were refused, 1 skipped")
    assert event.data["annotations"] == {"taken": 2, "skipped": 2, "refused": 5}


def test_a_label_stays_where_a_file_has_only_what_is_skipped(three):
    a = three.ids[0]
    imported(three, f"{a}.png 1,1,5,5,0\n")
    report = imported(three, coco([{**GOOD, "iscrowd": 1}], f"{a}.png"), fmt="coco")
    assert (report.labelled, report.unchanged, report.pictures.skipped) == (0, 0, 1)
    assert story(three, a).sample.label.annotation == boxes((1, 1, 5, 5))


@pytest.mark.parametrize(
    ("fmt", "text"),
    [
        ("txt", "{a}.png 0.1,0.2,0.3,0.4,0 0.5,0.5,1,1,1"),
        ("csv", 'x,y\n{a}.png,"0.1,0.2,0.3,0.4,0"'),
        ("jsonl", '{{"x": "{a}", "y": [[0, 0, 0.5, 0.5, 0]]}}'),
    ],
)
def test_fractions_in_a_format_of_pixels_are_refused_and_label_nothing(three, fmt, text):
    a = three.ids[0]
    report = imported(three, text.format(a=a), mode="clip", fmt=fmt)
    assert (report.labelled, report.pictures.refused) == (0, 1)
    assert "they are fractions of the image, and pixels are wanted (multiply x by the width of 8" in report.problems[0]
    assert story(three, a).labels == ()


class TestHoldout:
    """Of three samples, the first two are frozen hold-out, and one of these has a label."""

    @pytest.fixture
    def frozen(self, three):
        with three.db.write() as session:
            for name in three.ids[:2]:
                assert samples.hold_out(session, three.job().id, name)
        imported(three, f"{three.ids[0]}.png 1,1,5,5,0\n")
        return three

    def test_a_first_label_and_the_same_label_go_in(self, frozen):
        a, b, _ = frozen.ids
        report = imported(frozen, f"{a}.png 1,1,5,5,0\n{b}.png 1,1,5,5,0\n")
        assert (report.labelled, report.unchanged, report.holdout_changed) == (1, 1, 0)

    def test_another_label_goes_in_only_where_that_is_asked_for(self, frozen):
        a, _, c = frozen.ids
        text = f"{a}.png\n{c}.png 1,1,5,5,0\n"
        with pytest.raises(DataError, match=r"line 1: it is frozen hold-out and has another label.*nothing was stored"):
            imported(frozen, text)
        report = imported(frozen, text, mode="clip")
        assert (report.labelled, report.pictures.refused) == (1, 1)
        assert story(frozen, a).sample.label.annotation == boxes((1, 1, 5, 5))
        assert frozen.events("HoldoutRelabelled") == []
        report = imported(frozen, text, holdout=True)
        assert (report.labelled, report.unchanged, report.holdout_changed) == (1, 1, 1)
        first, second = story(frozen, a).labels
        assert (first.author, second.author, second.annotation) == ("cvat", "cvat", Annotation())
        assert second.created_at == frozen.clock.now()
        [event] = frozen.events("HoldoutRelabelled")
        assert event.data == {"labels": 1, "author": "cvat"}

    def test_rounds_that_used_the_earlier_label_are_marked(self, frozen):
        a, b, _ = frozen.ids
        frozen.samples(8)
        frozen.until(lambda job: job.state.history != ())
        assert frozen.round(1).holdout_changes == 0
        imported(frozen, f"{b}.png 1,1,5,5,0\n")
        assert frozen.round(1).holdout_changes == 0, "round 1 did not know it"
        imported(frozen, f"{b}.png\n", holdout=True)
        assert frozen.round(1).holdout_changes == 0
        imported(frozen, f"{a}.png 1,1,6,6,0\n", holdout=True)
        row = frozen.round(1)
        assert (row.holdout_changes, row.holdout_changed_by) == (1, "cvat")
        assert row.holdout_changed_at == frozen.clock.now()

    def test_a_person_is_asked_as_well(self, frozen):
        a = frozen.ids[0]
        with pytest.raises(DataError, match="frozen hold-out"):
            label_sample(frozen.db, KEY, a, Annotation(), "ann", frozen.clock.now())
        label_sample(frozen.db, KEY, a, Annotation(), "ann", frozen.clock.now(), holdout=True)
        assert story(frozen, a).labels[-1].author == "ann"
        assert len(frozen.events("HoldoutRelabelled")) == 1


class TestClassesOfAJobWithoutClassNames:
    @pytest.fixture
    def nameless(self, world):
        spec = job_spec()
        del spec["classNames"]
        world.apply(spec)
        world.ids = world.samples(3, label=None)
        return world

    def test_the_first_file_gives_the_numbers_and_later_ones_are_mapped_by_name(self, nameless):
        a, b, c = nameless.ids
        first = coco([GOOD, {**GOOD, "id": 2, "category_id": 2}], f"{a}.png")
        report = imported(nameless, first, fmt="coco")
        assert report.class_names == ("good", "ugly")
        swapped = [{"id": 1, "name": "ugly"}, {"id": 2, "name": "new"}, {"id": 3, "name": "good"}]
        report = imported(
            nameless, coco([GOOD, {**GOOD, "id": 2, "category_id": 3}], f"{b}.png", categories=swapped), fmt="coco"
        )
        assert report.class_names == ("good", "ugly", "new")
        assert [box.label for box in story(nameless, b).sample.label.annotation.boxes] == [1, 0]
        voc = f"<annotation><filename>{c}.png</filename><size><width>8</width><height>8</height></size><object>"
        voc += "<name>ugly</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>"
        imported(nameless, f"{voc}</annotation>", fmt="voc")
        assert [box.label for box in story(nameless, c).sample.label.annotation.boxes] == [1]
        assert nameless.job().class_names == ("good", "ugly", "new")

    def test_a_refused_file_names_no_classes(self, nameless):
        with pytest.raises(DataError):
            imported(nameless, coco([GOOD], "stranger.png"), fmt="coco")
        assert nameless.job().found_classes == ()

    def test_names_do_not_renumber_labels_that_are_there(self, nameless):
        a, b, _ = nameless.ids
        imported(nameless, f"{a}.png 1,1,5,5,1\n")
        with pytest.raises(DataError, match=r"labels are numbers, and this file names classes.*classNames.*good, ugly"):
            imported(nameless, coco([GOOD], f"{b}.png"), fmt="coco")
        assert nameless.job().found_classes == ()
        imported(nameless, f"{b}.png 1,1,5,5,0\n")

    def test_names_that_come_later_must_fit_what_was_labelled(self, nameless):
        imported(nameless, coco([GOOD], f"{nameless.ids[0]}.png"), fmt="coco")
        spec = job_spec()
        with pytest.raises(ConflictError, match="labelled for the classes good, ugly"):
            nameless.apply(spec)
        del spec["classNames"]
        nameless.apply(spec)
        nameless.apply({**spec, "classNames": ["good", "ugly", "more"]})
        assert nameless.job().class_names == ("good", "ugly", "more")


def test_a_class_of_the_whole_image_replaces_no_boxes(three):
    a, b, _ = three.ids
    imported(three, f"{a}.png 1,1,5,5,0\n")
    with pytest.raises(DataError, match=r"the job.s labels are boxes, and this is a class of the whole image .--box"):
        label_sample(three.db, KEY, a, Annotation(label=1), "ann", three.clock.now())
    report = imported(three, f"{a}.png 1\n{b}.png 1\n", mode="clip")
    assert (report.labelled, report.pictures.refused, report.annotations.refused) == (0, 2, 2)
    label_sample(three.db, KEY, b, Annotation(), "ann", three.clock.now())
    assert story(three, a).sample.label.annotation == boxes((1, 1, 5, 5))


def test_an_image_without_anything_takes_no_class_away(three):
    a, b, c = three.ids
    for sample in (a, b):
        label_sample(three.db, KEY, sample, Annotation(label=1), "ann", three.clock.now())
    with pytest.raises(DataError, match=r"classes of whole images, and this one names none.*--class"):
        imported(three, f"{a}.png\n")
    report = imported(three, f"{a}.png\n{c}.png 1\n", mode="clip")
    assert (report.labelled, report.pictures.refused) == (1, 1)
    assert story(three, a).sample.label.annotation == Annotation(label=1)
    with pytest.raises(DataError, match="names none"):
        label_sample(three.db, KEY, b, Annotation(), "ann", three.clock.now())


def test_boxes_replace_no_class_of_the_whole_image(three):
    a, b, _ = three.ids
    imported(three, f"{a}.png 1\n")
    with pytest.raises(DataError, match="classes of whole images, and these are boxes"):
        label_sample(three.db, KEY, b, boxes((1, 1, 5, 5)), "ann", three.clock.now())


@pytest.mark.parametrize(("algorithm", "wrong"), [("FPN", Annotation(label=1)), ("EdgeHML", boxes((1, 1, 5, 5)))])
def test_the_algorithm_says_what_the_labels_are_before_there_are_any(world, algorithm, wrong):
    world.apply(job_spec(algorithm={"name": algorithm}))
    name = world.sample(label=None)
    with pytest.raises(DataError, match="the job's labels are"):
        label_sample(world.db, KEY, name, wrong, "ann", world.clock.now())
