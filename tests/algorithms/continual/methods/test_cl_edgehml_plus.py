from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.sets import ContinualLearningTasks
from sedna.algorithms.continual.methods.edgehml_plus import EdgeHMLPlus
from sedna.algorithms.continual.methods.ema import MovingAverage
from sedna.algorithms.continual.methods.registry import MethodConfig, build_method
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.models.classifier import StagedBody


def _options(**changes: object) -> EdgeHMLPlus.Options:
    return EdgeHMLPlus.Options.model_validate(changes)


def test_each_picture_competes_within_its_own_task(bench: Workbench) -> None:
    method = EdgeHMLPlus(bench)
    logits = torch.arange(12.0).view(2, 6)
    masked = method._masked(logits, torch.tensor([0, 2]))
    assert torch.isfinite(masked).tolist() == [[True] * 2 + [False] * 4, [False] * 4 + [True] * 2]
    loss = functional.cross_entropy(masked, torch.tensor([1, 4]))
    assert loss.item() == pytest.approx((np.log(1 + np.exp(-1)) + np.log(1 + np.exp(1))) / 2, rel=1e-6)
    seen = EdgeHMLPlus(bench, _options(mask="seen"))
    seen.task_id = 1
    assert torch.isfinite(seen._masked(logits, torch.tensor([0, 2]))).tolist() == [[True] * 4 + [False] * 2] * 2
    assert torch.equal(EdgeHMLPlus(bench, _options(mask="none"))._masked(logits, torch.tensor([0, 2])), logits)


