"""The engine: drives every job of a database through the loop, and takes in what comes from edges and workers."""

from globalmanager.engine.engine import Engine
from globalmanager.engine.seams import EngineSeams

__all__ = ["Engine", "EngineSeams"]
