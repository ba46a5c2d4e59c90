"""The split: the share it promises, both parts early, and no respect for what alternates in the stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.loop import part_of

SHARES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)


def trained(count: int, share: float) -> list[int]:
    return [ordinal for ordinal in range(count) if part_of(ordinal, share) == "train"]


@pytest.mark.parametrize("share", SHARES)
def test_every_whole_block_has_exactly_its_share(share: float) -> None:
    for count in range(20, 400, 20):  # 20 is a whole number of blocks for each of these shares
        assert len(trained(count, share)) == round(count * share)


@given(share=st.floats(0.05, 0.95), count=st.integers(1, 400))
def test_no_prefix_is_far_from_its_share(share: float, count: int) -> None:
    """A block of at most 20 is open, of which share * 20 * (1 - share) <= 5 can be on the wrong side."""
    assert abs(len(trained(count, share)) - count * share) <= 6


@pytest.mark.parametrize("share", SHARES)
def test_both_parts_are_fed_early(share: float) -> None:
    early = {part_of(ordinal, share) for ordinal in range(20 if share == 0.85 else 10)}
    assert early == {"train", "eval"}


@pytest.mark.parametrize(("share", "cameras"), [(0.5, 2), (0.5, 4), (0.75, 4), (0.8, 5), (0.7, 10), (0.9, 10)])
def test_a_stream_that_alternates_in_step_is_not_split_by_what_alternates(share: float, cameras: int) -> None:
    """Cameras take turns, as often as the split's period is long: each must feed both parts about equally."""
    turns = 400
    shares = [0.0] * cameras
    for ordinal in trained(turns * cameras, share):
        shares[ordinal % cameras] += 1 / turns
    # Each is a mean of 400 draws: 0.11 is more than four standard errors.
    assert shares == pytest.approx([share] * cameras, abs=0.11)


def test_the_draw_is_fixed() -> None:
    """Parts of stored samples stay as stored; new ones must not be drawn otherwise by another version."""
    assert "".join(part_of(ordinal, 0.5)[0] for ordinal in range(20)) == "etteteteteteettetete"
    assert "".join(part_of(ordinal, 0.7)[0] for ordinal in range(20)) == "ettettettttttttteteeee"[:20]


def test_a_negative_ordinal_is_refused() -> None:
    with pytest.raises(ValueError, match="ordinal -1 is negative"):
        part_of(-1, 0.5)
