"""What holds for every test: machines are busy, so no property fails for being slow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("sedna", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sedna")
