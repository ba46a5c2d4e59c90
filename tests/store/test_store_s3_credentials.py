"""Keys that are renewed while the service runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from fixtures_faulty_s3 import FaultyS3, faulty_s3
from sedna.common.errors import SpecError
from sedna.store import S3Settings
from sedna.store.s3 import S3Store
from sedna.store.s3_credentials import FileCredentials

__all__ = ["faulty_s3"]


def write(path: Path, text: str) -> Path:
    """As somebody who renews keys should: the file is never half there."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b/c=\nAWS_SESSION_TOKEN=t\n",
        "\ufeff# comment\nexport AWS_ACCESS_KEY_ID=a\nexport AWS_SECRET_ACCESS_KEY='b/c='\nAWS_SESSION_TOKEN=\"t\"\n",
        "ACCESS_KEY_ID=a\r\nSECRET_ACCESS_KEY=b/c=\r\nAWS_SESSION_TOKEN=t\r\n",
        "[x]\naws_access_key_id=x\n[default]\naws_access_key_id=a\naws_secret_access_key = b/c=\naws_session_token=t\n",
    ],
    ids=["environment", "shell", "upstream", "ini"],
)
def test_both_forms_are_read(tmp_path: Path, text: str) -> None:
    found = FileCredentials(write(tmp_path / "keys", text)).retrieve()
    assert (found.access_key, found.secret_key, found.session_token) == ("a", "b/c=", "t")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("", "no access key"),
        ("AWS_ACCESS_KEY_ID=a\n", "no secret key"),
        ("[other]\naws_access_key_id = x\n", r"default"),
        ("nonsense\n", "cannot be read"),
    ],
)
def test_a_file_without_keys_is_told(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "keys"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpecError, match=said) as caught:
        FileCredentials(path).retrieve()
    assert str(path) in str(caught.value)


def test_a_running_store_takes_the_new_keys_and_keeps_the_old_ones_while_there_are_none(
    faulty_s3: FaultyS3, tmp_path: Path
) -> None:
    path = write(tmp_path / "keys", "AWS_ACCESS_KEY_ID=first\nAWS_SECRET_ACCESS_KEY=b\n")
    settings = S3Settings(endpoint=faulty_s3.endpoint, region="us-east-1", credentials_file=path)
    store = S3Store(settings, "bucket")
    store.put("k", b"1")
    write(path, "AWS_ACCESS_KEY_ID=second\nAWS_SECRET_ACCESS_KEY=b\n")
    store.put("k", b"2")
    path.unlink()
    store.put("k", b"3")
    path.write_text("AWS_ACCESS")
    assert store.get("k") == b"3"
    signed = store.presign_put("k", timedelta(minutes=1))
    store.close()
    assert signed is not None
    assert "second" in signed.url
    assert faulty_s3.keys == ["first", "second", "second", "second"]


def test_the_environment_may_name_the_file_and_keys_come_first(tmp_path: Path) -> None:
    env = {"AWS_SHARED_CREDENTIALS_FILE": "/keys", "AWS_PROFILE": "line-3"}
    found = S3Settings.from_env(env)
    assert (found.credentials_file, found.profile) == (Path("/keys"), "line-3")
    both = S3Settings.from_env(env | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    assert both.credentials_file is None
    with pytest.raises(ValidationError, match="set one of the two"):
        S3Settings.model_validate({"access_key": "a", "secret_key": "b", "credentials_file": "/keys"})
