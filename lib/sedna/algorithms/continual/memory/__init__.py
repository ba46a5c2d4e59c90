"""What is kept of the past: in memory, and on disk."""

from sedna.algorithms.continual.memory.buffer import ReplayBuffer
from sedna.algorithms.continual.memory.columns import RecordColumn, image_columns, sample_id
from sedna.algorithms.continual.memory.disk import DiskTier
from sedna.algorithms.continual.memory.hierarchical import HierarchicalMemory, disk_weights

__all__ = [
    "DiskTier",
    "HierarchicalMemory",
    "RecordColumn",
    "ReplayBuffer",
    "disk_weights",
    "image_columns",
    "sample_id",
]
