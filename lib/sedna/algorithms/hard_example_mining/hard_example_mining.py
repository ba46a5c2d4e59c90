"""Upstream's import path of the miners."""

from sedna.algorithms.hard_example_mining.base import BaseFilter
from sedna.algorithms.hard_example_mining.constant import CloudOnlyFilter, EdgeOnlyFilter
from sedna.algorithms.hard_example_mining.cross_entropy import CrossEntropyFilter
from sedna.algorithms.hard_example_mining.ibt import IBTFilter
from sedna.algorithms.hard_example_mining.random import RandomFilter
from sedna.algorithms.hard_example_mining.threshold import ThresholdFilter

__all__ = [
    "BaseFilter",
    "CloudOnlyFilter",
    "CrossEntropyFilter",
    "EdgeOnlyFilter",
    "IBTFilter",
    "RandomFilter",
    "ThresholdFilter",
]
