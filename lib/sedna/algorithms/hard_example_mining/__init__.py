"""Hard example mining: is the model unsure of this input?

A miner looks at one prediction and answers with a `Verdict`: hard or not, by which score against which threshold, and
why. Called like a function it answers with the bare boolean, as upstream's miners do. Each registers under
``ClassType.HEM``.
"""

from sedna.algorithms.hard_example_mining.base import BaseFilter, verdict_of
from sedna.algorithms.hard_example_mining.boxes import BoxFilter
from sedna.algorithms.hard_example_mining.constant import CloudOnlyFilter, EdgeOnlyFilter
from sedna.algorithms.hard_example_mining.cross_entropy import CrossEntropyFilter
from sedna.algorithms.hard_example_mining.ibt import IBTFilter
from sedna.algorithms.hard_example_mining.random import RandomFilter
from sedna.algorithms.hard_example_mining.threshold import ThresholdFilter

__all__ = [
    "BaseFilter",
    "BoxFilter",
    "CloudOnlyFilter",
    "CrossEntropyFilter",
    "EdgeOnlyFilter",
    "IBTFilter",
    "RandomFilter",
    "ThresholdFilter",
    "verdict_of",
]
