"""By which token a worker speaks to the service: one that it was given, or one for which it shows who it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx

from sedna.common.errors import LinkUnavailableError
from sedna.core.staging.service_answers import TIMEOUT, link_errors, refusal

__all__ = ["FixedToken", "PodToken", "TokenSource"]

_PATH = "api/v1/worker-token"


class TokenSource(Protocol):
    """Gives the bearer token of an attempt."""

    def token(self) -> str:
        """The token.

        Raises:
            LinkUnavailableError: it cannot be had now.
            AuthError: there is none, for the attempt is over.
        """
        ...

    def refused(self, token: str) -> bool:
        """The service does not know this token. Returns whether there may be another one now."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


class FixedToken:
    """A token that was given to the worker; it ends with the attempt."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def refused(self, token: str) -> bool:  # noqa: ARG002  there is no other one
        return False

    def close(self) -> None:
        """Nothing is held."""


class PodToken:
    """A token that the service gives to the Pod of an attempt.

    Args:
        url: gives the address of the service.
        file: the Pod's own token, which the node renews in its place.
    """

    def __init__(self, url: Callable[[], str], file: Path) -> None:
        self._url = url
        self._file = file
        self._client = httpx.Client(timeout=TIMEOUT)
        self._lock = threading.Lock()
        self._held: str | None = None

    def token(self) -> str:
        with self._lock:
            if self._held is None:
                self._held = self._exchange()
            return self._held

    def refused(self, token: str) -> bool:
        with self._lock:
            if self._held == token:
                self._held = None
        return True

    def close(self) -> None:
        self._client.close()

    def _exchange(self) -> str:
        try:
            own = self._file.read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"the token of this Pod cannot be read: {error.strerror}"
            raise LinkUnavailableError(message, where=str(self._file)) from error
        with link_errors(_PATH):
            address = f"{self._url().rstrip('/')}/{_PATH}"
            response = self._client.post(address, headers={"Authorization": f"Bearer {own}"})
        if not response.is_success:
            raise refusal(response, _PATH)
        return str(response.json()["token"])
