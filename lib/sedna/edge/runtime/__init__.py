"""What runs a model: one module a way of running, chosen when a model is opened."""

from sedna.edge.runtime.base import ModelRuntime
from sedna.edge.runtime.choose import open_runtime

__all__ = ["ModelRuntime", "open_runtime"]
