"""Where a training runs, and how its arithmetic is made repeatable there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch
from torch import nn

from sedna.common.errors import SpecError

CPU = torch.device("cpu")

DeviceName = Literal["cpu", "cuda", "auto"]
"""What a configuration can say; "auto" is a GPU if there is one."""

_Module = TypeVar("_Module", bound=nn.Module)


def choose_device(name: DeviceName, *, where: str) -> torch.device:
    """The device of a configuration.

    Args:
        where: the key that asked, for the message.

    Raises:
        SpecError: a GPU is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SpecError("there is no CUDA device", where=where, hint="cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Run with so many CPU threads of torch; 0 leaves its setting alone. The setting is put back afterwards: it belongs
    to the whole process, in which other models may run."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def repeatable_kernels(device: torch.device) -> Iterator[None]:
    """Let cuDNN choose the same, deterministic convolutions in every run; on a CPU they are so already.

    By default cuDNN may add gradients up in any order, and with ``benchmark`` it times algorithms and takes the
    winner of the moment: two runs of one seed would then differ in their last bits.
    """
    if device.type != "cuda":
        yield
        return
    backend = torch.backends.cudnn
    before = backend.deterministic, backend.benchmark
    backend.deterministic, backend.benchmark = True, False
    try:
        yield
    finally:
        backend.deterministic, backend.benchmark = before


def on_cpu(module: _Module) -> _Module:
    """The module itself if it is on the CPU, otherwise a copy there: the original can go on training."""
    moved = any(value.device != CPU for value in module.state_dict().values())
    return copy.deepcopy(module).to(CPU) if moved else module
