"""Edges in the cluster: from ``deploySpec`` to Deployments, DaemonSets and Services, and how far these are."""

from globalmanager.operator.edges.ensure import ensure_edges
from globalmanager.operator.edges.rollout import EdgesRollout

__all__ = ["EdgesRollout", "ensure_edges"]
