"""What holds for every test: machines are busy, so no property fails for being slow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from fixtures_s3 import s3_server

__all__ = ["s3_server"]

settings.register_profile("sedna", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sedna")
