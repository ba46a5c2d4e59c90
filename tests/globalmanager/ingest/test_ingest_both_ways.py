"""The watched Dataset and the import read the same formats, and the same labels come of it."""

import json

import pytest

from fixtures_gm import KEY, job_spec, new_world, png, record_of
from fixtures_labels import DETECTION_ONLY, files_of, lay_out, zipped
from globalmanager.db import samples
from globalmanager.db.values import SampleFilter
from globalmanager.ingest import ImportWish, accept_sample, import_labels
from sedna.common.label_format import LabelFormat
from sedna.common.types import Annotation, Box, sample_id
from sedna.labels import LabelledImage, LabelSet
from sedna.labels.reading import is_one_file

CLASSES = ("good", "bad")


def wish(label_format, mode="strict"):
    return ImportWish(label_format=label_format, mode=mode, author="tool")


def labels_for(label_format):
    """Of four images that are named by sample id; the classes stand in another order than the job's."""
    boxes = [(Box(x1=1, y1=1, x2=5, y2=5, label=0),), (), (Box(x1=0, y1=2, x2=8, y2=8, label=1),) * 2]
    shown = [Annotation(boxes=these) for these in boxes]
    shown.append(Annotation() if label_format in DETECTION_ONLY else Annotation(label=1))
    images = [
        LabelledImage(file_name=f"{sample_id(png(number))}.png", width=8, height=8, annotation=annotation)
        for number, annotation in enumerate(shown)
    ]
    return LabelSet(class_names=CLASSES, items=tuple(images))


def swapped(labels):
    """The same labels in a file whose classes stand in another order."""
    items = [
        item.model_copy(
            update={
                "annotation": item.annotation.model_copy(
                    update={
                        "boxes": tuple(box.model_copy(update={"label": 1 - box.label}) for box in item.annotation.boxes)
                    }
                )
            }
        )
        for item in labels.items
    ]
    return LabelSet(class_names=CLASSES[::-1], items=tuple(items))


def shown(world):
    with world.db.read() as session:
        page = samples.list_page(session, world.job().id, SampleFilter(labelled=True), limit=100)
    return {row.record.sample_id: row.label.annotation for row in page.items}


def watched(world, files, label_format):
    root = world.folder / "set"
    lay_out(root, files)
    pictures = root / "images" if label_format is LabelFormat.YOLO else root
    pictures.mkdir(exist_ok=True)
    for number in range(4):
        (pictures / f"{sample_id(png(number))}.png").write_bytes(png(number))
    url = root / next(iter(files)) if is_one_file(label_format) else root
    world.apply(job_spec(), url=str(url), format=label_format.value)
    world.tick(3)
    assert world.events("DatasetProblem") == []
    assert world.job().degraded is None
    return shown(world)


def imported(world, data, label_format):
    world.apply()
    for number in range(4):
        accept_sample(world.db, world.store, record_of(png(number)), png(number), world.clock.now())
    report = import_labels(world.db, KEY, data, wish(label_format), world.clock.now())
    assert (report.labelled, report.unknown, report.problems) == (4, (), ())
    return shown(world)


@pytest.mark.parametrize("label_format", LabelFormat)
def test_both_ways_give_the_same_labels(label_format):
    labels = labels_for(label_format)
    by_name = label_format in DETECTION_ONLY
    files = files_of(swapped(labels) if by_name else labels, label_format)
    expected = {item.file_name.removesuffix(".png"): item.annotation for item in labels.items}
    with new_world() as world:
        assert watched(world, files, label_format) == expected
    with new_world() as world:
        assert imported(world, zipped(files), label_format) == expected
    if is_one_file(label_format):
        with new_world() as world:
            assert imported(world, next(iter(files.values())), label_format) == expected


@pytest.fixture
def brought(world):
    """A job whose samples came from a dataset, under names that have nothing to do with their ids."""
    root = world.folder / "boards"
    for number in range(3):
        path = root / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    files = {f"labels/{number}.txt": b"0 0.5 0.5 0.5 0.5\n" for number in range(3)}
    lay_out(root, {**files, "data.yaml": b"names: [good, bad]"})
    world.apply(job_spec(), url=str(root), format="yolo")
    world.tick(3)
    assert len(shown(world)) == 3
    return world


def test_labels_without_pictures_find_the_samples_by_the_names_under_which_they_came(brought):
    archive = zipped({"labels/1.txt": b"1 0.5 0.5 1 1\n", "classes.txt": b"good\nbad\n"})
    report = import_labels(brought.db, KEY, archive, wish(LabelFormat.YOLO), brought.clock.now())
    assert report.labelled == 1
    assert shown(brought)[sample_id(png(1))].boxes == (Box(x1=0, y1=0, x2=8, y2=8, label=1),)


def test_one_bad_image_of_a_coco_file_leaves_the_others_to_clip_mode(brought):
    """And a strict import takes everything or nothing, whatever the format."""
    names = [f"images/{number}.png" for number in range(3)]
    coco = {
        "images": [{"id": n, "file_name": name, "width": 8, "height": 8} for n, name in enumerate(names)],
        "categories": [{"id": 1, "name": "bad"}, {"id": 2, "name": "ugly"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 2, 2]},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [1, 1, 2, 2]},
        ],
    }
    data = json.dumps(coco).encode()
    before = shown(brought)
    with pytest.raises(Exception, match=r"category 2 'ugly' is not among the classes.*nothing was stored"):
        import_labels(brought.db, KEY, data, wish(LabelFormat.COCO), brought.clock.now())
    assert shown(brought) == before
    report = import_labels(brought.db, KEY, data, wish(LabelFormat.COCO, "clip"), brought.clock.now())
    assert report.labelled == 2
    fault, kept = report.problems
    assert "annotation 2: category 2 'ugly'" in fault
    assert kept == "coco labels: images/1.png: nothing of it is usable, so the picture stays as it was"
    assert shown(brought)[sample_id(png(1))] == before[sample_id(png(1))]
