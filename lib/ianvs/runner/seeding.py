"""Seeds of everything that draws numbers."""

from __future__ import annotations

import random
import sys


def seed_everything(seed: int) -> None:
    """Seed Python's and numpy's generators, and those of torch and tensorflow if user code imported them."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - user code draws from the global generator
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        tensorflow.random.set_seed(seed)
