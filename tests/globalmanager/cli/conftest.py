from fixtures_service import boards, service

__all__ = ["boards", "service"]
