"""The bearer token of an edge that is a Pod: it shows who it is, and gets one for a while."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import AuthError, ConflictError, LinkUnavailableError, NotFoundError
from sedna.common.token_file import read_token_file
from sedna.common.validation import first_fault

__all__ = ["PodToken"]

_PATH = "/api/v1/edge-token"
_TIMEOUT = httpx.Timeout(10.0)
_AGAIN = 30.0


class _Admission(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    edge: str
    token: str
    expires_in_seconds: float


class PodToken:
    """Gives a valid token; asks for the next one when half of the time of this one is over. Safe for several threads.

    Args:
        url: of the service.
        file: token of the Pod's service account, which the node renews in its place.
        ca_bundle: certificates to trust instead of the system's.
    """

    def __init__(self, url: str, file: Path, *, ca_bundle: Path | None = None, clock: Clock | None = None) -> None:
        self._address = url.rstrip("/") + _PATH
        self._file = file
        self._clock = clock or SystemClock()
        self._client = httpx.Client(timeout=_TIMEOUT, verify=str(ca_bundle) if ca_bundle is not None else True)
        self._lock = threading.Lock()
        self._held: _Admission | None = None
        self._renew_at = self._ends_at = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __call__(self) -> str:
        """The token.

        Raises:
            AuthError: this Pod is no edge there.
            LinkUnavailableError: the service does not answer, and no valid token is here.
        """
        with self._lock:
            if self._held is None or self._clock.monotonic() >= self._renew_at:
                self._renew()
            assert self._held is not None, "renewed or raised"
            return self._held.token

    @property
    def edge(self) -> str:
        """The name under which the service knows this Pod. Raises as a call."""
        self()
        assert self._held is not None, "the call above has it"
        return self._held.edge

    def refused(self, token: str) -> bool:
        """The service does not take this token any more: ask anew. Returns whether another one may be taken."""
        with self._lock:
            if self._held is not None and self._held.token == token:
                self._held = None
        return True

    def _renew(self) -> None:
        try:
            admission = self._ask()
        except LinkUnavailableError:
            # The service may be away for a while; the old token is good for as long again.
            if self._held is None or self._clock.monotonic() >= self._ends_at:
                raise
            self._renew_at = self._clock.monotonic() + _AGAIN
            return
        now = self._clock.monotonic()
        self._held, self._ends_at = admission, now + admission.expires_in_seconds
        self._renew_at = now + admission.expires_in_seconds / 2

    def _ask(self) -> _Admission:
        own = read_token_file(self._file)
        try:
            response = self._client.post(self._address, headers={"Authorization": f"Bearer {own}"})
        except httpx.HTTPError as error:
            raise LinkUnavailableError(str(error) or type(error).__name__, where=self._address) from error
        if not response.is_success:
            raise _refusal(response, self._address)
        try:
            return _Admission.model_validate_json(response.content)
        except ValidationError as error:
            raise LinkUnavailableError(
                f"the answer of something else: {first_fault(error)}", where=self._address
            ) from error


def _refusal(response: httpx.Response, where: str) -> Exception:
    text = f"{response.status_code} {response.text[:300]}"
    ours = "problem+json" in response.headers.get("Content-Type", "")
    if response.status_code in (401, 403) and ours:
        return AuthError(text, where=where, forbidden=response.status_code == 403)
    if response.status_code == 404 and ours:
        return NotFoundError(text, where=where, hint="is the service told of its cluster?")
    if response.status_code == 409 and ours:
        return ConflictError(text, where=where)
    return LinkUnavailableError(text, where=where)
