"""Settings of the service: arguments, then environment ``SEDNA__...``, then ``<data>/service.yaml``, then defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from globalmanager.api.services import ApiSettings
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db.settings import DatabaseSettings
from globalmanager.service.settings_file import FileSource
from sedna.common.connection_limits import ConnectionLimits
from sedna.store import S3Settings

__all__ = ["EngineOptions", "ServiceSettings"]

_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


class EngineOptions(BaseModel):
    """What may be changed of the engine; the rest follows from the data folder. None = the engine's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tick_seconds: float | None = Field(default=None, gt=0)
    lease_seconds: float | None = Field(default=None, gt=0)
    wait_for_lease: bool = Field(
        default=True,
        description="at the start, until the lease of a dead engine has run out; a living engine's is an error then",
    )
    standby: bool = Field(
        default=False,
        description="one of several services on one database and store: one drives the jobs, the others stand by",
    )
    heartbeat_seconds: float | None = Field(default=None, gt=0)
    stop_grace_seconds: float | None = Field(default=None, ge=0)
    cache_bytes: int | None = Field(default=None, ge=0)
    work_rounds_kept: int | None = Field(default=None, ge=1)


class ServiceSettings(BaseSettings):
    """Everything the service needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="SEDNA__", env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    data_dir: Path = Field(default=Path("sedna-data"), description="database, store, logs; one service at a time")
    host: str = Field(default="127.0.0.1", description="not reachable from other machines unless asked for")
    port: int = Field(default=8080, ge=0, le=65535, description="0 = any free one")
    hosts: tuple[str, ...] = Field(
        default=(),
        description="names under which browsers may reach the page, '*' = any; none = localhost alone where host is "
        "this machine's own address, any elsewhere",
    )
    store_url: str | None = Field(default=None, description="s3://bucket/prefix or a folder; none = <data>/store")
    s3: S3Settings | None = Field(default=None, description="none = the AWS_... variables of the environment")
    db_url: str | None = Field(
        default=None, description="postgresql://user:password@host/name, or sqlite:///file; none = <data>/sedna.db"
    )
    db: DatabaseSettings = Field(default=DatabaseSettings(), description="connections to PostgreSQL")
    admin_token: SecretStr | None = Field(
        default=None,
        min_length=20,
        description="token of an admin that all replicas accept; none = made at the first start, in <data>/admin.token",
    )
    modules: tuple[Path, ...] = Field(default=(), description="Python files that register algorithms or miners")
    allow_module_from_service: bool = Field(
        default=False, description="whether the edges of this process run the Python files that models were made with"
    )
    edges: int = Field(default=0, ge=0, le=16, description="inference workers to run in this process")
    api: ApiSettings = ApiSettings()
    connections: ConnectionLimits = ConnectionLimits()
    engine: EngineOptions = EngineOptions()
    kubernetes: KubernetesSettings | None = Field(default=None, description="none = no cluster: workers are processes")
    shutdown_seconds: int = Field(default=10, ge=1, description="how long open requests may take to end")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    @property
    def browser_hosts(self) -> tuple[str, ...]:
        """`hosts`, or what follows from where the service listens."""
        if self.hosts:
            return self.hosts
        # Who listens for others is reached by names that only they know; the page's data need a sign-in either way.
        return _OWN_NAMES if self.host in _OWN_NAMES else ("*",)

    @model_validator(mode="after")
    def _replicas_share_what_counts(self) -> Self:
        if self.engine.standby:
            # Each would find the samples of the other missing in a folder of its own.
            for name in ("db_url", "store_url"):
                if getattr(self, name) is None:
                    raise ValueError(f"engine.standby needs a {name} that all its services share")
            if self.edges:
                raise ValueError("engine.standby and edges do not go together: each service would have the same edges")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, file; no .env file, which would depend on the folder one happens to stand in."""
        return init_settings, env_settings, FileSource(settings_cls, init_settings, env_settings)
