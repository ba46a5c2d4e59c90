"""Each method against a small case worked out by hand, or against the method it must equal at a limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from linear_network import Linear
from torch import nn
from torch.nn import functional

from sedna.algorithms import BUILT_IN
from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.sets import ContinualLearningTasks
from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.memory.columns import Rows
from sedna.algorithms.continual.methods.anchor import QuadraticAnchor, flatten
from sedna.algorithms.continual.methods.base import BaseLearningMethod
from sedna.algorithms.continual.methods.ccic import CCIC, knn_scores, negative_loss, triplet_loss
from sedna.algorithms.continual.methods.der import DER
from sedna.algorithms.continual.methods.derpp import DERPlusPlus
from sedna.algorithms.continual.methods.edgehml import EdgeHML
from sedna.algorithms.continual.methods.er import ER
from sedna.algorithms.continual.methods.independent import Independent
from sedna.algorithms.continual.methods.joint import Joint
from sedna.algorithms.continual.methods.oewc import OnlineEWC
from sedna.algorithms.continual.methods.pnn import PNN
from sedna.algorithms.continual.methods.registry import METHODS, TERMS, MethodConfig, build_method
from sedna.algorithms.continual.methods.sft import SFT
from sedna.algorithms.continual.methods.si import SI
from sedna.algorithms.continual.methods.si_path_integral import SIPathIntegral
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.continual.names import PRESETS, TERM_ALIASES, TERM_NAMES
from sedna.common.class_factory import ClassType
from sedna.common.errors import SpecError


@pytest.mark.parametrize("kind", [SFT, Independent])
def test_plain_fine_tuning_by_hand(
    kind: type[BaseLearningMethod], bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = kind(bench)
    method.network = Linear([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    batch = smoke_tasks[0].batch(0, 8)
    reds = batch.images[:, 0].mean((1, 2)).tolist()
    by_hand = [np.log(np.exp(red) + 5) - red * (y == 0) for red, y in zip(reds, batch.y_B.tolist(), strict=True)]
    losses = method.losses(batch)
    assert set(losses) == {"loss_sup"}
    assert losses["loss_sup"].item() == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_er_adds_the_mean_loss_of_the_replayed_records(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = ER(bench)
    first, second = smoke_tasks[0].batch(0, 8), smoke_tasks[0].batch(1, 8)
    assert set(method.losses(first)) == {"loss_sup"}
    assert len(method.buffer) == 8
    rows = method.draw(second, "replay")
    reference = ER(bench)
    reference.network.load_state_dict(method.network.state_dict())
    losses = method.losses(second)
    reference.forward(second.images)
    by_hand = functional.cross_entropy(
        reference.forward(bench.pipeline.normalise(rows["image"])), torch.from_numpy(rows["label"])
    )
    assert torch.equal(losses["loss_replay"], by_hand)
    assert len(method.buffer) == 10  # 10 labelled pictures: 8, then the 2 that are left of the pass


def test_the_buffer_holds_what_was_shown_and_the_logits_of_that_moment(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = DER(bench)
    batch = smoke_tasks[0].batch(0, 8)
    expected = DER(bench).forward(batch.images).detach().numpy()
    method.losses(batch)
    assert (method.buffer["image"] == batch.weak_images).all()
    assert np.array_equal(method.buffer["logits"], expected)
    assert method.memory_use().memory == 8 * (3 * 16 * 16 + 3 * 8 + 6 * 4)


def test_der_pulls_towards_the_stored_logits(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = DER(bench, DER.Options(alpha=0.5))
    method.network = Linear([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    image = np.full((3, 16, 16), 200, np.uint8)
    red = (200 - bench.pipeline.normalisation.mean[0]) / bench.pipeline.normalisation.std[0]
    stored = np.zeros(6, np.float32)
    method.buffer.offer({"image": image, "label": 0, "task": 0, "id": 0, "logits": stored})
    losses = method.losses(smoke_tasks[0].batch(0, 8))
    by_hand = 0.5 * np.mean([(red * w) ** 2 for w in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)])
    assert losses["loss_der"].item() == pytest.approx(by_hand, rel=1e-5)


def test_derpp_adds_the_labels_of_a_second_draw(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    both = DERPlusPlus(bench)
    both.losses(smoke_tasks[0].batch(0, 8))
    draws: list[list[int]] = []
    draw = both.draw

    def noted(batch: TrainBatch, purpose: str) -> Rows:
        rows = draw(batch, purpose)
        draws.append(rows["id"].tolist())
        return rows

    both.draw = noted  # type: ignore[method-assign]
    both.losses(smoke_tasks[0].batch(1, 8))
    assert len(draws) == 2
    assert draws[0] != draws[1]
    method = DERPlusPlus(bench, DERPlusPlus.Options(alpha=0.0, beta=0.5))
    method.network = Linear([0.0] * 6)
    method.losses(smoke_tasks[0].batch(0, 8))
    losses = method.losses(smoke_tasks[0].batch(1, 8))
    assert losses["loss_replay"].item() == pytest.approx(0.5 * np.log(6), rel=1e-6)
    assert "loss_der" not in losses


def test_the_pull_of_an_anchor_in_closed_form_equals_autograd() -> None:
    anchor = QuadraticAnchor(0.7)
    anchor.place(torch.tensor([1.0, -2.0, 0.5]), torch.tensor([3.0, 0.0, 2.0]))
    theta = torch.tensor([2.0, 5.0, 0.0], requires_grad=True)
    anchor.value(theta).backward()
    assert theta.grad is not None
    closed = anchor.gradient(theta.detach())
    assert closed is not None
    assert torch.allclose(theta.grad, closed)
    assert closed.tolist() == pytest.approx([2 * 0.7 * 3 * 1, 0, 2 * 0.7 * 2 * -0.5])


def _grad(method: BaseLearningMethod, values: list[float]) -> None:
    parameter = next(iter(method.network.parameters()))
    parameter.grad = torch.tensor(values)


def test_si_as_released_by_hand(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = SI(bench, SI.Options(strength=0.5, damping=1.0, gradient_clip=1.0))
    method.network = Linear([0.0, 0.0])
    theta = flatten(method.network.parameters())
    method.omega_P = torch.zeros(2)
    method.anchor.place(theta, torch.tensor([2.0, 0.0]))
    with torch.no_grad():
        method.network.weight += torch.tensor([0.3, 0.0])  # type: ignore[operator]
    _grad(method, [0.1, 4.0])
    method.after_backward(0)
    pulled = 0.1 + 2 * 0.5 * 2.0 * 0.3
    assert method.network.weight.grad.tolist() == pytest.approx([pulled, 1.0])  # type: ignore[union-attr]
    assert method.omega_P.tolist() == pytest.approx([0.03 * pulled**2, 0.03])
    method.after_task(smoke_tasks[0])
    assert method.anchor.importance_P is not None
    assert method.anchor.importance_P.tolist() == pytest.approx([2 + 0.03 * pulled**2 / (0.09 + 1), 0.03])
    assert not method.omega_P.any()


def test_si_path_integral_by_hand(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = SIPathIntegral(bench)
    method.network = Linear([0.0, 0.0])
    method.omega_P = torch.zeros(2)
    method.anchor.place(torch.zeros(2), torch.tensor([5.0, 0.0]))
    with torch.no_grad():
        method.network.weight += torch.tensor([0.2, 0.0])  # type: ignore[operator]
    _grad(method, [-0.5, 0.25])
    method.after_backward(0)
    with torch.no_grad():
        method.network.weight += torch.tensor([0.1, 0.2])  # type: ignore[operator]
    method.after_iter(0)
    assert method.omega_P.tolist() == pytest.approx([0.5 * 0.1, -0.25 * 0.2])  # gradient without the penalty
    method.after_task(smoke_tasks[0])
    assert method.anchor.importance_P is not None
    assert method.anchor.importance_P.tolist() == pytest.approx([5 + 0.05 / (0.3**2 + 1), 0])


def test_fisher_of_a_linear_model_is_analytic(bench: Workbench) -> None:
    method = OnlineEWC(bench)
    method.network = Linear([0.4, -0.2])
    reds = [0.5, -1.5]
    x = torch.stack([torch.full((3, 4, 4), red) for red in reds])
    y = torch.tensor([0, 1])
    expected = np.zeros(2)
    for red, label in zip(reds, (0, 1), strict=True):
        p = np.exp(np.asarray([0.4, -0.2]) * red)
        p /= p.sum()
        gradient = red * (p - np.eye(2)[label])
        expected += p[label] * gradient**2 / 2
    assert method.fisher(x, y).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_oewc_decays_the_old_fisher(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = OnlineEWC(bench, OnlineEWC.Options(gamma=0.5))
    method.set_mode(training=False)
    method.after_task(smoke_tasks[0])
    assert method.anchor.importance_P is not None
    first = method.anchor.importance_P.clone()
    again = method.fisher(
        bench.pipeline.normalise(smoke_tasks[0].labelled.x_NCHW), torch.from_numpy(smoke_tasks[0].labelled.y_N)
    )
    assert torch.equal(first, again)
    method.after_task(smoke_tasks[0])
    assert torch.allclose(method.anchor.importance_P, 1.5 * first)


def test_oewc_pulls_back_after_the_first_task(bench: Workbench) -> None:
    method = OnlineEWC(bench, OnlineEWC.Options(strength=10.0))
    method.network = Linear([0.5, -0.2])
    _grad(method, [1.0, 2.0])
    method.after_backward(0)
    assert method.network.weight.grad.tolist() == [1.0, 2.0]  # type: ignore[union-attr]
    method.anchor.place(torch.tensor([0.4, -0.2]), torch.tensor([3.0, 7.0]))
    method.after_backward(1)
    assert method.network.weight.grad.tolist() == pytest.approx([1 + 2 * 10 * 3 * 0.1, 2.0])  # type: ignore[union-attr]


def test_independent_networks_share_nothing(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = Independent(bench)
    method.before_task(smoke_tasks[0])
    method.after_task(smoke_tasks[0])
    method.before_task(smoke_tasks[1])
    x = torch.rand(2, 3, 16, 16)
    assert not torch.equal(method.predict(x, 0), method.predict(x, 1))
    method.task_id = 1
    one = sum(value.numel() * value.element_size() for value in method.network.state_dict().values())
    assert method.memory_use().parameters == one
    method.after_task(smoke_tasks[1])
    assert method.memory_use().parameters == one  # the network of the last task is the current one


def test_joint_learns_from_all_tasks_so_far(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = Joint(bench, Joint.Options(batch_factor=2))
    method.network = Linear([0.0] * 6)
    for task in smoke_tasks:
        method.before_task(task)
        loss = method.losses(task.batch(0, 8))["loss_labelled"]
        assert loss.item() == pytest.approx(np.log(2))  # only the two classes of the picture's own task compete
    assert method.memory_use().memory == 30 * (3 * 16 * 16 + 8)


def test_old_columns_never_change(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    method = PNN(bench)
    method.before_task(smoke_tasks[0])
    method.set_mode(training=False)
    x = torch.rand(4, 3, 16, 16)
    before = method.predict(x, 0)
    method.before_task(smoke_tasks[1])
    method.set_mode(training=True)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    for iteration in range(3):
        optimizer.zero_grad()
        sum(method.losses(smoke_tasks[1].batch(iteration, 8)).values()).backward()  # type: ignore[union-attr]
        optimizer.step()
    method.set_mode(training=False)
    assert torch.equal(method.predict(x, 0), before)
    assert not torch.equal(method.predict(x, 1), before)
    assert len(list(method.columns)) == 2


def test_laterals_by_hand(bench: Workbench) -> None:
    method = PNN(bench)
    method.columns.requires_grad_(requires_grad=False).eval()
    method._add_column()
    method.set_mode(training=False)
    old, new = method.columns[0], method.columns[1]
    x = torch.rand(2, 3, 16, 16)
    g1 = old.body.stages[0](x)
    lateral = new.laterals[0]
    joined = lateral.expand(torch.relu(lateral.reduce(lateral.scales[0] * g1)))
    hidden = new.body.stages[1](new.body.stages[0](x) + joined)
    assert torch.allclose(method.column_logits(x, 1), new.head(hidden.mean((2, 3))), atol=1e-6)


def test_ccic_pieces_by_hand() -> None:
    labels = torch.tensor([0, 0, 1])
    apart = torch.tensor([[0.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    # squared; anchor 0: far 1, near 9; 1: far 1, near 10; 2: far 0, near 9: no hinge is active
    assert triplet_loss(apart, labels).item() == 0
    close = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    # anchor 0: 1 + 1 - 0.25; 1: 1 + 1 - 1.25; 2: 1 + 0 - 0.25
    assert triplet_loss(close, labels).item() == pytest.approx((1.75 + 0.75 + 0.75) / 3)
    groups = torch.tensor([False, False, True])
    # 0: 1 - 0.25; 1: 1 - 1.25 < 0; 2: 1 - 0.25
    assert negative_loss(close, groups).item() == pytest.approx((0.75 + 0 + 0.75) / 3)
    alone = close.clone().requires_grad_()
    loss = triplet_loss(alone, torch.zeros(3)) + negative_loss(alone, torch.zeros(3))
    loss.backward()
    assert loss.item() == 0  # nothing to be told from
    assert not alone.grad.any()  # type: ignore[union-attr]
    bank, names = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.9, 0.1]]), torch.tensor([2, 0, 0])
    scores = knn_scores(torch.tensor([[1.0, 0.0]]), bank, names, 2, 3)
    assert scores.argmax(1).tolist() == [0]
    assert scores[0, 0].item() == pytest.approx(2.0)
    assert scores[0, 2] > scores[0, 1]


def test_ccic_losses_by_hand(bench: Workbench, smoke_tasks: ContinualLearningTasks) -> None:
    """Without mixing, and with a network that reads the mean of each colour."""
    method = CCIC(bench, CCIC.Options(memory_penalty=0.7, unsup_weight=0.3, contrast_weight=0.2, views=2))
    method.network = Classifier(_MeanColour(), 3, 6)
    nn.init.normal_(method.network.head.weight)
    method._mix = lambda x, _others, _alpha, _rng: x  # type: ignore[method-assign,assignment]
    method.losses(smoke_tasks[0].batch(0, 8))
    batch = smoke_tasks[1].batch(0, 8)
    past = method.draw(batch, "replay")
    losses = {name: value.item() for name, value in method.losses(batch).items()}
    b = batch.view("replay", past["image"], strong=False)
    y_b = torch.from_numpy(past["label"])
    views = [batch.view(f"ccic {index}", batch.u_UCHW, strong=False) for index in range(2)]
    p = [functional.softmax(method.network(view), 1) for view in views]
    q = ((p[0] + p[1]) / 2) ** 2
    q = q / q.sum(1, keepdim=True)
    features = torch.cat([batch.images, b]).mean((2, 3))
    unlabelled = torch.cat([bench.pipeline.normalise(batch.unlabelled_weak), b]).mean((2, 3))
    groups = torch.arange(len(unlabelled)) >= len(batch.index_U)
    by_hand = {
        "loss_sup": functional.cross_entropy(method.network(batch.images), batch.y_B),
        "loss_replay": 0.7 * functional.cross_entropy(method.network(b), y_b),
        "loss_unsup": 0.3 * (((p[0] - q) ** 2).mean() + ((p[1] - q) ** 2).mean()) / 2,
        "loss_triplet": triplet_loss(features, torch.cat([batch.y_B, y_b])),
        "loss_contrast": 0.2 * negative_loss(unlabelled, groups),
    }
    assert losses == {name: pytest.approx(value.item(), rel=1e-4) for name, value in by_hand.items()}


class _MeanColour(nn.Module):
    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return x_BCHW.mean((2, 3))


def test_ccic_keeps_raw_pictures_and_knows_when_each_loss_acts(
    bench: Workbench, smoke_tasks: ContinualLearningTasks
) -> None:
    method = CCIC(bench)
    first, second = smoke_tasks[0].batch(0, 8), smoke_tasks[0].batch(1, 8)
    assert set(method.losses(first)) == {"loss_sup", "loss_unsup", "loss_triplet"}
    assert (method.buffer["image"] == first.x_BCHW).all()
    assert set(method.losses(second)) == {"loss_sup", "loss_replay", "loss_unsup", "loss_triplet"}
    later = smoke_tasks[1]
    everything = {"loss_sup", "loss_replay", "loss_unsup", "loss_triplet", "loss_contrast"}
    assert set(method.losses(later.batch(26, 8))) == everything
    assert set(method.losses(later.batch(27, 8))) == everything - {"loss_contrast"}  # from 0.9 of 30 steps on


def test_ccic_mixes_each_picture_by_its_own_share() -> None:
    x = torch.arange(6.0).view(6, 1, 1, 1)
    mixed = CCIC._mix(x[:4], x + 100, 0.75, np.random.default_rng(3))
    draws = np.random.default_rng(3)
    share = draws.beta(0.75, 0.75, 4)
    share = np.maximum(share, 1 - share)
    order = draws.permutation(6)[:4]
    assert mixed.flatten().tolist() == pytest.approx(share * np.arange(4) + (1 - share) * (100 + order), rel=1e-5)


def test_defaults_are_the_published_ones() -> None:
    assert DER.Options().alpha == 0.3
    assert DERPlusPlus.Options().beta == 0.5
    assert SI.Options().model_dump() == {"strength": 0.5, "damping": 1.0, "gradient_clip": 1.0}
    assert OnlineEWC.Options().model_dump() == {"strength": 10.0, "gamma": 1.0}
    assert EdgeHML.Options().model_dump() == {
        "lambda_sup": 1.0, "lambda_sup_replay": 1.0, "lambda_unsup": 1.0, "lambda_unsup_replay": 0.5, "threshold": 0.95,
        "start": 0.2, "ramp": 0.0, "memory_mode": "faithful", "progressive": "faithful", "weak_graph": False,
    }  # fmt: skip
    assert TERMS["UDA"]().options.model_dump() == {
        "temperature": 0.4, "threshold": 0.8, "weight": 1.0, "second_supervised": True,
    }  # fmt: skip
    for name in ("FixMatch", "FlexMatch"):
        assert TERMS[name]().options.model_dump() == {"threshold": 0.95, "weight": 1.0}
    assert TERMS["MixMatch"]().options.model_dump() == {"temperature": 0.5, "alpha": 0.5, "weight": 100.0, "ramp": 0.4}
    assert CCIC.Options().model_dump() == {
        "unsup_weight": 0.5, "contrast_weight": 0.5, "memory_penalty": 1.0, "neighbours": 3, "views": 3,
        "temperature": 0.5, "mixup": 0.75, "metric_until": 0.9,
    }  # fmt: skip


@pytest.mark.parametrize("name", [*METHODS, *PRESETS])
def test_a_memory_smaller_than_the_classes_is_refused_by_all_that_need_one(
    name: str, smoke_config: Callable[..., RunConfig], smoke_tasks: ContinualLearningTasks, tmp_path: Path
) -> None:
    config = smoke_config(name, memory={"capacity": 5})
    bench = Workbench.of(smoke_tasks, tmp_path).with_settings(config.model, config.train, config.memory)
    method_name = PRESETS[name].method if name in PRESETS else name
    if METHODS[method_name].NEEDS_MEMORY:
        with pytest.raises(SpecError, match="a memory of 5 records for 6 classes"):
            build_method(config.method, bench)
    else:
        build_method(config.method, bench).close()


def test_names_that_are_known_without_torch_are_those_there_are() -> None:
    assert set(TERM_NAMES) == set(TERMS) == set(TERM_ALIASES.values()) | {"UDA"}
    built_in = {alias for kind, alias, _ in BUILT_IN if kind == ClassType.ALGORITHM}
    assert {preset.method for preset in PRESETS.values()} <= set(METHODS) == built_in


def test_unknown_names_and_options_say_what_would_be_right(bench: Workbench) -> None:
    with pytest.raises(SpecError, match="did you mean 'EdgeHML'"):
        build_method(MethodConfig(name="EdgeHMI"), bench)
    with pytest.raises(SpecError, match="unknown term 'UDDA' in 'DER\\+UDDA'"):
        build_method(MethodConfig(name="DER+UDDA"), bench)
    with pytest.raises(SpecError, match=r"alhpa: .*options: alpha"):
        build_method(MethodConfig(name="DER", options={"alhpa": 1}), bench)
    with pytest.raises(SpecError, match=r"SFT carries no term 'UDA'"):
        build_method(MethodConfig(name="SFT", terms={"UDA": {"weight": 2}}), bench)
    with pytest.raises(SpecError, match=r"DER\+UDA carries no term 'Bogus'.*it carries UDA"):
        build_method(MethodConfig(name="DER+UDA", terms={"Bogus": {}}), bench)
    short = build_method(MethodConfig(name="DER+Flex", terms={"Flex": {"weight": 2}}), bench)
    assert short.terms[0].options.weight == 2  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match="temperature"):
        build_method(MethodConfig(name="DER+UDA", terms={"UDA": {"temperature": 0}}), bench)


def test_the_names_of_the_specification_are_known() -> None:
    alone = "SFT independent joint ER DER DER++ SI SI-path oEWC PNN CCIC EdgeHML EdgeHML-skip".split()  # noqa: SIM905
    for name in [*alone, "DER+UDA", "DER+FlexMatch", "DER+FixMatch", "DER+MixMatch", "ER+FixMatch"]:
        MethodConfig(name=name).parts()
