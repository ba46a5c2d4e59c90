from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from fixtures_s3 import S3Server
from sedna.store import FolderStore, ObjectStore, S3Settings
from sedna.store.s3 import S3Store


def settings_of(server: S3Server) -> S3Settings:
    return S3Settings(endpoint=server.endpoint, access_key=server.access_key, secret_key=SecretStr(server.secret_key))


@pytest.fixture
def s3_settings(s3_server: S3Server) -> S3Settings:
    return settings_of(s3_server)


@pytest.fixture
def s3_store(s3_server: S3Server) -> Iterator[S3Store]:
    store = S3Store(settings_of(s3_server), s3_server.bucket, f"tests/{uuid.uuid4().hex}")
    yield store
    store.close()


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store of each kind."""
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    found: S3Store = request.getfixturevalue("s3_store")
    return found
