from fixtures_api import api

__all__ = ["api"]
