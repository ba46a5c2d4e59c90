from fixtures_service import boards, service
from fixtures_web import warning_filters_entered

__all__ = ["boards", "service", "warning_filters_entered"]
