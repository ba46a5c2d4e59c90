"""How people label the samples of a job. All of it is ours: upstream labels elsewhere."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sedna.loop.spec_model import SpecModel

__all__ = ["LabelOrder", "Labels"]

LabelOrder = Literal["entropy", "margin", "least_confidence", "disagreement", "new_classes", "k_center", "oldest"]


class Labels(SpecModel):
    """Ours: how many people label a sample, what settles a label, and what they see first."""

    annotators: int = Field(
        default=1,
        ge=1,
        le=9,
        description="So many people answer a sample before its label is settled; none sees what the others say.",
    )
    share: float = Field(
        default=1,
        gt=0,
        le=1,
        description="Share of the samples that so many people answer, drawn at random; one person answers the others.",
    )
    agreement: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Answers that agree less than this go to review: of classes, the share of the answers that the "
        "winner has; of boxes, the mean over two people of the overlaps, divided by the larger number of boxes.",
    )
    order: LabelOrder = Field(
        default="entropy", description="Which samples people see first, unless they ask for another order."
    )
    lease_seconds: float = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds for which a sample is kept for the person who has it open; every draft begins them anew.",
    )
