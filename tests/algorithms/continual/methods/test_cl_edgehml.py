"""EdgeHML against small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from linear_network import Linear

from sedna.algorithms.continual.data.images import Pixels
from sedna.algorithms.continual.data.sets import ContinualLearningTasks
from sedna.algorithms.continual.memory.buffer import ReplayBuffer
from sedna.algorithms.continual.memory.columns import image_columns
from sedna.algorithms.continual.methods.edgehml import EdgeHML
from sedna.algorithms.continual.methods.workbench import Workbench

WEIGHTS = [1.0, 0.5, 0.0, 0.0, -0.5, -1.0]


def _cross_entropy(reds: list[float], labels: list[int]) -> float:
    """Mean over pictures of the cross-entropy of `Linear` with WEIGHTS."""
    z = np.asarray(reds)[:, None] * np.asarray(WEIGHTS)[None]
    return float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(labels)), labels]))


def test_edgehml_losses_by_hand(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    options = {"lambda_sup": 2.0, "lambda_sup_replay": 0.7, "lambda_unsup": 0.6, "lambda_unsup_replay": 0.3}
    method = EdgeHML(bench, EdgeHML.Options.model_validate({**options, "threshold": 0.35, "start": 0.2}))
    method.network = Linear(WEIGHTS)
    image = np.full((3, 16, 16), 220, np.uint8)
    red = (220 - bench.pipeline.normalisation.mean[0]) / bench.pipeline.normalisation.std[0]
    method.memory.labelled.offer({"image": image, "label": 1, "task": 0, "id": 77})
    method.memory.offer_unlabelled({"image": image, "label": 0, "task": 0, "id": 99})
    method.memory.resample({0: 1.0}, np.random.default_rng(0))
    early, late = smoke_tasks[0].batch(5, 8), smoke_tasks[0].batch(6, 8)
    assert set(method.losses(early)) == {"loss_sup", "loss_sup_replay", "loss_unsup_replay"}
    method.memory.labelled = ReplayBuffer(30, image_columns((3, 16, 16)), unique=True)
    method.memory.labelled.offer({"image": image, "label": 1, "task": 0, "id": 77})
    losses = {name: value.item() for name, value in method.losses(late).items()}
    weak, strong = (
        bench.pipeline.normalise(x)[:, 0].mean((1, 2)).tolist() for x in (late.unlabelled_weak, late.unlabelled_strong)
    )
    z = np.asarray(weak)[:, None] * np.asarray(WEIGHTS)[None]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    kept = np.flatnonzero(p.max(1) >= 0.35)
    assert 0 < len(kept) < len(weak)
    masked = _cross_entropy([strong[k] for k in kept], p.argmax(1)[kept].tolist()) * len(kept) / len(weak)
    assert losses == {
        "loss_sup": pytest.approx(
            2.0 * _cross_entropy(late.images[:, 0].mean((1, 2)).tolist(), late.y_B.tolist()), rel=1e-5
        ),
        "loss_sup_replay": pytest.approx(0.7 * _cross_entropy([red], [1]), rel=1e-5),
        "loss_unsup": pytest.approx(0.6 * masked, rel=1e-5),
        "loss_unsup_replay": pytest.approx(0.3 * _cross_entropy([red], [0]), rel=1e-5),
        "kept": pytest.approx(len(kept) / len(weak)),
    }
    method.close()


def test_edgehml_draws_the_unlabelled_tier_by_class_loss(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = EdgeHML(bench)
    method.network = Linear([60.0, -60.0, 0.0, 0.0, 0.0, 0.0])
    bright = np.full((3, 16, 16), 250, np.uint8)
    for identity, label in enumerate((0, 1)):  # bright pictures: class 0 is learnt (loss 0), class 1 is not
        method.memory.labelled.offer({"image": bright, "label": label, "task": 0, "id": identity})
    for identity in range(20):
        method.memory.offer_unlabelled({"image": bright, "label": identity % 2, "task": 0, "id": 100 + identity})
    method.after_task(smoke_tasks[0])
    drawn = method.memory.draw_unlabelled(50, np.random.default_rng(0))
    assert drawn["label"].tolist() == [1] * 10
    method.close()


def test_edgehml_weight_of_the_unlabelled_part(bench: Workbench) -> None:
    step = EdgeHML(bench, EdgeHML.Options(start=0.2, lambda_unsup=0.7))
    assert [step.unlabelled_weight(k) for k in (0, 5, 6, 29)] == [0, 0, 0.7, 0.7]
    step.close()
    ramp = EdgeHML(bench, EdgeHML.Options(start=0.2, ramp=0.4))
    assert [round(ramp.unlabelled_weight(k), 3) for k in (5, 6, 12, 18)] == [0, 0, 0.5, 1]
    ramp.close()


def test_edgehml_stores_only_the_confident(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = EdgeHML(bench, EdgeHML.Options())
    batch = smoke_tasks[1].batch(0, 8)
    logits = torch.zeros(len(batch.index_U), 6)
    logits[:, 0] = 9  # sure, but class 0 is not of task 1
    logits[:4, 2] = 20  # sure, and of the task
    logits[4:6] = torch.tensor([0.0, 0, 2.0, 0, 0, 0])  # of the task, but not sure
    method._offer_unlabelled(batch, logits)
    identities = {1 * 2**32 + int(i) for i in batch.index_U[:4]}
    assert set(method.memory.disk.column("id").tolist()) == identities
    assert set(method.memory.disk.column("label").tolist()) == {2}
    method.close()


def test_edgehml_modes_agree_once_the_weight_is_on(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    """With the network in eval mode, so that batch statistics play no part."""
    results = []
    for progressive in ("faithful", "skip"):
        method = EdgeHML(bench, EdgeHML.Options(progressive=progressive, threshold=0.0))  # type: ignore[arg-type]
        method.network.eval()
        losses = method.losses(smoke_tasks[0].batch(10, 8))
        results.append({name: value.detach() for name, value in losses.items() if name.startswith("loss")})
        method.close()
        (bench.work_dir / "disk_tier.bin").unlink()
    assert results[0].keys() == results[1].keys() >= {"loss_sup", "loss_unsup"}
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_edgehml_skip_does_not_touch_the_unlabelled_pictures_early(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = EdgeHML(bench, EdgeHML.Options(progressive="skip"))
    batch = smoke_tasks[0].batch(0, 8)
    method.losses(batch)
    assert "unlabelled_weak" not in vars(batch)
    method.close()


def test_edgehml_class_losses_by_hand(bench: Workbench) -> None:
    method = EdgeHML(bench)
    method.network = Linear([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    reds = []
    for identity, (label, value) in enumerate([(0, 250), (0, 200), (3, 10)]):
        method.memory.labelled.offer({"image": np.full((3, 16, 16), value), "label": label, "task": 0, "id": identity})
        reds.append((value - bench.pipeline.normalisation.mean[0]) / bench.pipeline.normalisation.std[0])
    losses = method.class_losses()
    by_hand = [-np.log(np.exp(red) / (np.exp(red) + 5)) for red in reds[:2]]
    assert losses[0] == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert losses[3] == pytest.approx(np.log(np.exp(reds[2]) + 5), rel=1e-5)
    method.close()


def test_edgehml_keeps_the_views_that_it_was_shown(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    """As released: a replay shows the stored view once more, not a new one of the picture."""
    method = EdgeHML(bench, EdgeHML.Options(threshold=0.0))
    method.network = Linear([0.0] * 6)  # the first class wins, which is one of the task
    batch = smoke_tasks[0].batch(0, 8)
    assert (batch.weak_images != batch.x_BCHW).any()
    method.losses(batch)
    stored = method.memory.labelled
    assert (stored["image"] == batch.weak_images).all()
    assert stored["label"].tolist() == batch.y_B.tolist()
    assert stored["id"].tolist() == batch.index_B.tolist()
    disk = method.memory.disk.rows(np.arange(len(method.memory.disk)))
    shown: dict[int, Pixels] = {}
    for index, view in zip(batch.index_U, batch.unlabelled_weak, strict=True):
        shown.setdefault(int(index), view)  # one that comes twice in a batch stays as it came first
    assert set(disk["id"].tolist()) == set(shown)
    assert (disk["image"] == np.stack([shown[identity] for identity in disk["id"].tolist()])).all()
    method.close()


def test_edgehml_releases_records_of_old_checkpoints_and_keeps_those_of_the_last(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = EdgeHML(bench)
    disk = method.memory.disk
    row = {"image": np.zeros((3, 16, 16), np.uint8), "label": 0, "task": 0}
    for identity in range(disk.capacity):
        method.memory.offer_unlabelled({**row, "id": identity})
    for round_ in range(1, 6):
        state = method.state()
        method.state_saved()
        ids = disk.column("id").tolist()
        for identity in range(1000 * round_, 1000 * round_ + 3 * disk.capacity):
            method.memory.offer_unlabelled({**row, "id": identity})
        assert disk.column("id").tolist() != ids
        method.load_state(state)
        assert disk.column("id").tolist() == ids
    assert disk.file_bytes <= (2 * disk.capacity + 1) * disk.record_bytes
    method.close()


@pytest.mark.parametrize(("progressive", "stored"), [("faithful", True), ("skip", False)])
def test_pseudo_labels_are_kept_for_replay_also_where_the_unlabelled_loss_has_no_weight(
    progressive: str, stored: bool, bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    options = EdgeHML.Options.model_validate({"lambda_unsup": 0, "threshold": 0.0, "progressive": progressive})
    method = EdgeHML(bench, options)
    method.network = Linear([0.0] * 6)
    assert "loss_unsup" not in method.losses(smoke_tasks[0].batch(0, 8))
    assert (len(method.memory.disk) > 0) is stored
    method.losses(smoke_tasks[0].batch(6, 8))  # the first one after the skipped part
    assert len(method.memory.disk) > 0
    method.close()
