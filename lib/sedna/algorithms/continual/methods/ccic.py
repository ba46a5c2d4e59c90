"""CCIC: MixMatch-like consistency, two metric losses across tasks, k-nearest-neighbour inference.

    L = L_X + lambda L_U + L_T + alpha L_N
    L_X = CE(f(mix x), y) + penalty * CE(f(mix b), y_b)                     labels stay unmixed
    L_U = mean (softmax f(mix u) - q)^2,  q = sharpened mean prediction over the weak views of u, in eval mode
    L_T = batch-hard triplet loss on features of mixup(labelled + buffer), hinge margin 1, hardest tenth
    L_N = mean relu(margin - distance to the nearest of the other group): unlabelled now against stored past

L_T and L_N act after the first task and before 0.9 K. Prediction: votes of the k nearest stored pictures by
normalised features, ties broken by distance. Source: M. Boschini et al., Continual Semi-Supervised Learning through
Contrastive Interpolation Consistency, Pattern Recognition Letters 2022; two slips of the released code are repaired
(it sharpens raw logits, and averages views of different pictures).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.methods.base import Losses, MethodOptions
from sedna.algorithms.continual.methods.replay import ReplayMethod
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.continual.terms.mixmatch import mix_ratio, sharpen

_MARGIN = 1.0
_TIE = 1e-5


class CCIC(ReplayMethod):
    """See the module's text. Made for Adam with a rate of 1e-3 or less."""

    ALG_NAME = "CCIC"
    ALG_COMPATIBILITY = ("class-il", "task-il")

    class Options(MethodOptions):
        """Weights and sizes, as in the examples of the released code."""

        unsup_weight: float = Field(default=0.5, ge=0, description="lambda")
        contrast_weight: float = Field(default=0.5, ge=0, description="alpha")
        memory_penalty: float = Field(default=1.0, ge=0)
        neighbours: int = Field(default=3, ge=1, description="k")
        views: int = Field(default=3, ge=1, description="weak views of each unlabelled picture")
        temperature: float = Field(default=0.5, gt=0)
        mixup: float = Field(default=0.75, gt=0, description="Beta parameter of L_X and L_U")
        metric_until: float = Field(default=0.9, ge=0, le=1, description="fraction of a task with L_T and L_N")

    options: Options

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self._bank: tuple[Tensor, Tensor] | None = None

    def forward_train(self, batch: TrainBatch) -> Losses:
        """All losses that have something to act on."""
        self._bank = None
        past = self.draw(batch, "replay")
        x_BCHW, y_B = batch.images, batch.y_B
        stored = self.replayed(past) if len(past["label"]) else x_BCHW[:0]
        stored_y = self.bench.labels(past) if len(past["label"]) else y_B[:0]
        losses = self._consistency(batch, x_BCHW, stored, stored_y)
        late = batch.iteration >= self.options.metric_until * self.bench.train.iterations
        if batch.task_id > 0 and not late:
            losses |= self._metric(batch, torch.cat([x_BCHW, stored]), torch.cat([y_B, stored_y]), past["task"])
        self.store(batch)
        return losses

    def _consistency(self, batch: TrainBatch, x_BCHW: Tensor, stored: Tensor, stored_y: Tensor) -> Losses:
        opts = self.options
        count = opts.views if len(batch.index_U) else 0
        views = [batch.view(f"ccic {number}", batch.u_UCHW, strong=False) for number in range(count)]
        q_UC = self._guess(views) if views else None
        everything = torch.cat([x_BCHW, stored, *views])
        rng = batch.generator("ccic mixup")
        ratio = mix_ratio(rng.beta(opts.mixup, opts.mixup))
        order = torch.from_numpy(rng.permutation(len(everything)))
        logits = self.forward(ratio * everything + (1 - ratio) * everything[order])
        count, kept = len(x_BCHW), len(x_BCHW) + len(stored)
        losses: Losses = {"loss_sup": functional.cross_entropy(logits[:count], batch.y_B)}
        if kept > count:
            losses["loss_replay"] = opts.memory_penalty * functional.cross_entropy(logits[count:kept], stored_y)
        if q_UC is not None:
            squared = functional.mse_loss(functional.softmax(logits[kept:], 1), q_UC.repeat(opts.views, 1))
            losses["loss_unsup"] = opts.unsup_weight * squared
        return losses

    def _guess(self, views: list[Tensor]) -> Tensor:
        self.network.eval()
        with torch.no_grad():
            mean_UC = torch.stack([functional.softmax(self.forward(view), 1) for view in views]).mean(0)
        self.network.train()
        return sharpen(mean_UC, self.options.temperature)

    def _metric(self, batch: TrainBatch, x_NCHW: Tensor, y_N: Tensor, past_tasks: object) -> Losses:
        rng = batch.generator("ccic metric")
        ratio = mix_ratio(rng.beta(1.0, 1.0))
        order = torch.from_numpy(rng.permutation(len(x_NCHW)))
        mixed = ratio * x_NCHW + (1 - ratio) * x_NCHW[order]
        losses: Losses = {"loss_triplet": triplet_loss(self.features(mixed), y_N)}
        old_N = torch.as_tensor(past_tasks) < batch.task_id
        stored = x_NCHW[len(batch.y_B) :][old_N]
        if len(batch.index_U) and len(stored):
            current = batch.pipeline.normalise(batch.unlabelled_weak)
            features = self.features(torch.cat([current, stored]))
            groups = torch.arange(len(features), device=features.device) >= len(current)
            losses["loss_contrast"] = self.options.contrast_weight * negative_loss(features, groups)
        return losses

    def features(self, x_BCHW: Tensor) -> Tensor:
        """``(B, D)`` features of length 1."""
        assert isinstance(self.network, Classifier)
        return functional.normalize(self.bench.run(self.network.features, x_BCHW), dim=1)

    def predict(self, x_BCHW: Tensor, task_id: int) -> Tensor:
        """Scores ``(B, C)`` of the k-nearest-neighbour vote; with task-il only stored pictures of the task vote."""
        if len(self.buffer) == 0:
            return self.forward(x_BCHW)
        if self._bank is None:
            rows = self.buffer.rows(torch.arange(len(self.buffer)).numpy())
            self._bank = (self.features(self.replayed(rows)), self.bench.labels(rows))
        features_ND, labels_N = self._bank
        if self.bench.cl_type == "task-il":
            own_N = self.bench.task_masks[task_id][labels_N]
            features_ND, labels_N = features_ND[own_N], labels_N[own_N]
        return knn_scores(self.features(x_BCHW), features_ND, labels_N, self.options.neighbours, self.bench.num_classes)

    def before_val(self, task_id: int) -> None:  # noqa: ARG002
        """Weights may have changed: compute the stored features anew."""
        self._bank = None


