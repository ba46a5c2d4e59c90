"""How to reach an S3 service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from sedna.common.errors import SpecError
from sedna.common.types import Value

__all__ = ["S3Settings"]


class S3Settings(Value):
    """Endpoint, credentials and limits of an S3 service. The secrets do not show in ``repr`` and JSON."""

    endpoint: str = Field(
        default="https://s3.amazonaws.com", description="http(s)://host[:port]; https if the scheme is left out"
    )
    access_key: str | None = Field(default=None, description="None = anonymous")
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    credentials_file: Path | None = Field(
        default=None,
        description="instead of keys: a file that holds them, read again when it changes",
    )
    profile: str = Field(default="default", description="section of credentials_file, if it has any")
    region: str | None = Field(default=None, description="None = ask the service where the bucket is")
    path_style: bool | None = Field(
        default=None, description="True = host/bucket/key, False = bucket.host/key, None = what suits the host"
    )
    ca_bundle: Path | None = Field(default=None, description="PEM file of trusted authorities; None = the public ones")
    connect_timeout: float = Field(default=5.0, gt=0, description="seconds")
    read_timeout: float = Field(default=30.0, gt=0, description="seconds without a byte before a request is given up")
    retries: int = Field(default=3, ge=0, le=20, description="more tries after a failed one, with growing pauses")
    part_size: int = Field(
        default=16 << 20,
        ge=5 << 20,
        le=5 << 30,
        description="bytes; larger objects are sent in parts of this size, one in memory at a time",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key come together: set both, or neither for anonymous access")
        if self.access_key is not None and self.credentials_file is not None:
            raise ValueError("keys come from access_key and secret_key or from credentials_file: set one of the two")
        return self

    @property
    def secure(self) -> bool:
        """Whether the endpoint speaks TLS."""
        return _split_endpoint(self.endpoint)[0]

    @property
    def host(self) -> str:
        """host[:port] of the endpoint."""
        return _split_endpoint(self.endpoint)[1]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> S3Settings:
        """Settings from the variables that AWS tools read, or else those that upstream Sedna gives its workers.

        ``AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_DEFAULT_REGION AWS_CA_BUNDLE``
        or ``S3_ENDPOINT_URL ACCESS_KEY_ID SECRET_ACCESS_KEY``. Without keys among them, those of the file that
        ``AWS_SHARED_CREDENTIALS_FILE`` names, section ``AWS_PROFILE``. An empty variable counts as not set.

        Raises:
            SpecError: the endpoint is no URL, or only half of the credentials are set.
        """

        def first(*names: str) -> str | None:
            return next((env[name] for name in names if env.get(name)), None)

        endpoint = first("AWS_ENDPOINT_URL", "S3_ENDPOINT_URL") or "https://s3.amazonaws.com"
        # A pair is taken from one family of names: half of one and half of the other is never right.
        pairs = (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
        key_name, secret_name = next((pair for pair in pairs if first(*pair)), pairs[0])
        access_key, secret_key = first(key_name), first(secret_name)
        if (access_key is None) != (secret_key is None):
            missing = key_name if access_key is None else secret_name
            raise SpecError("half of the S3 credentials is missing", where=missing, hint="set both or neither")
        token, bundle = first("AWS_SESSION_TOKEN"), first("AWS_CA_BUNDLE")
        file = first("AWS_SHARED_CREDENTIALS_FILE") if access_key is None else None
        _split_endpoint(endpoint)
        return cls(
            endpoint=endpoint,
            access_key=access_key,
            secret_key=SecretStr(secret_key) if secret_key else None,
            session_token=SecretStr(token) if token else None,
            credentials_file=Path(file) if file else None,
            profile=first("AWS_PROFILE") or "default",
            region=first("AWS_DEFAULT_REGION", "AWS_REGION"),
            ca_bundle=Path(bundle) if bundle else None,
        )


def _split_endpoint(endpoint: str) -> tuple[bool, str]:
    """(TLS?, host[:port]) of an endpoint."""
    text = endpoint if "://" in endpoint else f"https://{endpoint}"
    hint = "use a URL such as https://s3.example.org or http://minio:9000"
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port  # raises when it is no number
    except ValueError as error:
        raise SpecError(f"the S3 endpoint is no URL: {error}", where=repr(endpoint), hint=hint) from error
    if parts.username or parts.password:
        raise SpecError("the S3 endpoint holds credentials", hint="give them as access key and secret key")
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise SpecError("this is no S3 endpoint", where=repr(endpoint), hint=hint)
    return parts.scheme == "https", parts.netloc
