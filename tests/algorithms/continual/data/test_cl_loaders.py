from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from fixtures_pictures import colours, oriented
from sedna.algorithms.continual.data.boxes import load_coco_crops, load_voc_crops
from sedna.algorithms.continual.data.cifar import load_cifar
from sedna.algorithms.continual.data.config import DataConfig
from sedna.algorithms.continual.data.folders import domain_names, load_domains, load_image_folder, load_tiny_imagenet
from sedna.algorithms.continual.data.sets import SplitSemiCifar100, build_tasks
from sedna.common.errors import DataError, NotFoundError, SpecError


def _png(value: int, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (value, value, value)).save(buffer, "PNG")
    return buffer.getvalue()


def _parquet(path: Path, pictures: list[bytes], labels: list[int], column: str = "fine_label") -> None:
    names = {"info": {"features": {column: {"names": ["apple", "bear", "cup"], "_type": "ClassLabel"}}}}
    table = pa.table(
        {
            "img": pa.array([{"bytes": data, "path": None} for data in pictures]),
            column: pa.array(labels, pa.int64()),
        }
    ).replace_schema_metadata({"huggingface": json.dumps(names)})
    pq.write_table(table, path)


def test_parquet_gives_pixels_labels_and_names(tmp_path: Path) -> None:
    _parquet(tmp_path / "train.parquet", [_png(value) for value in (10, 20, 30)], [0, 2, 1])
    images = load_cifar(tmp_path, "cifar100", "train")
    assert images.class_names == ("apple", "bear", "cup")
    assert images.x_NCHW[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert load_cifar(tmp_path, "cifar100", "train", [1]).x_NCHW[:, 0, 0, 0].tolist() == [30]


def test_a_corrupt_picture_in_the_middle_is_named(tmp_path: Path) -> None:
    _parquet(tmp_path / "train.parquet", [_png(1), b"no picture", _png(3)], [0, 1, 2])
    with pytest.raises(DataError, match=r"train.parquet row 1: this is no picture"):
        load_cifar(tmp_path, "cifar100", "train")
    kept = load_cifar(tmp_path, "cifar100", "train", on_corrupt="skip")
    assert kept.y_N.tolist() == [0, 2]
    assert kept.sample_names == ("train.parquet row 0", "train.parquet row 2")


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match="no readable parquet file"):
        load_cifar(tmp_path, "cifar100", "train")
    _parquet(tmp_path / "train.parquet", [_png(1)], [0], column="something")
    with pytest.raises(DataError, match="has columns img, something"):
        load_cifar(tmp_path, "cifar100", "train")


@pytest.mark.parametrize(("variant", "file", "extra"), [("cifar10", "test_batch.bin", 1), ("cifar100", "test.bin", 2)])
def test_the_binary_version_is_read(tmp_path: Path, variant: str, file: str, extra: int) -> None:
    rows = np.zeros((3, extra + 3072), np.uint8)
    rows[:, extra - 1] = [4, 9, 2]
    rows[:, extra:] = np.asarray([11, 22, 33])[:, None]
    rows.tofile(tmp_path / file)
    images = load_cifar(tmp_path, variant, "test")  # type: ignore[arg-type]
    assert images.y_N.tolist() == [4, 9, 2]
    assert images.x_NCHW.shape == (3, 3, 32, 32)
    assert images.x_NCHW[:, 1, 5, 5].tolist() == [11, 22, 33]
    (tmp_path / file).write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="100 bytes"):
        load_cifar(tmp_path, variant, "test")  # type: ignore[arg-type]


def test_the_pickled_version_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "meta").write_bytes(b"")
    with pytest.raises(NotFoundError, match="a pickle can run code"):
        load_cifar(tmp_path, "cifar100", "train")


