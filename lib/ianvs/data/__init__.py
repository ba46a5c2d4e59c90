"""Data of a benchmark: reading, cutting into rounds, checking."""

from ianvs.data.dataset import CaseDataset
from ianvs.data.split import StreamPiece

__all__ = ["CaseDataset", "StreamPiece"]
