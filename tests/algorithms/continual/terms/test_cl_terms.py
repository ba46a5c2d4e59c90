from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.sets import ContinualLearningTasks
from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.methods.base import total_loss
from sedna.algorithms.continual.methods.registry import build_method
from sedna.algorithms.continual.methods.sft import SFT
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.terms.base import pseudo_label_loss
from sedna.algorithms.continual.terms.fixmatch import FixMatch
from sedna.algorithms.continual.terms.flexmatch import FlexMatch
from sedna.algorithms.continual.terms.mixmatch import MixMatch, frozen_statistics, interleave, mix_ratio, sharpen
from sedna.algorithms.continual.terms.uda import UDA, uda_loss

WEAK = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 6.0]])
STRONG = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])


def test_only_confident_rows_count_but_all_divide() -> None:
    loss, kept = pseudo_label_loss(WEAK, STRONG, 0.95)
    assert kept.tolist() == [True, False, True]
    by_hand = -(functional.log_softmax(STRONG, 1)[0, 0] + functional.log_softmax(STRONG, 1)[2, 2]) / 3
    assert loss == pytest.approx(float(by_hand), rel=1e-6)


def test_threshold_over_one_keeps_nothing_and_zero_is_the_mean_cross_entropy() -> None:
    assert float(pseudo_label_loss(WEAK, STRONG, 1.01)[0]) == 0
    expected = functional.cross_entropy(STRONG, WEAK.argmax(1))
    assert float(pseudo_label_loss(WEAK, STRONG, 0.0)[0]) == pytest.approx(float(expected))


def test_no_gradient_reaches_the_weak_branch() -> None:
    weak, strong = WEAK.clone().requires_grad_(), STRONG.clone().requires_grad_()
    pseudo_label_loss(weak, strong, 0.5)[0].backward()
    assert weak.grad is None
    assert strong.grad is not None
    weak, strong = WEAK.clone().requires_grad_(), STRONG.clone().requires_grad_()
    uda_loss(weak, strong, 0.4, 0.5).backward()
    assert weak.grad is None


WEIGHTS = np.asarray([1.0, 0.5, 0.0, 0.0, -0.5, -1.0])