def test_the_loss_is_one_mean_over_new_and_replayed_pictures(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = EdgeHMLPlus(bench, _options(views="weak", fresh=False, replay=1, mask="none"))
    method.losses(smoke_tasks[0].batch(0, 8))
    batch = smoke_tasks[0].batch(1, 8)
    rows = method.buffer.draw_balanced(4, batch.generator("labelled replay"))
    loss = method.losses(batch)["loss_labelled"]
    x = torch.cat([batch.images, bench.pipeline.normalise(rows["image"])])
    y = torch.cat([batch.y_B, torch.from_numpy(rows["label"])])
    twin = EdgeHMLPlus(bench)
    assert torch.equal(loss, functional.cross_entropy(twin.forward(x), y))


def test_the_wide_loss_lets_all_classes_seen_compete_on_the_same_logits(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    options = _options(views="weak", fresh=False, replay=1, wide=0.25)
    method = EdgeHMLPlus(bench, options)
    method.losses(smoke_tasks[0].batch(0, 8))
    method.task_id = 1
    batch = smoke_tasks[1].batch(1, 8)
    rows = method.buffer.draw_balanced(4, batch.generator("labelled replay"))
    losses = method.losses(batch)
    x = torch.cat([batch.images, bench.pipeline.normalise(rows["image"])])
    y = torch.cat([batch.y_B, torch.from_numpy(rows["label"])])
    logits = EdgeHMLPlus(bench, options).forward(x)
    assert torch.allclose(losses["loss_wide"], 0.25 * functional.cross_entropy(logits[:, :4], y))
    of_new, of_old = logits[: len(batch.y_B), 2:4], logits[len(batch.y_B) :, :2]
    own = functional.cross_entropy(of_new, batch.y_B - 2, reduction="sum")
    own += functional.cross_entropy(of_old, torch.from_numpy(rows["label"]), reduction="sum")
    assert torch.allclose(losses["loss_labelled"], own / len(y))


@pytest.mark.parametrize("mask", ["seen", "none"])
def test_the_wide_loss_is_not_counted_twice(mask: str, bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    assert set(EdgeHMLPlus(bench, _options(mask=mask)).losses(smoke_tasks[0].batch(0, 8))) == {"loss_labelled"}


def test_the_memory_keeps_the_raw_picture_once(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = EdgeHMLPlus(bench)
    for iteration in range(6):
        method.losses(smoke_tasks[0].batch(iteration, 8))
    assert len(method.buffer) == 10
    position = int(np.flatnonzero(method.buffer["id"] == 3)[0])
    assert (method.buffer["image"][position] == smoke_tasks[0].labelled.x_NCHW[3]).all()


def test_unlabelled_pictures_are_not_looked_at_unless_asked(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    batch = smoke_tasks[0].batch(29, 8)
    assert set(EdgeHMLPlus(bench).losses(batch)) == {"loss_labelled", "loss_wide"}
    method = EdgeHMLPlus(bench, _options(consistency=0.5))
    assert "loss_consistency" not in method.losses(smoke_tasks[0].batch(11, 8))
    losses = method.losses(smoke_tasks[0].batch(12, 8))
    assert 0 < losses["loss_consistency"].item() < 0.5 * 2 * np.log(2)


def test_replay_takes_so_many_minibatches_of_the_classes_in_turn(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = EdgeHMLPlus(bench, _options(replay=2))
    for iteration in range(2):
        method.losses(smoke_tasks[0].batch(iteration, 8))
    rows = method._draw(smoke_tasks[1].batch(0, 8))
    assert np.bincount(rows["label"]).tolist() == [4, 4]  # 2 x minibatch 4, of two classes
    plain = EdgeHMLPlus(bench, _options(replay=2, balanced=False))
    plain.buffer = method.buffer
    assert len(plain._draw(smoke_tasks[1].batch(0, 8))["label"]) == 8


def test_consistency_by_hand(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    """Cross-entropy between the sharpened average network and the strong view, within the two classes of the task."""
    method = EdgeHMLPlus(bench, _options(consistency=0.3, consistency_images=5, temperature=0.5))
    with torch.no_grad():
        for parameter in method.average.network.parameters():
            parameter.mul_(1.5)  # the teacher is another network
    batch = smoke_tasks[1].batch(20, 8)
    loss = method.losses(batch)["loss_consistency"].item()
    picked = np.sort(batch.generator("consistency").choice(len(batch.index_U), size=5, replace=False))
    weak, strong = (
        batch.view(f"consistency {name}", batch.u_UCHW[picked], strong=name == "strong") for name in ("weak", "strong")
    )
    with torch.no_grad():
        p = functional.softmax(method.average.network(weak)[:, 2:4], 1) ** 2
        answer = functional.log_softmax(EdgeHMLPlus(bench).network(strong)[:, 2:4], 1)
    target = p / p.sum(1, keepdim=True)
    assert loss == pytest.approx(0.3 * float(-(target * answer).sum(1).mean()), rel=1e-4)


def test_the_average_moves_after_each_step_and_predicts(bench: Workbench) -> None:
    method = EdgeHMLPlus(bench, _options(decay=0.9, mirror=False))
    before = method.average.network.head.weight.clone()  # type: ignore[union-attr,operator]
    with torch.no_grad():
        method.network.head.weight += 1.0  # type: ignore[union-attr,operator]
    method.after_iter(0)
    average = method.average.network.head.weight  # type: ignore[union-attr]
    assert torch.allclose(average - before, torch.full_like(before, 9 / 11), atol=1e-6)  # type: ignore[operator,arg-type]
    method.set_mode(training=False)
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(method.predict(x, 0), method.average.network(x))


def test_the_average_by_hand() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = MovingAverage(network, 0.9)
    nn.init.ones_(network.weight)
    average.update(network)  # d = 2/11
    assert average.network.weight.item() == pytest.approx(9 / 11)  # type: ignore[operator,union-attr]
    average.update(network)  # d = 3/12
    assert average.network.weight.item() == pytest.approx(0.25 * 9 / 11 + 0.75)  # type: ignore[operator,union-attr]


def test_prediction_is_the_mean_of_a_picture_and_its_mirror_image(bench: Workbench) -> None:
    method = EdgeHMLPlus(bench)
    method.set_mode(training=False)
    x = torch.rand(3, 3, 16, 16)
    assert torch.allclose(method.predict(x, 0), method.predict(x.flip(3), 0), atol=1e-6)
    plain = EdgeHMLPlus(bench, _options(mirror=False))
    plain.set_mode(training=False)
    assert not torch.allclose(plain.predict(x, 0), plain.predict(x.flip(3), 0), atol=1e-6)


def test_after_a_task_batch_norm_knows_the_unchanged_pictures_of_the_memory(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = EdgeHMLPlus(bench)
    method.set_mode(training=True)
    for iteration in range(4):
        method.losses(smoke_tasks[0].batch(iteration, 8))
        method.after_iter(iteration)
    convolution, norm = (part for part in list(_body(method).modules()) if isinstance(part, nn.Conv2d | nn.BatchNorm2d))
    before = norm.running_mean.clone()
    method.set_mode(training=False)
    method.after_task(smoke_tasks[0])
    with torch.no_grad():
        seen_NCHW = convolution(bench.pipeline.normalise(method.buffer["image"]))
    assert torch.allclose(norm.running_mean, seen_NCHW.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, seen_NCHW.var((0, 2, 3)), rtol=1e-4)
    assert not torch.allclose(before, norm.running_mean, atol=1e-3)
    assert norm.momentum == 0.1
    assert not any(module.training for module in method.average.network.modules())


def _body(method: EdgeHMLPlus) -> nn.Module:
    """The first stage of the average network."""
    body = method.average.network.body
    assert isinstance(body, StagedBody)
    return body.stages[0]


@pytest.mark.parametrize(("stored", "options"), [(10, {"remeasure": False}), (0, {}), (1, {})])
def test_the_running_statistics_stay_where_nothing_can_be_measured_or_it_is_not_asked_for(
    stored: int, options: dict[str, bool], bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = EdgeHMLPlus(bench, _options(**options))
    method.remember(smoke_tasks[0].labelled.take(np.arange(stored)), 0)
    before = {key: value.clone() for key, value in method.average.network.state_dict().items()}
    method.after_task(smoke_tasks[0])
    assert all(torch.equal(value, before[key]) for key, value in method.average.network.state_dict().items())


def test_it_carries_terms_like_any_other_method(
    bench: Workbench, smoke_tasks: ContinualLearningTasks, smoke_config: Callable[..., RunConfig]
) -> None:
    assert MethodConfig(name="EdgeHML+++FixMatch").parts() == ("EdgeHML++", ("FixMatch",))
    assert MethodConfig(name="DER+++UDA").parts() == ("DER++", ("UDA",))
    method = build_method(smoke_config("EdgeHML+++FixMatch").method, bench)
    assert set(method.losses(smoke_tasks[0].batch(0, 8))) == {"loss_labelled", "loss_wide", "loss_fixmatch"}
    replacing = build_method(smoke_config("EdgeHML+++UDA").method, bench)
    assert set(replacing.losses(smoke_tasks[0].batch(0, 8))) == {"loss_labelled", "loss_wide", "loss_uda"}


def test_each_picture_is_offered_to_the_memory_once_a_task(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = EdgeHMLPlus(bench)
    method.before_task(smoke_tasks[0])
    for iteration in range(30):
        method.losses(smoke_tasks[0].batch(iteration, 8))
    assert method.buffer.num_seen == len(smoke_tasks[0]) == 10
    again = EdgeHMLPlus(bench)
    again.load_state(method.state())
    again.losses(smoke_tasks[0].batch(31, 8))
    assert again.buffer.num_seen == 10
    again.before_task(smoke_tasks[1])
    again.losses(smoke_tasks[1].batch(0, 8))
    assert again.buffer.num_seen == 18
