from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sedna.algorithms.continual.memory.hierarchical import HierarchicalMemory, MemoryMode, disk_weights

SHAPE = (3, 2, 2)


def _memory(path: Path, mode: MemoryMode, capacity: int = 20, disk: int = 50) -> HierarchicalMemory:
    return HierarchicalMemory(capacity, disk, SHAPE, path / "disk", mode=mode)


def _row(identity: int, label: int = 0) -> dict[str, object]:
    return {"image": np.full(SHAPE, identity % 256, np.uint8), "label": label, "task": 0, "id": identity}


def test_weights_follow_the_class_losses_whatever_the_counts() -> None:
    labels = np.asarray([0] * 100 + [1] * 10 + [2] * 5)
    weights = disk_weights(labels, {0: 1.0, 1: 3.0, 2: 0.0})
    assert weights.sum() == pytest.approx(1)
    assert weights[labels == 0].sum() == pytest.approx(0.25)
    assert weights[labels == 1].sum() == pytest.approx(0.75)
    assert weights[labels == 2].max() == 0
    assert len(set(weights[labels == 1])) == 1


def test_draws_follow_the_class_losses_while_supply_lasts(tmp_path: Path) -> None:
    """Losses 1, 3 and 0 with 100, 40 and 20 records: of 8 drawn a time, a quarter and three quarters."""
    memory = _memory(tmp_path, "budgeted", capacity=8, disk=160)
    for number in range(160):
        memory.offer_unlabelled(_row(number, 0 if number < 100 else 1 if number < 140 else 2))
    drawn = np.zeros(3)
    for task in range(400):
        memory.resample({0: 1.0, 1: 3.0, 2: 0.0}, np.random.default_rng(task))
        drawn += np.bincount(memory.draw_unlabelled(8, np.random.default_rng(0))["label"], minlength=3)
    assert drawn[2] == 0
    assert drawn[1] / drawn.sum() == pytest.approx(0.75, abs=0.04)
    memory.close()


def test_without_any_loss_every_record_is_equally_likely() -> None:
    assert disk_weights(np.asarray([0, 0, 1]), {}).tolist() == pytest.approx([1 / 3] * 3)


def test_faithful_outgrows_its_budget_and_repeats_references(tmp_path: Path) -> None:
    memory = _memory(tmp_path, "faithful")
    for number in range(30):
        assert memory.offer_unlabelled(_row(number, number % 2))
    for task in range(3):
        assert memory.resample({0: 1.0, 1: 1.0}, np.random.default_rng(task)) == 20
    sizes = memory.sizes()
    assert sizes.references == 60 > memory.capacity
    assert sizes.unlabelled <= 30
    assert sizes.memory_bytes == sizes.unlabelled * (12 + 24) + 8 * (60 + 30)
    assert sizes.disk_bytes == 30 * (12 + 24)
    assert len(memory.draw_unlabelled(100, np.random.default_rng(0))["id"]) == 60  # references, not pictures
    memory.close()


def test_budgeted_keeps_both_tiers_within_the_capacity(tmp_path: Path) -> None:
    memory = _memory(tmp_path, "budgeted")
    for number in range(30):
        memory.offer_unlabelled(_row(number, number % 2))
    for task in range(4):
        for number in range(4):
            memory.labelled.offer(_row(1000 + 10 * task + number))
        memory.resample({0: 1.0, 1: 1.0}, np.random.default_rng(task))
        sizes = memory.sizes()
        assert sizes.labelled + sizes.references <= memory.capacity
        assert sizes.references == sizes.unlabelled == 20 - sizes.labelled
    memory.close()


def test_a_stored_pseudo_label_is_final(tmp_path: Path) -> None:
    memory = _memory(tmp_path, "faithful")
    assert memory.offer_unlabelled(_row(1, label=4))
    assert not memory.offer_unlabelled(_row(1, label=5))
    assert memory.disk.column("label").tolist() == [4]
    memory.close()


@pytest.mark.parametrize(("mode", "returns"), [("faithful", False), ("budgeted", True)])
def test_whether_a_replaced_record_may_return(tmp_path: Path, mode: MemoryMode, returns: bool) -> None:
    memory = _memory(tmp_path, mode, disk=1)
    number = 0
    memory.offer_unlabelled(_row(0))
    while memory.disk.column("id")[0] == 0:
        number += 1
        memory.offer_unlabelled(_row(number))
    accepted = any(memory.offer_unlabelled(_row(0)) for _ in range(300))
    assert accepted == returns
    memory.close()


def test_state_goes_round(tmp_path: Path) -> None:
    memory = _memory(tmp_path, "faithful")
    for number in range(40):
        memory.offer_unlabelled(_row(number, number % 3))
        memory.labelled.offer(_row(500 + number % 9))
    memory.resample({0: 1.0, 1: 2.0, 2: 1.0}, np.random.default_rng(0))
    state = memory.state()
    memory.saved(state)
    expected = memory.draw_unlabelled(8, np.random.default_rng(1))
    stored = [memory.offer_unlabelled(_row(number)) for number in range(100, 300)]
    memory.close()
    again = _memory(tmp_path, "faithful")
    again.load_state(state)
    drawn = again.draw_unlabelled(8, np.random.default_rng(1))
    assert drawn["id"].tolist() == expected["id"].tolist()
    assert (drawn["image"] == expected["image"]).all()
    assert len(again.disk) == 40
    assert not again.offer_unlabelled(_row(3))
    assert [again.offer_unlabelled(_row(number)) for number in range(100, 300)] == stored
    again.close()
