"""Where an upstream-style program finds the model in service: upstream's paths, without the host behind them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from sedna.common.errors import SpecError
from sedna.common.types import Value

__all__ = ["DOWNLOADS", "HOST_DATA", "ModelPlace", "model_place"]

DOWNLOADS: Final = "/downloads"
"""Where upstream's containers have what was fetched for them, by host or bucket."""

HOST_DATA: Final = "/home/data"
"""Where upstream's containers have folders of the host, and the value of DATA_PATH_PREFIX."""


class ModelPlace(Value):
    """The path of a model in a container, and the folder that is mounted for it."""

    path: str
    mount: str
    read_only: bool
    host_prefix: bool

    @property
    def relative(self) -> str:
        """The model below ``mount``."""
        return str(PurePosixPath(self.path).relative_to(self.mount))


def model_place(url: str) -> ModelPlace:
    """The place of the Model with this URL, as upstream's manager computes it.

    Raises:
        SpecError: the URL names nothing below a host, bucket or folder.
    """
    parts = urlsplit(url)
    if parts.scheme in ("s3", "http", "https"):
        path = _inside(parts.path)
        if not parts.netloc or path is None:
            raise SpecError(f"the URL {url!r} names no object", where="Model", hint="s3://BUCKET/KEY, http(s)://...")
        return ModelPlace(path=f"{DOWNLOADS}/{parts.netloc}/{path}", mount=DOWNLOADS, read_only=True, host_prefix=False)
    path = _inside(parts.path) if parts.scheme in ("", "file") else None
    if path is None:
        raise SpecError(
            f"the URL {url!r} is none of a model", where="Model", hint="s3://..., http(s)://..., or an absolute path"
        )
    place = f"{HOST_DATA}/{path}"
    folder = place.rpartition("/")[0]
    return ModelPlace(path=place, mount=f"{folder}/", read_only=False, host_prefix=True)


def _inside(path: str) -> str | None:
    """The path without its slashes at both ends; None if it names nothing, or climbs."""
    inner = path.strip("/")
    return None if not inner or {"..", "."} & set(inner.split("/")) else inner
