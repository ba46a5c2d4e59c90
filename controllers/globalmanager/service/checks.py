"""A look at a running service from outside, as its callers and workers see it."""

from __future__ import annotations

import httpx

from globalmanager.service.run import load_settings
from sedna.common.clock import Clock
from sedna.common.errors import IntegrityError, LinkUnavailableError
from sedna.store import open_store

__all__ = ["check_ready", "check_store"]

_ANSWER_S = 10.0
_LOOK_S = 2.0


def check_ready(url: str, clock: Clock, seconds: float) -> str:
    """Ask ``/readyz`` until it says yes; the address.

    Raises:
        LinkUnavailableError: it did not within ``seconds``; the message says what it lacks.
    """
    until = clock.monotonic() + seconds
    while True:
        try:
            answer = httpx.get(f"{url.rstrip('/')}/readyz", timeout=_ANSWER_S)
            if answer.status_code == httpx.codes.OK:
                return f"{url} is ready"
            lack = answer.text
        except httpx.HTTPError as error:
            lack = str(error) or type(error).__name__
        if clock.monotonic() >= until:
            raise LinkUnavailableError(f"the service is not ready: {lack}", where=url)
        clock.sleep(_LOOK_S)


def check_store(key: str) -> str:
    """Put an object under ``key`` into the store of the environment, get it back and delete it; the store's address.

    Without a store in the environment nothing is asked: a folder of the service is its own.

    Raises:
        AuthError, StoreUnavailableError, SpecError: the store does not take it.
        IntegrityError: it gives something else back.
    """
    settings = load_settings({})
    if settings.store_url is None:
        return "in the service's own volume; /readyz has asked it"
    store = open_store(settings.store_url, settings.s3)
    try:
        content = key.encode()
        store.put(key, content)
        if store.get(key) != content:
            raise IntegrityError("the store gives something else back", where=f"{store.url}/{key}")
        store.delete(key)
        return f"{store.url} takes and gives objects"
    finally:
        store.close()
