"""CCIC: MixMatch-like consistency, two metric losses across tasks, k-nearest-neighbour inference.

    L = L_X + lambda L_U + L_T + alpha L_N
    L_X = CE(f(mix x), y) + penalty * CE(f(mix b), y_b)                     labels stay unmixed
    L_U = mean (softmax f(mix u) - q)^2,  q = sharpened mean prediction over the weak views of u, in eval mode
    L_T = mean_a relu(1 + max_(p of a's class) |h_a - h_p|^2 - min_(n of another) |h_a - h_n|^2),
          h: features of mix [x; b]
    L_N = mean_a relu(1 - min_(n of the other group) |h_a - h_n|^2),   groups: unlabelled now, stored past

mix z = r z + (1 - r) z', with z' from anywhere in the batch and a ratio r >= 0.5 for each picture. L_N, and the mixing
in L_T, act after the first task and before 0.9 K. The memory keeps raw pictures; each replay is a new weak view.
Prediction: votes of the k nearest stored pictures by features of length 1, ties broken by distance. Source:
M. Boschini et al., Continual Semi-Supervised Learning through Contrastive Interpolation Consistency, Pattern
Recognition Letters 2022, and its released code, with two slips repaired (it sharpens raw logits, and averages views of
different pictures) and one hard pair an anchor (it takes a tenth of the batch, which is none of a batch of 8).
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from sedna.algorithms.continual.data.images import Pixels
from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.methods.base import Losses, MethodOptions
from sedna.algorithms.continual.methods.replay import ReplayMethod
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.continual.terms.mixmatch import sharpen
from sedna.common.class_factory import ClassFactory, ClassType

_MARGIN = 1.0
_TIE = 1e-5


@ClassFactory.register(ClassType.ALGORITHM, alias="CCIC")
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
        metric_until: float = Field(
            default=0.9, ge=0, le=1, description="fraction of a task with L_N and mixing in L_T"
        )

    options: Options

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self._bank: tuple[Tensor, Tensor] | None = None

    def forward_train(self, batch: TrainBatch) -> Losses:
        """All losses that have something to act on."""
        self._bank = None
        past = self.draw(batch, "replay")
        x_NCHW, y_N = batch.images, batch.y_B
        if len(past["label"]):
            x_NCHW = torch.cat([x_NCHW, batch.view("replay", past["image"], strong=False)])
            y_N = torch.cat([y_N, self.bench.labels(past)])
        losses = self._consistency(batch, x_NCHW, y_N)
        early = batch.iteration < self.options.metric_until * self.bench.train.iterations
        contrast = batch.task_id > 0 and early
        mixed = self._mix(x_NCHW, x_NCHW, 1.0, batch.generator("ccic metric")) if contrast else x_NCHW
        losses["loss_triplet"] = triplet_loss(self.features(mixed), y_N)
        if contrast:
            old_N = torch.as_tensor(past["task"]) < batch.task_id
            losses |= self._contrast(batch, x_NCHW[len(batch.y_B) :][old_N])
        self.store(batch)
        return losses

    def shown(self, batch: TrainBatch) -> Pixels:
        """Raw pictures: replay and votes make their own views."""
        return batch.x_BCHW

    @staticmethod
    def _mix(x_NCHW: Tensor, others: Tensor, alpha: float, rng: np.random.Generator) -> Tensor:
        """Each picture with one drawn from ``others``, its own share at least half."""
        drawn_N = torch.from_numpy(rng.beta(alpha, alpha, len(x_NCHW))).to(x_NCHW)
        share = torch.maximum(drawn_N, 1 - drawn_N).view(-1, 1, 1, 1)
        order = torch.from_numpy(rng.permutation(len(others))[: len(x_NCHW)]).to(x_NCHW.device)
        return share * x_NCHW + (1 - share) * others[order]

    def _consistency(self, batch: TrainBatch, x_NCHW: Tensor, y_N: Tensor) -> Losses:
        """L_X and L_U."""
        opts, rng, count = self.options, batch.generator("ccic mixup"), len(batch.y_B)
        number = opts.views if len(batch.index_U) else 0
        views = [batch.view(f"ccic {index}", batch.u_UCHW, strong=False) for index in range(number)]
        q_UC = self._guess(views) if views else None
        everything = torch.cat([x_NCHW, *views])
        logits_NC = self.forward(self._mix(x_NCHW, everything, opts.mixup, rng))
        losses: Losses = {"loss_sup": functional.cross_entropy(logits_NC[:count], y_N[:count])}
        if len(y_N) > count:
            losses["loss_replay"] = opts.memory_penalty * functional.cross_entropy(logits_NC[count:], y_N[count:])
        if q_UC is not None:
            unlabelled = self.forward(self._mix(torch.cat(views), everything, opts.mixup, rng))
            squared = functional.mse_loss(functional.softmax(unlabelled, 1), q_UC.repeat(opts.views, 1))
            losses["loss_unsup"] = opts.unsup_weight * squared
        return losses

    def _guess(self, views: list[Tensor]) -> Tensor:
        self.network.eval()
        with torch.no_grad():
            mean_UC = torch.stack([functional.softmax(self.forward(view), 1) for view in views]).mean(0)
        self.network.train()
        return sharpen(mean_UC, self.options.temperature)

    def _contrast(self, batch: TrainBatch, past: Tensor) -> Losses:
        """L_N."""
        if len(batch.index_U) == 0 or len(past) == 0:
            return {}
        current = batch.pipeline.normalise(batch.unlabelled_weak)
        features_ND = self.features(torch.cat([current, past]))
        group_N = torch.arange(len(features_ND), device=features_ND.device) >= len(current)
        return {"loss_contrast": self.options.contrast_weight * negative_loss(features_ND, group_N)}

    def features(self, x_BCHW: Tensor) -> Tensor:
        """``(B, D)``."""
        assert isinstance(self.network, Classifier)
        return self.bench.run(self.network.features, x_BCHW)

    def predict(self, x_BCHW: Tensor, task_id: int) -> Tensor:
        """Scores ``(B, C)`` of the k-nearest-neighbour vote; with task-il only stored pictures of the task vote."""
        if len(self.buffer) == 0:
            return self.forward(x_BCHW)
        if self._bank is None:
            rows = self.buffer.rows(np.arange(len(self.buffer)))
            stored_ND = functional.normalize(self.features(self.replayed(rows)), dim=1)
            self._bank = (stored_ND, self.bench.labels(rows))
        features_ND, labels_N = self._bank
        if self.knows_task:
            own_N = self.bench.task_masks[task_id][labels_N]
            features_ND, labels_N = features_ND[own_N], labels_N[own_N]
        query_BD = functional.normalize(self.features(x_BCHW), dim=1)
        return knn_scores(query_BD, features_ND, labels_N, self.options.neighbours, self.bench.num_classes)

    @property
    def knows_task(self) -> bool:
        """With task-il, only stored pictures of the task vote."""
        return self.bench.cl_type == "task-il"

    def before_val(self, task_id: int) -> None:  # noqa: ARG002
        """Weights may have changed: compute the stored features anew."""
        self._bank = None


def squared_distances(features_ND: Tensor) -> Tensor:
    """Squared Euclidean distances ``(N, N)``."""
    return (features_ND[:, None] - features_ND[None]).pow(2).sum(2)


def triplet_loss(features_ND: Tensor, y_N: Tensor) -> Tensor:
    """Batch-hard triplet: farthest of the same class against nearest of another, mean over the anchors that have
    another class to be told from; 0 if there is none."""
    distance_NN = squared_distances(features_ND)
    same_NN = y_N[:, None] == y_N[None]
    farthest_N = distance_NN.masked_fill(~same_NN, 0).amax(1)
    nearest_N = distance_NN.masked_fill(same_NN, torch.inf).amin(1)
    return _mean_hinge(_MARGIN + farthest_N - nearest_N, ~same_NN.all(1))


def negative_loss(features_ND: Tensor, group_N: Tensor) -> Tensor:
    """Push the nearest picture of the other group to at least the margin; mean over the pictures."""
    same_NN = group_N[:, None] == group_N[None]
    nearest_N = squared_distances(features_ND).masked_fill(same_NN, torch.inf).amin(1)
    return _mean_hinge(_MARGIN - nearest_N, ~same_NN.all(1))


def _mean_hinge(value_N: Tensor, counts_N: Tensor) -> Tensor:
    return torch.where(counts_N, torch.relu(value_N), 0).sum() / counts_N.sum().clamp(min=1)


def knn_scores(query_BD: Tensor, bank_ND: Tensor, labels_N: Tensor, k: int, num_classes: int) -> Tensor:
    """Votes ``(B, C)`` of the k nearest, less 1e-5 times the distance to the nearest of the class."""
    distance_BN = torch.cdist(query_BD, bank_ND)
    nearest_BK = distance_BN.topk(min(k, len(labels_N)), largest=False).indices
    votes_BC = functional.one_hot(labels_N[nearest_BK], num_classes).sum(1).float()
    # Vectors of length 1 are at most 2 apart: a class of which nothing is stored counts as that far away.
    per_class = torch.full((len(query_BD), num_classes), 2.0, device=query_BD.device)
    per_class.scatter_reduce_(1, labels_N.expand(len(query_BD), -1), distance_BN, "amin", include_self=True)
    return votes_BC - _TIE * per_class
