"""Which share a labelled sample belongs to: fixed when it is first labelled, and never changed."""

from __future__ import annotations

import math
from typing import Literal

Part = Literal["train", "eval"]


def part_of(ordinal: int, train_prob: float) -> Part:
    """The part of a job's ``ordinal``-th labelled sample (0-based).

    Spreads the training share evenly: after n samples, floor(n * train_prob) of them are for training, so that every
    batch, however small, feeds both parts. (Upstream gives each batch's first lines to training and its tail to
    evaluation, which judges a model on the end of a recording.)
    """
    if ordinal < 0:
        raise ValueError(f"ordinal {ordinal} is negative; the first labelled sample is 0")
    more = math.floor((ordinal + 1) * train_prob + 1e-9) > math.floor(ordinal * train_prob + 1e-9)
    return "train" if more else "eval"
