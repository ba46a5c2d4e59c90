"""How a worker reaches store and service: settings of its machine, which no order holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sedna.common.errors import LinkUnavailableError, NotFoundError, SpecError
from sedna.common.validation import first_fault
from sedna.core.staging.folder import HOST_ROOT, WorkFolder
from sedna.core.staging.identity import FixedToken, PodToken
from sedna.core.staging.service_link import ServiceLink
from sedna.store import FolderStore
from sedna.store.file_sets import FileStore
from sedna.store.node_cache import DEFAULT_BYTES

__all__ = ["WorkerAccess"]

_PREFIX = "SEDNA_"


class WorkerAccess(BaseModel):
    """Where a worker works and how it reaches the others; each field is the variable ``SEDNA_<NAME>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str = Field(default="", description="key of the order in the store; empty: the one of the token")
    store_url: str | None = Field(default=None, description="folder store of this machine; none: through the service")
    service_url: str | None = Field(default=None, description="http(s)://host:port of the service; none: no reports")
    service_url_file: Path | None = Field(
        default=None, description="file with that address, read for every call: a service may come back elsewhere"
    )
    worker_token: str | None = Field(default=None, repr=False, description="bearer token of this attempt")
    identity_file: Path | None = Field(
        default=None, description="token of this Pod, which the service takes for one of the attempt"
    )
    order_file: Path | None = Field(default=None, description="where stage-in leaves the order for the helper")
    work_dir: Path = Field(description="folder of this worker alone")
    inputs_dir: Path | None = Field(default=None, description="where inputs go; none: below the folder")
    data_prefix: str = Field(default=HOST_ROOT, description="DATA_PATH_PREFIX of the program")
    cache_dir: Path = Field(description="files of the store that this machine's workers share")
    cache_bytes: int = Field(default=DEFAULT_BYTES, ge=0, description="of the cache; the oldest files go")
    signals_reach_group: bool = Field(
        default=False, description="whether who sends SIGTERM sends it to the worker's program as well"
    )

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            SpecError: a variable is missing or cannot be read; the message names it.
        """
        given = {name: environment.get(f"{_PREFIX}{name.upper()}") for name in cls.model_fields}
        try:
            access = cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            fault = first_fault(error)
            field = cls.model_fields.get(fault.path)
            hint = (field.description if field else None) or ""
            raise SpecError(fault.message, where=f"{_PREFIX}{fault.path.upper()}", hint=hint) from error
        access.check()
        return access

    def check(self) -> None:
        """Raise `SpecError` unless there is a way to the inputs."""
        if self.store_url is None and (not self._has_service() or not self._has_token()):
            hint = "SEDNA_STORE_URL, a folder; or SEDNA_SERVICE_URL with SEDNA_WORKER_TOKEN"
            raise SpecError("there is no way to the inputs", where="SEDNA_STORE_URL", hint=hint)
        parts = urlsplit(self.service_url or "http://unknown")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SpecError(f"{self.service_url!r} is no address", where="SEDNA_SERVICE_URL", hint="http://HOST:PORT")
        if self.store_url is not None and self.store_url.startswith("s3:"):
            hint = "a worker gets objects of S3 through the service: SEDNA_SERVICE_URL with SEDNA_WORKER_TOKEN"
            raise SpecError("a worker holds no keys of an object store", where="SEDNA_STORE_URL", hint=hint)

    def to_env(self) -> dict[str, str]:
        """The variables that `from_env` reads."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {f"{_PREFIX}{name.upper()}": str(value) for name, value in given.items() if value not in (None, "")}

    @staticmethod
    def without(environment: Mapping[str, str]) -> dict[str, str]:
        """An environment for a program that is not ours: without the token, and the rest of this."""
        ours = {f"{_PREFIX}{name.upper()}" for name in WorkerAccess.model_fields}
        return {name: value for name, value in environment.items() if name not in ours}

    def _has_service(self) -> bool:
        return self.service_url is not None or self.service_url_file is not None

    def _has_token(self) -> bool:
        return self.worker_token is not None or self.identity_file is not None

    @property
    def folder(self) -> WorkFolder:
        """Where the worker's files are."""
        return WorkFolder(
            self.work_dir.absolute(),
            inputs_at=None if self.inputs_dir is None else self.inputs_dir.absolute(),
            data_prefix=self.data_prefix,
        )

    def service(self) -> ServiceLink | None:
        """The service as this worker sees it, or None."""
        if not self._has_service():
            return None
        if self.worker_token is not None:
            return ServiceLink(self._address, FixedToken(self.worker_token))
        if self.identity_file is not None:
            return ServiceLink(self._address, PodToken(self._address, self.identity_file))
        return None

    def _address(self) -> str:
        if self.service_url_file is None:
            assert self.service_url is not None, "checked by service()"
            return self.service_url
        try:
            return self.service_url_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"the address of the service cannot be read: {error.strerror}"
            raise LinkUnavailableError(message, where=str(self.service_url_file)) from error

    def files(self, service: ServiceLink | None) -> FileStore:
        """Where inputs are and results go."""
        if self.store_url is not None:
            folder = Path(unquote(self.store_url.removeprefix("file://")))
            if not folder.is_dir():  # an object store would make it, and find nothing in it
                raise NotFoundError(
                    "there is no such store", where=str(folder), hint="the folder of the service's store"
                )
            return FolderStore(folder)
        assert service is not None, "checked by check()"
        return service
