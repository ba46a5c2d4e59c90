from __future__ import annotations

from hypothesis import settings

# A deadline would make a busy machine look like a fault of the code.
settings.register_profile("sedna", deadline=None)
settings.load_profile("sedna")