def distances(features_ND: Tensor) -> Tensor:
    """Euclidean distances ``(N, N)``; safe to differentiate at 0."""
    squared = (features_ND[:, None] - features_ND[None]).pow(2).sum(2)
    return (squared + 1e-12).sqrt()


def triplet_loss(features_ND: Tensor, y_N: Tensor) -> Tensor:
    """Batch-hard triplet: farthest of the same class against nearest of another; mean over the hardest tenth."""
    distance_NN = distances(features_ND)
    same_NN = y_N[:, None] == y_N[None]
    farthest_N = distance_NN.masked_fill(~same_NN, 0).amax(1)
    nearest_N = distance_NN.masked_fill(same_NN, torch.inf).amin(1)
    hinge_N = torch.relu(_MARGIN + farthest_N - nearest_N)
    return hinge_N.topk(max(1, len(y_N) // 10)).values.mean()


def negative_loss(features_ND: Tensor, group_N: Tensor) -> Tensor:
    """Push the nearest picture of the other group to at least the margin; mean over the hardest tenth."""
    nearest_N = distances(features_ND).masked_fill(group_N[:, None] == group_N[None], torch.inf).amin(1)
    return torch.relu(_MARGIN - nearest_N).topk(max(1, len(group_N) // 10)).values.mean()


def knn_scores(query_BD: Tensor, bank_ND: Tensor, labels_N: Tensor, k: int, num_classes: int) -> Tensor:
    """Votes ``(B, C)`` of the k nearest, less 1e-5 times the distance to the nearest of the class."""
    distance_BN = torch.cdist(query_BD, bank_ND)
    nearest_BK = distance_BN.topk(min(k, len(labels_N)), largest=False).indices
    votes_BC = functional.one_hot(labels_N[nearest_BK], num_classes).sum(1).float()
    per_class = torch.full((len(query_BD), num_classes), 2.0, device=query_BD.device)
    per_class.scatter_reduce_(1, labels_N.expand(len(query_BD), -1), distance_BN, "amin", include_self=True)
    return votes_BC - _TIE * per_class
