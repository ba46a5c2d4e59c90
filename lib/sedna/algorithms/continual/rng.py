"""Random numbers that depend on where a run stands and on nothing else.

Every draw comes from a generator derived from ``(seed, purpose, counters)``. A run that is killed and resumed at
iteration k therefore draws what the uninterrupted run drew, without any generator state on disk, and evaluating in
between changes nothing.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """The generator of one purpose at one point of a run.

    Args:
        purpose: names what is drawn; two purposes never share numbers.
        counters: task, iteration, retry, ...; not negative.
    """
    # Not hash(): Python salts it in every process, and a resumed run would draw other numbers.
    return np.random.default_rng((seed, zlib.crc32(purpose.encode()), *counters))


def seed_torch(seed: int, purpose: str, *counters: int) -> None:
    """Seed torch's own generator (weight initialisation, dropout) for one point of a run."""
    torch.manual_seed(int(generator(seed, purpose, *counters).integers(2**63 - 1)))
