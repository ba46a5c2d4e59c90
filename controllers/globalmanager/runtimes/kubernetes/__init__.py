"""Workers as Pods, one an attempt."""

from globalmanager.runtimes.kubernetes.runtime import PodRuntime
from globalmanager.runtimes.kubernetes.template_check import dry_run

__all__ = ["PodRuntime", "dry_run"]
