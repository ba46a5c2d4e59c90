from worker_place import place

from fixtures_api import api

__all__ = ["api", "place"]
