"""Edge-cloud incremental learning: hard examples travel from the edge, better models travel back.

Importing the package makes the names of the built-in algorithms known; none of them is imported before it
is asked for.
"""

import sedna.algorithms as algorithms  # makes the built-in names known to ClassFactory
from sedna.__version__ import __version__
from sedna.common import paradigms as _paradigms

__all__ = ["__version__", "algorithms"]

_paradigms.explain_missing_paradigms()
