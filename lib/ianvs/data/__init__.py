"""Data of a benchmark: reading, cutting into rounds, checking."""

from ianvs.data.dataset import Dataset
from ianvs.data.split import Pieces

__all__ = ["Dataset", "Pieces"]
