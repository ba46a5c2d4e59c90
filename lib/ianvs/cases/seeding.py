"""Seeds and states of everything that draws numbers."""

from __future__ import annotations

import random
import sys
from typing import Any


def seed_everything(seed: int) -> None:
    """Seed Python's and numpy's generators, and those of torch and tensorflow if user code imported them."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - user code draws from the global generator
    # Only what user code imported: importing a framework for its seed would cost seconds, and pick its backend.
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        tensorflow.random.set_seed(seed)


def random_states() -> dict[str, Any]:
    """Where the global generators of Python, numpy and torch are. Tensorflow's kernels keep theirs to themselves."""
    import numpy as np

    states: dict[str, Any] = {"python": random.getstate(), "numpy": np.random.get_state()}  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = torch.get_rng_state()
        states["cuda"] = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return states


def set_random_states(states: dict[str, Any]) -> None:
    """Put the generators where `random_states` found them."""
    import numpy as np

    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    if "torch" in states:
        # User code may not have imported it yet in this process; it will, and must find its generator there.
        import torch

        torch.set_rng_state(states["torch"])
        if states["cuda"]:
            torch.cuda.set_rng_state_all(states["cuda"])