def _folder(root: Path, part: str, classes: tuple[str, ...], count: int) -> None:
    for number, name in enumerate(classes):
        (root / part / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (root / part / name / f"{index}.png").write_bytes(_png(40 * number + index, 12))


def test_folders_become_tasks(tmp_path: Path) -> None:
    for part in ("train", "test"):
        _folder(tmp_path, part, ("cat", "dog", "eel", "fox"), 6)
    config = DataConfig(
        kind="folder", root=str(tmp_path), num_tasks=2, classes_per_task=2, labels_per_class=2, image_size=8
    )
    tasks = build_tasks(config, 0)
    assert tasks.class_names == ("cat", "dog", "eel", "fox")
    assert tasks[1].labelled.x_NCHW.shape == (4, 3, 8, 8)
    assert len(tasks[1].unlabelled) == 12
    with pytest.raises(SpecError, match="3 tasks of 2 classes"):
        build_tasks(config.model_copy(update={"num_tasks": 3}), 0)
    domains = build_tasks(config.model_copy(update={"cl_type": "domain-il", "labels_per_class": 1}), 0)
    assert [task.class_index for task in domains] == [(0, 1, 2, 3)] * 2


def test_a_folder_a_domain_becomes_a_task_a_domain(tmp_path: Path) -> None:
    for number, domain in enumerate(("line-2", "line-1")):
        for part in ("train", "test"):
            _folder(tmp_path / domain, part, ("crack", "fine"), 4 + number)
    config = DataConfig(
        kind="domains", root=str(tmp_path), cl_type="domain-il", num_tasks=2, labels_per_class=2, image_size=8
    )
    first, second = build_tasks(config, 0)
    assert (len(first.unlabelled), len(second.unlabelled)) == (10, 8)  # line-1, then line-2
    assert {name.split("/")[0] for name in first.labelled.sample_names + first.test.sample_names} == {"line-1"}
    assert (first.class_index, first.CLASSES) == ((0, 1), ("crack", "fine"))
    named = config.model_copy(update={"domains": ("line-2",), "num_tasks": 1})
    assert len(build_tasks(named, 0)[0].unlabelled) == 8
    for count in (1, 3):
        with pytest.raises(SpecError, match=rf"{count} tasks.*there are 2: line-1, line-2"):
            build_tasks(config.model_copy(update={"num_tasks": count}), 0)
    with pytest.raises(SpecError, match=r"cl_type task-il with data of kind domains"):
        build_tasks(config.model_copy(update={"cl_type": "task-il"}), 0)
    with pytest.raises(NotFoundError, match="line-3/train"):
        build_tasks(config.model_copy(update={"domains": ("line-1", "line-3")}), 0)
    shutil.rmtree(tmp_path / "line-2" / "train" / "crack")
    with pytest.raises(DataError, match=r"class 'crack' has 0 pictures"):
        build_tasks(config, 0)
    (tmp_path / "line-2" / "train" / "scratch").mkdir()
    with pytest.raises(DataError, match=r"folder 'scratch' is no class"):
        build_tasks(config.model_copy(update={"class_names": ("crack", "fine")}), 0)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"kind": "domains", "domains": ["a", "a"]}, "each once"),
        ({"kind": "domains", "domains": ["a/b"]}, "names of folders"),
        ({"kind": "folder", "domains": ["a"]}, "not with kind folder"),
        ({"kind": "cifar100", "class_names": ["a"]}, "cifar100 has its own"),
    ],
)
def test_what_does_not_fit_the_kind_of_data_is_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        DataConfig.model_validate(values)


def test_validation_pictures_come_from_every_domain(tmp_path: Path) -> None:
    for domain in ("a", "b", "c"):
        for part in ("train", "test"):
            _folder(tmp_path / domain, part, ("crack", "fine"), 4)
    config = DataConfig(
        kind="domains", root=str(tmp_path), cl_type="domain-il", num_tasks=3, labels_per_class=2, image_size=8,
        validation_per_class=1,
    )  # fmt: skip
    assert [np.bincount(task.test.y_N).tolist() for task in build_tasks(config, 0)] == [[1, 1]] * 3


def test_pictures_without_domains_are_divided_class_by_class() -> None:
    """Files that show the classes in turn, six in all, and a number of tasks that divides six."""
    config = DataConfig(
        kind="synthetic", cl_type="domain-il", num_tasks=3, labels_per_class=2, image_size=16, padding=2
    )
    tasks = build_tasks(config, 0)
    assert [np.bincount(task.unlabelled.y_N).tolist() for task in tasks] == [[20] * 6] * 3


def test_a_corrupt_file_is_an_error_or_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _folder(tmp_path, "train", ("cat", "dog"), 3)
    (tmp_path / "train" / "cat" / "1.png").write_bytes(_png(1)[:40])
    with pytest.raises(DataError, match=r"cat/1\.png: the picture is damaged"):
        load_image_folder(tmp_path / "train", image_size=8)
    with caplog.at_level("WARNING", "sedna"):
        images = load_image_folder(tmp_path / "train", image_size=8, on_corrupt="skip")
    assert len(images) == 5
    assert "cat/1.png" in caplog.text
    with pytest.raises(DataError, match="folder 'cat' is no class"):
        load_image_folder(tmp_path / "train", image_size=8, class_names=("dog",))


