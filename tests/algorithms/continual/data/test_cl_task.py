from __future__ import annotations

import numpy as np
import pytest
import torch

from sedna.algorithms.continual.data.config import DataConfig
from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.sets import ContinualLearningTasks, load_images
from sedna.algorithms.continual.data.split import SplitSettings, hold_out_validation, select_classes, split_task
from sedna.algorithms.continual.data.task import BaseSplitSemiTask
from sedna.common.errors import DataError


def _images(labels: list[int], names: int = 4, size: int = 8) -> ImageSet:
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, size, size), np.uint8)
    return ImageSet(pixels, np.asarray(labels, np.int64), tuple(f"class {n}" for n in range(names)), "set")


def _task(labelled: list[int], classes: tuple[int, ...] = (0, 1), **kwargs: object) -> BaseSplitSemiTask:
    return BaseSplitSemiTask(0, classes, _images(labelled), _images([0, 1] * 20), _images([0, 1]), **kwargs)  # type: ignore[arg-type]


def test_batches_are_ragged_unless_told_otherwise() -> None:
    task = _task([0] * 13 + [1] * 12)
    sizes = [len(task.batch(k, 8).y_B) for k in range(8)]
    assert sizes == [8, 8, 8, 1] * 2
    assert [len(task.batch(k, 8).index_U) for k in range(4)] == [56, 56, 56, 7]
    assert [len(task.batch(k, 8, even=True).y_B) for k in range(6)] == [8] * 6


def test_one_pass_shows_every_labelled_picture_once_and_passes_differ() -> None:
    task = _task([0] * 13 + [1] * 12)
    passes = [np.concatenate([task.batch(4 * p + k, 8).index_B for k in range(4)]) for p in range(2)]
    assert [sorted(order.tolist()) for order in passes] == [list(range(25))] * 2
    assert passes[0].tolist() != passes[1].tolist()


def test_neighbours_are_consecutive_and_wrap_around() -> None:
    task = _task([0, 1] * 4)
    index = task.batch(3, 8).index_U.reshape(8, 7)
    assert ((np.diff(index, axis=1) - 1) % 40 == 0).all()


def test_equal_arguments_give_equal_batches_and_a_retry_gives_others() -> None:
    task = _task([0, 1] * 10)
    first, again, retry = task.batch(5, 8), task.batch(5, 8), task.batch(5, 8, retry=1)
    assert torch.equal(first.images, again.images)
    assert (first.unlabelled_strong == again.unlabelled_strong).all()
    assert first.index_U.tolist() != retry.index_U.tolist()


def test_views_that_nobody_asks_for_are_not_made() -> None:
    batch = _task([0, 1] * 10).batch(0, 8)
    assert batch.images.dtype == torch.float32
    assert "unlabelled_strong" not in vars(batch)
    assert "unlabelled_weak" not in vars(batch)


def test_an_item_has_its_unlabelled_views() -> None:
    task = _task([0, 1] * 5, uratio=3)
    sample = task[4]
    assert len(task) == 10
    assert (sample.gt_label, sample.task_id, sample.index) == (0, 0, 4)
    assert sample.img.shape == (3, 8, 8)
    assert sample.weak.shape == sample.strong.shape == (3, 3, 8, 8)
    with pytest.raises(IndexError):
        task[10]


