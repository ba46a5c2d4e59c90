"""What holds for every test: machines are busy, so no property fails for being slow."""

from __future__ import annotations

import sys

from hypothesis import HealthCheck, settings

from fixtures_s3 import s3_server

__all__ = ["s3_server"]

settings.register_profile("sedna", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sedna")


def pytest_sessionfinish() -> None:
    """Leave what a later step of CI reads."""
    rights = sys.modules.get("fixtures_rights")  # only where a test has asked for it: the edge's need no YAML
    if rights is not None:
        rights.write_asked()
