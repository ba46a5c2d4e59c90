"""From a URL to a store."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sedna.common.errors import SpecError
from sedna.store.base import ObjectStore
from sedna.store.local import FolderStore
from sedna.store.s3_settings import S3Settings

__all__ = ["open_store"]

_FORMS = "use s3://bucket/prefix, file:///folder, or the path of a folder"


def open_store(url: str | Path, credentials: S3Settings | None = None) -> ObjectStore:
    """Open the store at ``url``: ``s3://bucket[/prefix]``, ``file:///folder`` or the bare path of a folder.

    A folder is made if it is missing, a bucket is not. ``credentials`` are for S3; None = from the environment of
    this process (`S3Settings.from_env`).

    Raises:
        SpecError: the URL has another form, or the settings are not usable.
        AuthError: the folder cannot be written. An S3 service is not asked before the first call.
    """
    text = str(url)
    if not text.strip():
        raise SpecError("the URL of the store is empty", hint=_FORMS)
    if "://" not in text:
        scheme = text.partition(":")[0]
        if scheme in ("s3", "file") and text != scheme:
            raise SpecError("the URL lacks its two slashes", where=text, hint=_FORMS)
        return FolderStore(text)
    parts = urlsplit(text)
    if parts.query or parts.fragment or "@" in parts.netloc:
        shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"  # what is left out may be a secret
        raise SpecError("the URL of a store has no user, query or fragment", where=shown, hint=_FORMS)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise SpecError("a file URL names an absolute path of this machine", where=text, hint="file:///folder")
        return FolderStore(unquote(parts.path))
    if parts.scheme == "s3":
        from sedna.store.s3 import S3Store  # a folder should not cost the import of an HTTP stack

        settings = credentials if credentials is not None else S3Settings.from_env(os.environ)
        return S3Store(settings, parts.netloc, parts.path.strip("/"))
    raise SpecError(f"there is no store for {parts.scheme}://", where=text, hint=_FORMS)
