"""Which samples to label next: scores by uncertainty, by disagreement, and choice by diversity. numpy only.

A score is larger for a sample that is worth more. `select` picks from a whole pool; `select_per_class` the same number
for each class, when an oracle (or a pseudo-label) tells the class. `recorded_score` reads what an edge recorded.
"""

from sedna.algorithms.active_learning.recorded import recorded_class, recorded_score
from sedna.algorithms.active_learning.selection import k_center, select, select_per_class
from sedna.algorithms.active_learning.uncertainty import (
    SCORES,
    committee_entropy,
    entropy,
    least_confidence,
    margin,
)

__all__ = [
    "SCORES",
    "committee_entropy",
    "entropy",
    "k_center",
    "least_confidence",
    "margin",
    "recorded_class",
    "recorded_score",
    "select",
    "select_per_class",
]
