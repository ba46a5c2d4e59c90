"""The ``minio`` client and its connections, set up from `S3Settings`."""

from __future__ import annotations

import certifi
import urllib3
from minio import Minio

from sedna.common.errors import SpecError
from sedna.store.s3_credentials import FileCredentials
from sedna.store.s3_settings import S3Settings

__all__ = ["make_client", "make_pool"]

_RETRIED = (500, 502, 503, 504)


def _retry(settings: S3Settings, *, retry_sent: bool) -> urllib3.Retry:
    return urllib3.Retry(
        total=settings.retries,
        backoff_factor=0.2,
        backoff_max=5.0,
        status_forcelist=_RETRIED,
        raise_on_status=False,  # the last answer says more than "too many retries"
        respect_retry_after_header=False,  # a service may not hold a caller for an hour; the error carries the header
        read=None if retry_sent else 0,
        status=None if retry_sent else 0,
        other=None if retry_sent else 0,
    )


def make_pool(settings: S3Settings, *, retry_sent: bool = True) -> urllib3.PoolManager:
    """Connections with the timeouts and retries of ``settings``.

    Args:
        retry_sent: whether a request that may have reached the service is sent again; connecting is always retried.

    Raises:
        SpecError: there is no such CA bundle.
    """
    bundle = settings.ca_bundle
    if bundle is not None and not bundle.is_file():
        raise SpecError("there is no such CA bundle", where=str(bundle), hint="AWS_CA_BUNDLE names a PEM file")
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=settings.connect_timeout, read=settings.read_timeout),
        maxsize=10,
        retries=_retry(settings, retry_sent=retry_sent),
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(bundle) if bundle is not None else certifi.where(),
    )


def make_client(settings: S3Settings, http: urllib3.PoolManager) -> Minio:
    """An S3 client over ``http``.

    Raises:
        SpecError: endpoint or region have a form that no service has.
    """
    file = settings.credentials_file
    try:
        client = Minio(
            settings.host,
            access_key=settings.access_key,
            secret_key=settings.secret_key.get_secret_value() if settings.secret_key else None,
            session_token=settings.session_token.get_secret_value() if settings.session_token else None,
            credentials=None if file is None else FileCredentials(file, settings.profile),
            secure=settings.secure,
            region=settings.region,
            http_client=http,
        )
    except ValueError as error:
        raise SpecError(str(error), where=settings.host, hint="check endpoint and region") from error
    if settings.path_style is True:
        client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    elif settings.path_style is False:
        client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    return client
