"""HTTP as workers use it: `http_request`, and `LCClient` for the report to the local controller."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import tenacity

from sedna.common.errors import (
    DataError,
    LinkUnavailableError,
    PermanentError,
    SpecError,
)
from sedna.common.http_status import error_of_status
from sedna.common.log import LOGGER
from sedna.common.paradigms import names_of_other_paradigms
from sedna.service.encode import to_jsonable

__all__ = ["LCClient", "Patience", "http_request"]

if not TYPE_CHECKING:  # to a type checker these names are missing, as they are
    __getattr__ = names_of_other_paradigms(
        __name__,
        {
            "AggregationClient": "federated learning",
            "KBClient": "lifelong learning",
            "LCReporter": "joint inference",
            "ModelClient": "joint inference",
        },
    )

_TIMEOUT = 10.0  # seconds, where the caller gives none: a local controller answers in milliseconds


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to go on trying. The defaults are upstream's."""

    attempts: int = 5
    wait_seconds: float = 3.0


def http_request(
    url: str,
    method: str | None = None,
    timeout: float | None = None,
    binary: bool = True,
    no_decode: bool = False,
    *,
    patience: Patience | None = None,
    **kwargs: Any,
) -> Any:
    """One HTTP request, repeated while the other end does not answer or answers with a server error.

    Args:
        url: http or https address.
        method: default GET.
        timeout: seconds for each step (connect, send, wait for the answer); default 10.
        binary: True: the JSON of the answer; False: its text.
        no_decode: the ``httpx.Response`` itself.
        patience: number of attempts and the pause between them.
        kwargs: go to ``httpx``: json, data, files, params, headers, auth, verify.

    Raises:
        LinkUnavailableError: no answer, or a server error, until the last attempt.
        NotFoundError, AuthError, PermanentError: status 404, 401 or 403, another one outside 200-299; not repeated.
        DataError: the answer is no JSON although ``binary`` asks for it.
        SpecError: ``url`` is no address.
    """
    patience = patience or Patience()
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(LinkUnavailableError),
        stop=tenacity.stop_after_attempt(patience.attempts),
        wait=tenacity.wait_fixed(patience.wait_seconds),
        before_sleep=lambda state: LOGGER.warning("%s; trying again", state.outcome and state.outcome.exception()),
        reraise=True,
    )
    response: httpx.Response = retrying(_once, method or "GET", url, timeout or _TIMEOUT, kwargs)
    if no_decode:
        return response
    if not binary:
        return response.text
    try:
        return response.json()
    except ValueError as error:
        raise DataError(f"the answer is no JSON: {response.text[:200]!r}", where=url) from error


def _once(method: str, url: str, timeout: float, options: dict[str, Any]) -> httpx.Response:
    verify = options.get("verify", True)
    rest = {key: value for key, value in options.items() if key != "verify"}
    try:
        # A client a request: reports are minutes apart, and an idle connection is closed by then.
        with httpx.Client(timeout=timeout, verify=verify, follow_redirects=True) as client:
            response = client.request(method, url, **rest)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise SpecError(f"not an address: {error}", where=url, hint="http://host:port/path") from error
    except httpx.TooManyRedirects as error:
        raise PermanentError(str(error), where=url) from error
    except httpx.HTTPError as error:
        raise LinkUnavailableError(f"no answer: {error or type(error).__name__}", where=url) from error
    if not response.is_success:
        text = f"status {response.status_code}: {response.text[:500]}"
        raise error_of_status(response.status_code, text, url, unavailable=LinkUnavailableError)
    return response


class LCClient:
    """Client of the local controller."""

    @classmethod
    def send(
        cls, lc_server: str, worker_name: str, message: dict[str, Any], *, patience: Patience | None = None
    ) -> Any:
        """Report the state of a worker: ``POST {lc_server}/sedna/workers/{worker_name}/info``.

        Args:
            lc_server: address of the local controller.
            message: body; numpy and torch values are converted, NaN becomes null.

        Returns:
            The answer, ``{"Status": 200, "Message": "OK"}``.

        Raises:
            LinkUnavailableError, PermanentError and the others of `http_request`: the report did not arrive.
            DataError: the message has no JSON form.
        """
        body = json.dumps(to_jsonable(message, "report"), allow_nan=False, ensure_ascii=False)
        return http_request(
            url=f"{lc_server.rstrip('/')}/sedna/workers/{worker_name}/info",
            method="POST",
            content=body.encode(),
            headers={"Content-Type": "application/json"},
            patience=patience,
        )
