from fixtures_api import api
from fixtures_worker_place import place

__all__ = ["api", "place"]
