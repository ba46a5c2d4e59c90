"""Number format and memory layout of a run: measured, because the answer differs between processors and networks."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from sedna.algorithms.continual.training.config import TrainConfig
from sedna.algorithms.continual.transforms.pipeline import CPU
from sedna.common.errors import SpecError

_BATCH = 32
_STEPS = 3
_MIN_GAIN = 1.1
"""bfloat16 loses precision, so it must be at least this much faster."""


def choose_device(name: str) -> torch.device:
    """The device of a configuration; "auto" takes a GPU if there is one.

    Raises:
        SpecError: a GPU is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SpecError("there is no CUDA device", where="train.device", hint="cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


@dataclass(frozen=True)
class Precision:
    """What was chosen; ``probe`` holds seconds a step of every combination measured, by name."""

    bf16: bool = False
    channels_last: bool = False
    probe: tuple[tuple[str, float], ...] = ()
    device: torch.device = CPU

    @property
    def memory_format(self) -> torch.memory_format:
        """Of pictures and convolution weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self) -> AbstractContextManager[None]:
        """Around forward passes; losses stay in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def choose_precision(config: TrainConfig, network: nn.Module, image_shape: tuple[int, int, int]) -> Precision:
    """The configured combination, or the fastest of those that the configuration leaves open.

    The network's weights are not changed, its batch norm statistics and layout are put back.
    """
    formats = {"auto": (False, True), "contiguous": (False,), "channels_last": (True,)}[config.memory_format]
    types = {"auto": (False, True), "fp32": (False,), "bf16": (True,)}[config.precision]
    candidates = [(bf16, last) for bf16 in types for last in formats]
    device = next(network.parameters()).device
    if len(candidates) == 1:
        return Precision(*candidates[0], device=device)
    before = {key: value.detach().clone() for key, value in network.state_dict().items()}
    seconds = {pair: _seconds_a_step(network, Precision(*pair, device=device), image_shape) for pair in candidates}
    network.to(memory_format=torch.contiguous_format)
    network.load_state_dict(before)
    best = min(candidates, key=lambda pair: seconds[pair] * (_MIN_GAIN if pair[0] else 1.0))
    probe = tuple((_name(*pair), round(value, 5)) for pair, value in seconds.items())
    return Precision(*best, probe, device)


def _name(bf16: bool, channels_last: bool) -> str:
    return f"{'bf16' if bf16 else 'fp32'} {'channels_last' if channels_last else 'contiguous'}"


def _seconds_a_step(network: nn.Module, precision: Precision, image_shape: tuple[int, int, int]) -> float:
    network.to(memory_format=precision.memory_format)
    x = torch.zeros(_BATCH, *image_shape, device=precision.device).contiguous(memory_format=precision.memory_format)
    best = float("inf")
    for _ in range(1 + _STEPS):  # the first one also builds kernels; the minimum leaves it out
        start = time.perf_counter()
        with precision.autocast():
            logits = network(x)
        loss = functional.cross_entropy(logits.float(), torch.zeros(_BATCH, dtype=torch.long, device=logits.device))
        loss.backward()  # type: ignore[no-untyped-call]
        if precision.device.type == "cuda":
            torch.cuda.synchronize()  # kernels run behind the program's back
        best = min(best, time.perf_counter() - start)
        network.zero_grad(set_to_none=True)
    return best