class _Linear(nn.Module):
    """A network to differentiate on paper: one weight a class on the mean red value."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(WEIGHTS, dtype=torch.float32))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return x_BCHW[:, 0].mean((1, 2))[:, None] * self.weight[None]


@pytest.fixture
def plain(bench: Workbench) -> SFT:
    """A method around that network."""
    method = SFT(bench)
    method.network = _Linear()
    return method


def _softmax(x: torch.Tensor) -> np.ndarray:  # type: ignore[type-arg]
    z = x[:, 0].mean((1, 2)).double().numpy()[:, None] * WEIGHTS[None]
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def _views(batch: TrainBatch) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """What the network makes of the weak and of the strong views."""
    weak, strong = (_softmax(batch.pipeline.normalise(x)) for x in (batch.unlabelled_weak, batch.unlabelled_strong))
    return weak, strong


def test_fixmatch_by_hand(plain: SFT, smoke_tasks: ContinualLearningTasks) -> None:
    batch = smoke_tasks[0].batch(3, 8)
    weak, strong = _views(batch)
    label, rows = weak.argmax(1), np.arange(len(weak))
    keep = weak.max(1) >= 0.3
    assert 0 < keep.sum() < len(keep)
    by_hand = 0.7 * (keep * -np.log(strong[rows, label])).sum() / len(keep)
    term = FixMatch(FixMatch.Options(threshold=0.3, weight=0.7))
    assert term.losses(plain, batch)["loss_fixmatch"].item() == pytest.approx(by_hand, rel=1e-5)


def test_uda_by_hand(plain: SFT, smoke_tasks: ContinualLearningTasks) -> None:
    batch = smoke_tasks[0].batch(3, 8)
    weak, strong = _views(batch)
    keep = weak.max(1) >= 0.3
    target = weak ** (1 / 0.4)
    target /= target.sum(1, keepdims=True)
    by_hand = 0.7 * (keep * -(target * np.log(strong)).sum(1)).sum() / len(keep)
    losses = UDA(UDA.Options(threshold=0.3, weight=0.7)).losses(plain, batch)
    assert losses["loss_uda"].item() == pytest.approx(by_hand, rel=1e-5)
    p = _softmax(batch.images)
    supervised = -np.log(p[np.arange(len(p)), batch.y_B.numpy()]).mean()
    assert losses["loss_sup"].item() == pytest.approx(supervised, rel=1e-5)


def test_flexmatch_by_hand(plain: SFT, smoke_tasks: ContinualLearningTasks) -> None:
    """Thresholds from what was selected before the batch; what it selects counts from the next one on."""
    batch = smoke_tasks[0].batch(2, 8)
    weak, strong = _views(batch)
    label, rows = weak.argmax(1), np.arange(len(weak))
    low, tau = np.quantile(weak.max(1), [0.4, 0.8])
    term = FlexMatch(FlexMatch.Options(threshold=tau, weight=0.7))
    term.before_task(smoke_tasks[0])
    half = len(term.selected_N) // 2
    rare = round(half * 2 * (low / tau) / (1 + low / tau))  # so that the threshold of class 5 lies near ``low``
    term.selected_N[:half] = 0
    term.selected_N[half : half + rare] = 5
    beta = np.asarray([1, 0, 0, 0, 0, rare / half])
    keep = weak.max(1) >= tau * beta[label] / (2 - beta[label])
    assert 0 < keep.sum() < len(keep)
    before = term.selected_N.clone()
    losses = term.losses(plain, batch)
    by_hand = 0.7 * (keep * -np.log(strong[rows, label])).sum() / len(keep)
    assert losses["loss_flexmatch"].item() == pytest.approx(by_hand, rel=1e-5)
    sure = weak.max(1) >= tau
    expected = before.clone()
    for position in np.flatnonzero(sure):
        expected[batch.index_U[position]] = int(label[position])
    assert 0 < sure.sum() < len(sure)
    assert torch.equal(term.selected_N, expected)


def test_mixmatch_by_hand(plain: SFT, smoke_tasks: ContinualLearningTasks) -> None:
    batch = smoke_tasks[0].batch(3, 8)
    size = len(batch.y_B)
    first, second = (batch.view(f"mixmatch {name}", batch.u_UCHW[:size], strong=False) for name in "ab")
    q = ((_softmax(first) + _softmax(second)) / 2) ** 2
    q /= q.sum(1, keepdims=True)
    targets = np.concatenate([np.eye(6)[batch.y_B.numpy()], q, q])
    pictures = torch.cat([batch.images, first, second])
    rng = batch.generator("mixmatch")
    share = rng.beta(0.5, 0.5)
    share = max(share, 1 - share)
    order = rng.permutation(len(pictures))
    p = _softmax(share * pictures + (1 - share) * pictures[order])
    targets = share * targets + (1 - share) * targets[order]
    losses = MixMatch(MixMatch.Options(weight=20.0, ramp=0.4)).losses(plain, batch)
    supervised = -(targets[:size] * np.log(p[:size])).sum(1).mean()
    assert losses["loss_sup"].item() == pytest.approx(supervised, rel=1e-4)
    ramp = 3 / (0.4 * 30)
    squared = ((p[size:] - targets[size:]) ** 2).mean()
    assert losses["loss_mixmatch"].item() == pytest.approx(20 * ramp * squared, rel=1e-4)
    late = MixMatch(MixMatch.Options(weight=20.0)).losses(plain, smoke_tasks[0].batch(29, 8))
    assert late["loss_mixmatch"].item() <= 20 * 2 / 6


def test_uda_tends_to_hard_labels_when_the_temperature_falls() -> None:
    hard, _ = pseudo_label_loss(WEAK, STRONG, 0.8)
    assert float(uda_loss(WEAK, STRONG, 0.01, 0.8)) == pytest.approx(float(hard), rel=1e-4)
    assert float(uda_loss(WEAK, STRONG, 5.0, 0.8)) != pytest.approx(float(hard), rel=1e-2)


def test_flexmatch_thresholds_by_hand() -> None:
    term = FlexMatch()
    term.selected_N = torch.full((10,), -1)
    assert term.betas(3).tolist() == [0, 0, 0]
    term.selected_N = torch.tensor([0] * 4 + [1] * 2 + [-1] * 4)
    assert term.betas(3).tolist() == [1.0, 0.5, 0.0]
    term.selected_N = torch.tensor([0, 0, 1, -1, -1, -1, -1, -1])
    assert term.betas(2).tolist() == [pytest.approx(0.4), pytest.approx(0.2)]
    term.selected_N = torch.tensor([0, 0, 1, 1, 2, 2])
    beta = term.betas(3)
    assert (0.95 * beta / (2 - beta)).tolist() == pytest.approx([0.95] * 3)


@given(st.integers(1, 8), st.integers(2, 6))
def test_interleave_is_its_own_inverse_and_mixes(size: int, count: int) -> None:
    chunks = list(torch.arange(size * count).view(count, size).unbind())
    mixed = interleave(chunks)
    assert sorted(torch.cat(mixed).tolist()) == list(range(size * count))
    assert torch.equal(torch.cat(interleave(mixed)), torch.cat(chunks))
    if size >= count:
        assert {int(value) // size for value in mixed[0]} == set(range(count))


def test_mixmatch_parts_by_hand() -> None:
    assert sharpen(torch.tensor([[0.6, 0.4]]), 0.5)[0].tolist() == pytest.approx([0.36 / 0.52, 0.16 / 0.52])
    assert mix_ratio(0.2) == 0.8
    assert mix_ratio(0.9) == 0.9


def test_frozen_statistics_are_not_moved() -> None:
    norm = nn.Sequential(nn.BatchNorm2d(2))
    with frozen_statistics(norm):
        norm(torch.rand(4, 2, 3, 3) + 5)
    assert norm[0].running_mean.tolist() == [0, 0]  # type: ignore[union-attr]
    norm(torch.rand(4, 2, 3, 3) + 5)
    assert norm[0].running_mean.min() > 0.4  # type: ignore[union-attr,operator]


COMPOSED = {
    "SFT+FixMatch": {"loss_sup", "loss_fixmatch"},
    "ER+FixMatch": {"loss_sup", "loss_replay", "loss_fixmatch"},
    "DER+UDA": {"loss_sup", "loss_der", "loss_uda"},
    "DER+Flex": {"loss_sup", "loss_der", "loss_flexmatch"},
    "DER+MixMatch": {"loss_sup", "loss_der", "loss_mixmatch"},
}


@pytest.mark.parametrize("name", COMPOSED)
def test_every_term_composes_with_a_method(
    name: str, bench: Workbench, smoke_tasks: ContinualLearningTasks, smoke_config: Callable[..., RunConfig]
) -> None:
    method = build_method(smoke_config(name).method, bench)
    alone = build_method(smoke_config(name.split("+", maxsplit=1)[0]).method, bench)
    for term in method.terms:
        term.before_task(smoke_tasks[0])
    batches = [smoke_tasks[0].batch(iteration, 8) for iteration in (19, 20)]
    losses = [method.losses(batch) for batch in batches][1]
    assert {key for key in losses if key.startswith("loss")} == COMPOSED[name]
    assert all(np.isfinite(float(value.detach())) for value in losses.values())
    expected = [alone.losses(batch) for batch in batches][1]
    for key in expected.keys() - ({"loss_sup"} if name == "DER+MixMatch" else set()):
        assert torch.equal(losses[key], expected[key])


def test_uda_and_mixmatch_count_the_labelled_batch_once(
    bench: Workbench, smoke_tasks: ContinualLearningTasks, smoke_config: Callable[..., RunConfig]
) -> None:
    """Their supervised loss takes the place of the method's: with a network that answers 0, every cross-entropy is
    ln 6, and the total holds it once."""
    batch = smoke_tasks[0].batch(0, 8)  # the first of a task: MixMatch's other part has weight 0
    for name in ("SFT+UDA", "SFT+MixMatch", "DER+UDA", "DER+MixMatch"):
        method = build_method(smoke_config(name).method, bench)
        nn.init.zeros_(method.network.head.weight)  # type: ignore[union-attr,arg-type]
        assert total_loss(method.losses(batch)).item() == pytest.approx(np.log(6), rel=1e-5)


def test_uda_learns_from_the_second_forward(
    bench: Workbench, smoke_tasks: ContinualLearningTasks, smoke_config: Callable[..., RunConfig]
) -> None:
    batch = smoke_tasks[0].batch(0, 8)
    passes: list[torch.Tensor] = []
    for second in (True, False):
        method = build_method(smoke_config("SFT+UDA").method, bench)
        method.terms = [UDA(UDA.Options(second_supervised=second, weight=0.0))]
        before = method.forward

        def counted(x: torch.Tensor, before: Callable[[torch.Tensor], torch.Tensor] = before) -> torch.Tensor:
            passes.append(x)
            return before(x)

        method.forward = counted  # type: ignore[method-assign]
        method.losses(batch)
    assert len(passes) == 3
    assert all(x is batch.images for x in passes)
