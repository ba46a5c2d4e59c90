"""Which samples are drawn for audit."""

from __future__ import annotations

import hashlib

from sedna.common.types import SampleId

__all__ = ["is_audited"]


def is_audited(sample: SampleId, ratio: float, seed: int) -> bool:
    """Whether a sample is drawn for audit: by its id alone, so that every edge and every repeat draws the same."""
    # A hash and no generator: there is no state to keep over a restart, and no order of samples to depend on.
    draw = int.from_bytes(hashlib.sha256(f"{seed}:{sample}".encode()).digest()[:8])
    return draw < ratio * 2**64
