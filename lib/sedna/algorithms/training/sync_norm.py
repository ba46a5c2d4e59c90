"""Batch norm over the shares of all processes: mean, variance and gradients of the whole batch.

torch has this for GPUs only. Only the forward pass inside `Group.measuring` is over shares; everywhere else, and with
one process, the layers are torch's own.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.training.distributed import Group

__all__ = ["plain", "synchronised"]

_Norm = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - the common base of the three has no other name
_Module = TypeVar("_Module", bound=nn.Module)


def synchronised(module: _Module, group: Group) -> _Module:
    """The module itself, whose batch norms measure all processes from now on. Weights and their names stay."""
    if group.size == 1:
        return module
    for layer in module.modules():
        if type(layer) in _SYNCED:
            layer.__class__ = _SYNCED[type(layer)]
            cast(_Synced, layer).group = group
    return module


def plain(module: _Module) -> _Module:
    """The module itself with torch's own batch norms again."""
    originals = {synced: original for original, synced in _SYNCED.items()}
    for layer in module.modules():
        if type(layer) in originals:
            layer.__class__ = originals[type(layer)]
            del layer.group
    return module


class _Synced(_Norm):
    group: Group

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        if not (self.training and self.group.splitting):
            return super().forward(input)
        self._check_input_dim(input)  # type: ignore[no-untyped-call]
        count, mean_C, var_C = _measure(input, self.group)
        if count < 2:  # torch's words: callers know them
            raise ValueError(f"Expected more than 1 value per channel when training, got {count:.0f} in all processes")
        self._remember(count, mean_C, var_C)
        weight, bias = self.weight, self.bias
        return _Normalise.apply(input, weight, bias, mean_C, var_C, self.eps, count, self.group)  # type: ignore[no-any-return]

    def _remember(self, count: float, mean_C: Tensor, var_C: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean_C.to(self.running_mean.dtype), rate)
            self.running_var.lerp_((var_C * (count / (count - 1))).to(self.running_var.dtype), rate)


class _Synced1d(_Synced, nn.BatchNorm1d): ...


class _Synced2d(_Synced, nn.BatchNorm2d): ...


class _Synced3d(_Synced, nn.BatchNorm3d): ...


_SYNCED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _Synced1d,
    nn.BatchNorm2d: _Synced2d,
    nn.BatchNorm3d: _Synced3d,
}


def _measure(x: Tensor, group: Group) -> tuple[float, Tensor, Tensor]:
    """Values a channel, mean and biased variance over all processes; the same bits in each."""
    axes = [0, *range(2, x.dim())]
    own = 0.0 if group.idle else x.numel() / x.shape[1]
    with torch.no_grad():
        var_C, mean_C = torch.var_mean(x.float(), axes, correction=0)
        told = torch.cat([mean_C.new_tensor([own]), mean_C, var_C]).double()
        found = torch.stack(group.gather(told))
        count_R1, mean_RC, var_RC = found[:, :1], *found[:, 1:].chunk(2, 1)
        count = count_R1.sum().clamp(min=1)
        mean_C = (count_R1 * mean_RC).sum(0) / count
        # Around the common mean: a difference of sums of squares would lose the digits of a small variance.
        var_C = (count_R1 * (var_RC + (mean_RC - mean_C) ** 2)).sum(0) / count
    return float(count), mean_C.float(), var_C.float()


class _Normalise(torch.autograd.Function):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` where mean and var depend on the inputs of all processes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean_C: Tensor,
        var_C: Tensor,
        eps: float,
        count: float,
        group: Group,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean_C, var_C)
        ctx.eps, ctx.count, ctx.group, ctx.idle = eps, count, group, group.idle
        return functional.batch_norm(x, mean_C, var_C, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean_C, var_C = ctx.saved_tensors
        # As if mean and variance were constants: the sums in weight_C and bias_C are what is missing for the rest.
        direct, weight_C, bias_C = torch.ops.aten.native_batch_norm_backward(
            gradients[0].to(x.dtype), x, weight, mean_C, var_C, None, None, False, ctx.eps, [True, True, True]
        )
        weight_C, bias_C = weight_C.float(), bias_C.float()
        # dx = w r (dy - mean(dy) - x^ mean(dy x^)), x^ = (x - mean) r, means over all processes
        inverse_C = torch.rsqrt(var_C + ctx.eps)
        sums = torch.stack(ctx.group.gather(torch.stack([weight_C, bias_C]))).sum(0) / ctx.count
        scale_C = inverse_C if weight is None else inverse_C * weight.float()
        slope_C = -scale_C * inverse_C * sums[0]
        offset_C = -scale_C * sums[1] - slope_C * mean_C
        shape = (1, -1, *[1] * (x.dim() - 2))
        dx = torch.addcmul(direct.float() + offset_C.view(shape), x.float(), slope_C.view(shape)).to(x.dtype)
        if ctx.idle:  # the common mean is none of its business
            dx = torch.zeros_like(dx)
        affine = weight is not None
        return dx, weight_C if affine else None, bias_C if affine else None, None, None, None, None, None
