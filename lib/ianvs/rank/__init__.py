"""Ranks: rows of results, ordered, stored as csv, shown as a table and as a page."""

from ianvs.rank.store import RankFiles, update_rank

__all__ = ["RankFiles", "update_rank"]
