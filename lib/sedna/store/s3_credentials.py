"""Keys of an S3 service from a file that somebody else renews."""

from __future__ import annotations

import configparser
import threading
from pathlib import Path
from typing import Final

from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider

from sedna.common.errors import SpecError
from sedna.common.log import LOGGER

__all__ = ["FileCredentials"]

_NAMES: Final = (
    ("aws_access_key_id", "access_key_id"),
    ("aws_secret_access_key", "secret_access_key"),
    ("aws_session_token",),
)
"""Of access key, secret key and session token, in lower case."""

_HINT: Final = "AWS_ACCESS_KEY_ID=... and AWS_SECRET_ACCESS_KEY=..., one a line; or a credentials file of AWS tools"


class FileCredentials(Provider):
    """The keys of ``path``, read again whenever the file has changed; safe for several threads.

    Two forms are read: lines ``NAME=VALUE`` as systemd and Docker read environment files, and the ini file of AWS
    tools, of which ``profile`` is taken. A file that is away or half written for a moment changes nothing: what was
    read last stays, and the service says if it does not want that any more.
    """

    def __init__(self, path: Path, profile: str = "default") -> None:
        self._path = path
        self._profile = profile
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, int, int], Credentials] | None = None
        self._complained: tuple[int, int, int] | None = None

    def retrieve(self) -> Credentials:
        """The keys of now. Called by the client for each request.

        Raises:
            SpecError: the file has never been there, or never held keys.
        """
        with self._lock:
            try:
                found = self._path.stat()
                mark = (found.st_ino, found.st_size, found.st_mtime_ns)
                if self._known is None or self._known[0] != mark:
                    self._known = (mark, self._read())
            except (OSError, SpecError) as error:
                if self._known is None:
                    raise self._unusable(error) from error
                self._complain(error)
            return self._known[1]

    def _read(self) -> Credentials:
        text = self._path.read_text(encoding="utf-8-sig", errors="replace")
        if not any(line.lstrip().startswith("[") for line in text.splitlines()):
            text = f"[{self._profile}]\n{text}"
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text, str(self._path))
            given = dict(parser.items(self._profile))
        except configparser.Error as error:
            raise SpecError(f"cannot be read: {error.message}", where=str(self._path), hint=_HINT) from error
        values = {name.removeprefix("export "): value.strip().strip("\"'") for name, value in given.items()}
        access, secret, token = (next((values[n] for n in names if values.get(n)), None) for names in _NAMES)
        if access is None or secret is None:
            lacking = "access key" if access is None else "secret key"
            raise SpecError(f"there is no {lacking}", where=f"{self._path} [{self._profile}]", hint=_HINT)
        return Credentials(access, secret, token)

    def _unusable(self, error: OSError | SpecError) -> SpecError:
        if isinstance(error, SpecError):
            return error
        return SpecError(f"the S3 keys cannot be read: {error.strerror}", where=str(self._path), hint=_HINT)

    def _complain(self, error: OSError | SpecError) -> None:
        """Once for each known state, since every request comes by here."""
        if self._known is not None and self._complained != self._known[0]:
            self._complained = self._known[0]
            LOGGER.warning("the S3 keys that were read last stay in use: %s", error)