def test_tiny_imagenet_layout(tmp_path: Path) -> None:
    (tmp_path / "wnids.txt").write_text("n02\nn01\n")
    for wnid in ("n01", "n02"):
        (tmp_path / "train" / wnid / "images").mkdir(parents=True)
        (tmp_path / "train" / wnid / "images" / f"{wnid}_0.JPEG").write_bytes(_png(7, 64))
    (tmp_path / "val" / "images").mkdir(parents=True)
    (tmp_path / "val" / "images" / "val_0.JPEG").write_bytes(_png(9, 64))
    (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn01\t0\t0\t62\t62\n")
    assert load_tiny_imagenet(tmp_path, "train").y_N.tolist() == [0, 1]
    assert load_tiny_imagenet(tmp_path, "test").y_N.tolist() == [1]


def test_coco_boxes_become_pictures(tmp_path: Path) -> None:
    picture = Image.new("RGB", (20, 20), (0, 0, 0))
    picture.paste((200, 200, 200), (10, 0, 20, 10))
    picture.save(tmp_path / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 7, "name": "bright"}, {"id": 3, "name": "dark"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [10, 0, 10, 10]},
            {"id": 2, "image_id": 1, "category_id": 3, "bbox": [0, 10, 10, 10]},
            {"id": 3, "image_id": 1, "category_id": 3, "bbox": [0, 0, 20, 20], "iscrowd": 1},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    images = load_coco_crops(tmp_path / "a.json", tmp_path, image_size=8)
    assert images.class_names == ("dark", "bright")
    assert images.y_N.tolist() == [1, 0]
    assert images.x_NCHW.mean((1, 2, 3)).tolist() == [200, 0]
    (tmp_path / "a.json").write_text('{"images": []}')
    with pytest.raises(DataError, match="no COCO file"):
        load_coco_crops(tmp_path / "a.json", tmp_path, image_size=8)


def test_voc_boxes_become_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(_png(50, 20))
    box = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    objects = "".join(f"<object><name>{name}</name>{box}</object>" for name in ("nut", "bolt"))
    (tmp_path / "a.xml").write_text(f"<annotation><filename>a.jpg</filename>{objects}</annotation>")
    images = load_voc_crops(tmp_path, tmp_path, image_size=8)
    assert images.class_names == ("bolt", "nut")
    assert images.y_N.tolist() == [1, 0]
    with pytest.raises(DataError, match="not in the class list"):
        load_voc_crops(tmp_path, tmp_path, image_size=8, class_names=("nut",))
    (tmp_path / "a.xml").write_text("<annotation>")
    with pytest.raises(DataError, match="no Pascal VOC file"):
        load_voc_crops(tmp_path, tmp_path, image_size=8)


def test_ten_real_classes_of_cifar100() -> None:
    root = Path(os.environ.get("SEDNA_CIFAR100", "../shared/data/cifar100"))
    if not (root / "test.parquet").is_file():
        pytest.skip(f"CIFAR-100 is not at {root}; set SEDNA_CIFAR100")
    images = load_cifar(root, "cifar100", "test", range(2))
    assert images.class_names[:2] == ("apple", "aquarium_fish")
    assert np.bincount(images.y_N).tolist() == [100, 100]
    assert images.x_NCHW.shape[1:] == (3, 32, 32)
    assert SplitSemiCifar100.NORMALISATION.mean[0] == pytest.approx(129.304)


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "__MACOSX", ".cache", "@eaDir", "__pycache__", "$RECYCLE.BIN", "lost+found"]
)
def test_what_systems_and_editors_hide_is_neither_class_nor_picture_nor_domain(tmp_path: Path, name: str) -> None:
    root = tmp_path / "set"
    for part in ("train", "test"):
        _folder(root / "day", part, ("cat", "dog"), 2)
        _folder(root / "day" / part, name, (".",), 2)
        _folder(root / "day" / part / "cat", name, (".",), 1)
        for hidden in ("._1.png", ".1.png"):
            (root / "day" / part / "cat" / hidden).write_bytes(b"no picture")
    _folder(root, name, ("train", "test"), 1)
    images = load_domains(root, "train", image_size=8)
    assert images.class_names == ("cat", "dog")
    assert images.sample_names == ("day/cat/0.png", "day/cat/1.png", "day/dog/0.png", "day/dog/1.png")
    assert domain_names(root) == ("day",)
    assert len(load_image_folder(root / "day" / "train", image_size=8)) == 4


@pytest.mark.parametrize("stated", [(12, 8), (8, 12)], ids=["as the file lies", "as it is seen"])
def test_a_crop_of_a_turned_picture_is_what_its_box_was_drawn_around(tmp_path: Path, stated: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(oriented(6, "PNG"))
    on_file, on_seen = [2, 1, 5, 3], [4, 2, 3, 5]  # x, y, width, height
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": stated[0], "height": stated[1]}],
        "categories": [{"id": 1, "name": "open"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": on_file if stated == (12, 8) else on_seen}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    crop = load_coco_crops(tmp_path / "coco.json", tmp_path, image_size=6).x_NCHW[0]
    seen = np.rot90(colours(), -1)[2:7, 4:7]
    expected = Image.fromarray(np.ascontiguousarray(seen)).resize((6, 6), Image.Resampling.BILINEAR)
    assert np.array_equal(crop.transpose(1, 2, 0), np.asarray(expected))


@pytest.mark.parametrize(("bbox", "words"), [([0, 0, 1e6, 1e6], "far outside"), ([0, 0, float("nan"), 5], "is none")])
def test_a_box_that_no_picture_has_is_a_fault_of_its_line(tmp_path: Path, bbox: list[float], words: str) -> None:
    (tmp_path / "a.png").write_bytes(_png(1))
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "open"}],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": bbox}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"a\.png box 7: .*{words}"):
        load_coco_crops(tmp_path / "coco.json", tmp_path, image_size=6)
