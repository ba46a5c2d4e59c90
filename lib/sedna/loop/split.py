"""Which share a labelled sample belongs to: fixed when it is first labelled, and never changed."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from typing import Literal

Part = Literal["train", "eval"]

_LONGEST_USUAL_BLOCK = 20
_ROUNDING = 1e-9
"""Of a share times a number of samples: 0.7 * 10 is a little less than 7 in binary."""


def part_of(ordinal: int, train_prob: float) -> Part:
    """The part of a job's ``ordinal``-th labelled sample (0-based).

    Samples are split in short blocks (2 for 0.5, 5 for 0.8, 10 for 0.7). After each whole block exactly
    floor(n * train_prob) of the n samples so far are for training, so that both parts are fed early; which samples of a
    block these are is drawn by hash. A rule that counts instead of drawing would split a stream by whatever alternates
    in step with it: with two cameras in turn and 0.5, all pictures of one camera would train. (Upstream gives each
    batch's first lines to training and its tail to evaluation, which judges a model on the end of a recording.)

    Args:
        train_prob: share of the training part, between 0 and 1.

    Raises:
        ValueError: ``ordinal`` is negative.
    """
    if ordinal < 0:
        raise ValueError(f"ordinal {ordinal} is negative; the first labelled sample is 0")
    length = _block_length(train_prob)
    block, place = divmod(ordinal, length)
    wanted = _train_before((block + 1) * length, train_prob) - _train_before(block * length, train_prob)
    draws = hashlib.shake_256(b"%d" % block).digest(8 * length)
    keys = [draws[8 * i : 8 * i + 8] for i in range(length)]
    return "train" if sum(key < keys[place] for key in keys) < wanted else "eval"


def _block_length(train_prob: float) -> int:
    """The shortest block in which the share comes out, or nearly so, and in which the smaller part has a sample."""
    nearest = Fraction(train_prob).limit_denominator(_LONGEST_USUAL_BLOCK).denominator
    return max(nearest, math.ceil(1 / min(train_prob, 1 - train_prob) - _ROUNDING))


def _train_before(ordinal: int, train_prob: float) -> int:
    return math.floor(ordinal * train_prob + _ROUNDING)