@pytest.mark.parametrize(
    ("labelled", "classes", "message"),
    [
        ([], (0, 1), "no labelled picture"),
        ([0, 0], (0,), "has 1 class"),
        ([0, 1, 2], (0, 1), "labels \\[2\\] that are not of this task"),
        ([0, 0], (0, 1), "classes \\[1\\] have no labelled picture"),
    ],
)
def test_a_task_that_cannot_be_learnt_is_refused(labelled: list[int], classes: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _task(labelled, classes)


def test_a_label_outside_the_class_list_names_the_picture() -> None:
    with pytest.raises(DataError, match=r"label 4 of picture #2 is outside the class list \(0\.\.3\)"):
        _images([0, 1, 4])


def test_a_split_draws_labels_with_the_seed_and_hides_the_rest() -> None:
    train, test = _images([0, 1, 2, 3] * 10), _images([0, 1, 2, 3] * 3)
    draws = []
    for seed in (0, 0, 1):
        settings = SplitSettings(labels_per_class=2, unlabelled_per_class=6, test_per_class=2, seed=seed)
        task = split_task(BaseSplitSemiTask, train, test, 1, (2, 3), settings)
        draws.append(task.labelled.x_NCHW[:, 0, 0, 0].tolist())
        assert task.labelled.y_N.tolist() == [2, 2, 3, 3]
        assert np.bincount(task.unlabelled.y_N).tolist() == [0, 0, 6, 6]
        assert set(draws[-1]) <= set(task.unlabelled.x_NCHW[:, 0, 0, 0].tolist())
        assert task.test.y_N.tolist() == [2, 3, 2, 3]
    assert draws[0] == draws[1] != draws[2]


def test_the_first_labels_are_the_first_of_the_file() -> None:
    settings = SplitSettings(labels_per_class=2, label_draw="first")
    task = split_task(BaseSplitSemiTask, _images([0, 1] * 6, 2), _images([0, 1], 2), 0, (0, 1), settings)
    assert task.labelled.x_NCHW[:, 0, 0, 0].tolist() == [0, 2, 1, 3]


def test_too_few_pictures_for_the_labels_are_named() -> None:
    with pytest.raises(DataError, match="'class 1' has 2 pictures"):
        split_task(
            BaseSplitSemiTask, _images([0, 0, 0, 1, 1]), _images([0, 1]), 0, (0, 1), SplitSettings(labels_per_class=3)
        )


def test_selected_classes_are_relabelled_in_order() -> None:
    chosen = select_classes(_images([0, 1, 2, 3]), (3, 1))
    assert chosen.class_names == ("class 3", "class 1")
    assert chosen.y_N.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"distinct labels in 0\.\.3"):
        select_classes(_images([0]), (1, 1))


def test_validation_pictures_are_training_pictures_of_each_class_and_always_the_same() -> None:
    labels = [0, 1, 2, 3] * 6
    kept, held_out = hold_out_validation(_images(labels), 2)
    assert sorted(held_out.y_N.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert sorted(kept.y_N.tolist()) == sorted([0, 1, 2, 3] * 4)
    shown = [*kept.x_NCHW[:, 0, 0, 0].tolist(), *held_out.x_NCHW[:, 0, 0, 0].tolist()]
    assert sorted(shown) == list(range(24))
    assert (hold_out_validation(_images(labels), 2)[1].x_NCHW == held_out.x_NCHW).all()
    with pytest.raises(DataError, match="'class 0' has 2 pictures"):
        hold_out_validation(_images([0, 1, 2, 3] * 2), 2)


def test_with_validation_pictures_the_real_test_pictures_are_not_looked_at() -> None:
    train, test = load_images(DataConfig(kind="synthetic"))
    rest, validation = load_images(DataConfig(kind="synthetic", validation_per_class=10))
    assert (len(rest), len(validation)) == (len(train) - 60, 60)
    pictures = {picture.tobytes() for picture in train.x_NCHW}
    assert {picture.tobytes() for picture in validation.x_NCHW} <= pictures
    assert not {picture.tobytes() for picture in test.x_NCHW} & pictures


def test_tasks_are_a_sequence_with_one_class_list(smoke_tasks: ContinualLearningTasks) -> None:
    assert len(smoke_tasks) == 3
    assert [task.class_index for task in smoke_tasks] == [(0, 1), (2, 3), (4, 5)]
    assert isinstance(smoke_tasks[:2], ContinualLearningTasks)
    assert smoke_tasks.checksum() != smoke_tasks[:2].checksum()
