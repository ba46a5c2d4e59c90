"""URLs, settings and environment variables that lead to a store."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from sedna.common.errors import SpecError
from sedna.store import FolderStore, S3Settings, open_store
from sedna.store.s3 import S3Store

SETTINGS = S3Settings(
    endpoint="http://127.0.0.1:1", access_key="key", secret_key=SecretStr("secret-value"), region="us-east-1"
)


def test_paths_and_file_urls_open_folders(tmp_path: Path) -> None:
    for url in (tmp_path / "a", str(tmp_path / "a"), f"file://{tmp_path}/a", f"file://localhost{tmp_path}/a"):
        store = open_store(url)
        assert isinstance(store, FolderStore)
        assert store.root == tmp_path / "a"
    escaped = open_store(f"file://{tmp_path}/with%20space")
    assert escaped.url == f"file://{tmp_path}/with%20space"
    assert (tmp_path / "with space").is_dir()


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_store("sub/folder").url == (tmp_path / "sub" / "folder").as_uri()


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a/b", "bucket", "a/b/"),
        ("s3://my.bucket-1/a/b/", "my.bucket-1", "a/b/"),
    ],
)
def test_s3_urls_name_bucket_and_prefix(url: str, bucket: str, prefix: str) -> None:
    store = open_store(url, SETTINGS)
    assert isinstance(store, S3Store)
    assert (store.bucket, store.prefix) == (bucket, prefix)
    assert store.url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "gs://bucket/x",
        "http://host/bucket",
        "s3:bucket",
        "s3:/bucket",
        "file:x",
        "file://host/x",
        "s3://",
        "s3://ab",
        "s3://Bucket",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/a?x=1",
        "s3://bucket/a#x",
        "s3://key:secret-value@bucket/a",
    ],
)
def test_other_urls_are_refused_with_what_would_be_right(url: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_store(url, SETTINGS)
    assert caught.value.hint
    assert "secret-value" not in str(caught.value)


def test_settings_come_from_aws_variables() -> None:
    settings = S3Settings.from_env(
        {
            "AWS_ENDPOINT_URL": "https://s3.example.org:8443",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_SESSION_TOKEN": "t",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CA_BUNDLE": "/etc/ca.pem",
            "S3_ENDPOINT_URL": "http://not-this-one",
            "ACCESS_KEY_ID": "not-this-one",
        }
    )
    assert (settings.secure, settings.host) == (True, "s3.example.org:8443")
    assert settings.access_key == "a"
    assert settings.secret_key is not None
    assert settings.session_token is not None
    assert (settings.secret_key.get_secret_value(), settings.session_token.get_secret_value()) == ("s", "t")
    assert (settings.region, settings.ca_bundle) == ("eu-west-1", Path("/etc/ca.pem"))


def test_settings_come_from_upstream_variables() -> None:
    settings = S3Settings.from_env(
        {"S3_ENDPOINT_URL": "http://minio:9000", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": ""}
    )
    assert (settings.secure, settings.host, settings.access_key) == (False, "minio:9000", "a")


def test_an_endpoint_without_a_scheme_means_tls() -> None:
    settings = S3Settings.from_env({"S3_ENDPOINT_URL": "minio:9000"})
    assert (settings.secure, settings.host) == (True, "minio:9000")


def test_without_variables_it_is_anonymous_aws() -> None:
    settings = S3Settings.from_env({})
    assert (settings.host, settings.access_key, settings.secret_key) == ("s3.amazonaws.com", None, None)


@pytest.mark.parametrize(
    "env",
    [
        {"AWS_ACCESS_KEY_ID": "a"},
        {"AWS_SECRET_ACCESS_KEY": "s"},
        {"ACCESS_KEY_ID": "a"},
        {"AWS_ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "of the other family"},
        {"AWS_ENDPOINT_URL": "ftp://host"},
        {"AWS_ENDPOINT_URL": "http://host/path"},
        {"AWS_ENDPOINT_URL": "http://host:port"},
        {"AWS_ENDPOINT_URL": "http://key:secret-value@host"},
    ],
)
def test_unusable_variables_are_told(env: dict[str, str]) -> None:
    with pytest.raises(SpecError) as caught:
        S3Settings.from_env(env)
    assert "secret-value" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    assert "secret-value" not in repr(SETTINGS)
    assert "secret-value" not in SETTINGS.model_dump_json()


def test_half_of_the_credentials_is_refused() -> None:
    with pytest.raises(ValidationError, match="together"):
        S3Settings(access_key="a")


def test_a_missing_bundle_and_a_bad_region_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="CA bundle"):
        S3Store(SETTINGS.model_copy(update={"ca_bundle": tmp_path / "none.pem"}), "bucket")
    with pytest.raises(SpecError, match="region"):
        S3Store(SETTINGS.model_copy(update={"region": "no region!"}), "bucket")


@pytest.mark.parametrize(
    ("path_style", "start"),
    [
        (None, "http://s3.local:9000/bucket/k"),
        (True, "http://s3.local:9000/bucket/k"),
        (False, "http://bucket.s3.local:9000/k"),
    ],
)
def test_the_style_of_addresses_can_be_chosen(path_style: bool | None, start: str) -> None:
    from datetime import timedelta

    settings = SETTINGS.model_copy(update={"path_style": path_style, "endpoint": "http://s3.local:9000"})
    url = S3Store(settings, "bucket").presign_get("k", timedelta(seconds=60))
    assert url is not None
    assert url.startswith(f"{start}?X-Amz-Algorithm=")
