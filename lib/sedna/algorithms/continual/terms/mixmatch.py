"""MixMatch: guessed and sharpened labels, mixed inputs.

    q = sharpen(mean of softmax f over two weak views, T), no gradient
    (X', P') = mixup of [x; u1; u2] with [onehot y; q; q], one lambda ~ Beta(a, a), lambda <- max(lambda, 1 - lambda)
    L = CE(f(X'_x), P'_x) + weight * min(1, k / (ramp K)) * mean ||softmax f(X'_u) - P'_u||^2

The first part takes the place of the method's own cross-entropy. The mixed samples are cut into chunks of the labelled
batch size and interleaved; only the first chunk moves the batch norm statistics. Source: D. Berthelot et al., MixMatch,
NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.terms.base import SemiTerm, TermCarrier, TermOptions


class MixMatch(SemiTerm):
    """See the module's text. As many unlabelled pictures as labelled ones are used, two views each."""

    NAME = "MixMatch"

    class Options(TermOptions):
        """T, a, the weight and the length of its ramp."""

        temperature: float = Field(default=0.5, gt=0)
        alpha: float = Field(default=0.5, gt=0)
        weight: float = Field(default=100.0, ge=0)
        ramp: float = Field(default=0.4, ge=0, le=1, description="fraction of a task's iterations")

    options: Options

    def losses(self, method: TermCarrier, batch: TrainBatch) -> dict[str, Tensor]:
        """``loss_mixmatch``, and the ``loss_sup`` that replaces the method's."""
        if len(batch.index_U) == 0:
            return {}
        size = min(len(batch.y_B), len(batch.index_U))
        u_BCHW = batch.u_UCHW[:size]
        first, second = (batch.view(f"mixmatch {name}", u_BCHW, strong=False) for name in "ab")
        # To guess is not to learn: the batch statistics stay.
        with torch.no_grad(), frozen_statistics(method.network):
            guessed = sum(functional.softmax(method.forward(view), 1) for view in (first, second)) / 2
        q_BC = sharpen(torch.as_tensor(guessed), self.options.temperature)
        onehot_BC = functional.one_hot(batch.y_B[:size], q_BC.shape[1]).float()
        x = torch.cat([batch.images[:size], first, second])
        p_NC = torch.cat([onehot_BC, q_BC, q_BC])
        rng = batch.generator("mixmatch")
        ratio = mix_ratio(rng.beta(self.options.alpha, self.options.alpha))
        order = torch.from_numpy(rng.permutation(len(x)))
        x, p_NC = ratio * x + (1 - ratio) * x[order], ratio * p_NC + (1 - ratio) * p_NC[order]
        chunks = interleave(list(torch.split(x, size)))
        outputs = [method.forward(chunks[0])]
        with frozen_statistics(method.network):
            outputs += [method.forward(chunk) for chunk in chunks[1:]]
        labelled_BC, *rest = interleave(outputs)
        unlabelled_NC = torch.cat(rest)
        ramp = min(1.0, batch.iteration / max(1.0, self.options.ramp * method.bench.train.iterations))
        squared = functional.mse_loss(functional.softmax(unlabelled_NC, 1), p_NC[size:])
        return {
            "loss_sup": functional.cross_entropy(labelled_BC, p_NC[:size]),
            "loss_mixmatch": self.options.weight * ramp * squared,
        }


def sharpen(p_BC: Tensor, temperature: float) -> Tensor:
    """``p^(1/T)``, normalised."""
    powered = p_BC ** (1 / temperature)
    return powered / powered.sum(1, keepdim=True)


def mix_ratio(drawn: float) -> float:
    """The larger share, so that a mixed sample stays closer to its first part: at least 0.5."""
    return max(drawn, 1 - drawn)


def interleave(chunks: Sequence[Tensor]) -> list[Tensor]:
    """Swap parts between chunks so that the first holds samples of all; applied twice it gives the input back.

    Chunk i is cut into as many parts as there are chunks; part i of the first chunk and part i of chunk i change
    places.
    """
    count = len(chunks)
    size = len(chunks[0])
    bounds = [size * part // count for part in range(count + 1)]
    parts = [[chunk[bounds[p] : bounds[p + 1]] for p in range(count)] for chunk in chunks]
    for index in range(1, count):
        parts[0][index], parts[index][index] = parts[index][index], parts[0][index]
    return [torch.cat(part) for part in parts]


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm uses the statistics of the batch but does not record them."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
