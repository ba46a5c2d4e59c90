"""A quadratic pull of the weights towards where they were, shared by SI and oEWC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def flatten(values: Iterable[Tensor]) -> Tensor:
    """One vector ``(P,)`` of all values."""
    return torch.cat([value.detach().reshape(-1) for value in values])


def gradients(parameters: Iterable[nn.Parameter]) -> Tensor:
    """``(P,)``; zero where a parameter has no gradient."""
    return torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).reshape(-1) for p in parameters])


def add_to_gradients(parameters: Iterable[nn.Parameter], vector_P: Tensor) -> None:
    """Add a vector to the gradients."""
    offset = 0
    for parameter in parameters:
        part = vector_P[offset : offset + parameter.numel()].view_as(parameter)
        parameter.grad = part.clone() if parameter.grad is None else parameter.grad + part
        offset += parameter.numel()


class QuadraticAnchor:
    """``penalty = strength * sum_i importance_i (theta_i - anchor_i)^2``; nothing before the first `place`."""

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.importance_P: Tensor | None = None
        self.anchor_P: Tensor | None = None

    def place(self, theta_P: Tensor, importance_P: Tensor) -> None:
        """Pull towards ``theta`` from now on."""
        self.anchor_P, self.importance_P = theta_P.clone(), importance_P.clone()

    def value(self, theta_P: Tensor) -> Tensor:
        """The penalty, differentiable."""
        if self.anchor_P is None or self.importance_P is None:
            return theta_P.new_zeros(())
        return self.strength * (self.importance_P * (theta_P - self.anchor_P) ** 2).sum()

    def gradient(self, theta_P: Tensor) -> Tensor | None:
        """``2 * strength * importance * (theta - anchor)``; None while there is no anchor. In closed form because
        autograd over all parameters costs several times as much."""
        if self.anchor_P is None or self.importance_P is None:
            return None
        return 2 * self.strength * self.importance_P * (theta_P - self.anchor_P)

    @property
    def nbytes(self) -> int:
        """Bytes of anchor and importance."""
        return sum(4 * value.numel() for value in (self.anchor_P, self.importance_P) if value is not None)

    def state(self) -> dict[str, Tensor]:
        """Anchor and importance."""
        if self.anchor_P is None or self.importance_P is None:
            return {}
        return {"anchor": self.anchor_P, "importance": self.importance_P}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        if "anchor" in state:
            self.place(state["anchor"], state["importance"])
        else:
            self.anchor_P = self.importance_P = None
