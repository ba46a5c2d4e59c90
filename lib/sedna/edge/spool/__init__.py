"""The durable spool: samples wait on the edge's disk until the cloud has acknowledged them."""

from sedna.edge.spool.spool import Spool
from sedna.edge.spool.values import DropPolicy, JobSpoolCounts, RefusedSample, SpoolEntry, SpoolState, SpoolStats

__all__ = ["DropPolicy", "JobSpoolCounts", "RefusedSample", "Spool", "SpoolEntry", "SpoolState", "SpoolStats"]
