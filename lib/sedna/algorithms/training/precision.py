"""Number format and memory layout of a run: measured, because the answer differs between processors and networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sedna.algorithms.training.device import CPU

_STEPS = 2
_MIN_GAIN = 1.1
"""Every other choice changes the last bits, and bfloat16 more than these: it must be at least this much faster."""


@dataclass(frozen=True)
class Precision:
    """What was chosen; ``probe`` holds seconds a step of every combination measured, by name."""

    bf16: bool = False
    channels_last: bool = False
    probe: tuple[tuple[str, float], ...] = ()
    device: torch.device = CPU

    @property
    def name(self) -> str:
        """Such as "bf16 channels_last"."""
        return f"{'bf16' if self.bf16 else 'fp32'} {'channels_last' if self.channels_last else 'contiguous'}"

    @property
    def memory_format(self) -> torch.memory_format:
        """Of pictures and convolution weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self) -> AbstractContextManager[None]:
        """Around forward passes; losses stay in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def choose_precision(
    network: nn.Module,
    loss_of: Callable[[Precision], Tensor],
    *,
    bf16: Sequence[bool],
    channels_last: Sequence[bool],
) -> Precision:
    """The only combination that a configuration allows, or the fastest of several, measured on the network's device.

    The first value of each sequence is the usual one; another combination is taken where it is clearly faster, so that
    two close times do not decide differently from run to run.

    Args:
        network: ends with the weights, statistics and mode it came with, without gradients, in the chosen layout.
        loss_of: one forward pass in the given precision, as in training.
        bf16, channels_last: the values that may be chosen, one or two each.
    """
    device = next(network.parameters()).device
    candidates = [Precision(b, c, device=device) for b in bf16 for c in channels_last]
    best, probe = candidates[0], {}
    if len(candidates) > 1:
        before = {key: value.detach().clone() for key, value in network.state_dict().items()}
        probe = {one.name: round(_seconds_a_step(network, loss_of, one), 5) for one in candidates}
        # The passes moved the batch norm statistics: a run must start from the same state whether it probes or not.
        network.load_state_dict(before)
        best = next(one for one in candidates if one.name == clearly_fastest(probe))
    network.to(memory_format=best.memory_format)
    return Precision(best.bf16, best.channels_last, tuple(probe.items()), device)


def clearly_fastest(seconds: Mapping[str, float]) -> str:
    """The first name, unless another one's time is smaller by a margin of a tenth; of several such the smallest."""
    usual = next(iter(seconds))
    return min(seconds, key=lambda name: seconds[name] * (1.0 if name == usual else _MIN_GAIN))


def _seconds_a_step(network: nn.Module, loss_of: Callable[[Precision], Tensor], precision: Precision) -> float:
    network.to(memory_format=precision.memory_format)
    best = float("inf")
    for _ in range(1 + _STEPS):  # the first one also builds kernels; the minimum leaves it out
        start = time.perf_counter()
        loss_of(precision).backward()  # type: ignore[no-untyped-call]
        if precision.device.type == "cuda":
            torch.cuda.synchronize()  # kernels run behind the program's back
        best = min(best, time.perf_counter() - start)
        network.zero_grad(set_to_none=True)
    return best
