"""Transfers for `FileOps`: s3 through the minio client, http(s) through httpx. Imported only when one is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import httpx
import tenacity

from sedna.common.atomic import full_disk_as_error, temporary_beside
from sedna.common.config import BaseConfig
from sedna.common.errors import AuthError, NotFoundError, PermanentError, SpecError, StoreUnavailableError
from sedna.common.http_status import error_of_status

if TYPE_CHECKING:
    from minio import Minio

__all__ = ["http_download", "s3_download", "s3_fetch", "s3_names", "s3_upload"]

_CONNECTIONS = 8
"""Enough to hide the way to the store behind small files; more would take the bandwidth from each other."""

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "ResourceNotFound"})
_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})

_patiently = tenacity.retry(
    retry=tenacity.retry_if_exception_type(StoreUnavailableError),
    stop=tenacity.stop_after_attempt(4),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)


def s3_download(src: str, target: Path) -> None:
    """Bring ``s3://bucket/key`` to the file ``target``, or all below ``s3://bucket/prefix/`` into that folder.

    Endpoint and credentials are those of `BaseConfig`.

    Raises:
        NotFoundError: neither such an object nor any below the prefix.
        AuthError: the store refuses the credentials.
        StoreUnavailableError: the store does not answer; tried several times.
    """
    bucket, key = _split(src)
    client = _client()
    names = _names_below(client, bucket, key, src)
    if not names:
        raise NotFoundError("nothing at this address", where=src)
    wanted: dict[str, Path] = {}
    for name in names:
        inside = name[len(key) :].strip("/")
        wanted[f"s3://{bucket}/{name}"] = (target / inside) if inside else target
    s3_fetch(wanted, target)


def s3_fetch(wanted: Mapping[str, Path], inside: Path) -> None:
    """Bring each object to its file, several at a time; folders are made. The first error ends it.

    Args:
        wanted: file by address.
        inside: the folder that no file may lie outside.

    Raises:
        SpecError: an address has a name that leads out of the folder; nothing was written.
        NotFoundError, AuthError, StoreUnavailableError: as `s3_download`.
    """
    for address, file in wanted.items():
        # S3 takes any name, ".." included.
        if not file.resolve().is_relative_to(inside.resolve()):
            raise SpecError("an object name leads outside the folder", where=address)
    client = _client()
    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="s3-fetch") as pool:
        transfers = [pool.submit(_get, client, *_split(address), file) for address, file in wanted.items()]
        try:
            for transfer in as_completed(transfers):
                transfer.result()
        except BaseException:
            # Without it the pool would bring all the others before the error is seen.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def s3_names(address: str, recursive: bool = False) -> list[str]:
    """How the addresses of all objects that begin with ``address`` go on; "" for the object ``address`` itself.

    Args:
        recursive: also what lies in folders; without it folders are left out.

    Raises:
        NotFoundError (no such bucket), AuthError, StoreUnavailableError: as `s3_download`.
    """
    bucket, prefix = _split(address)
    names = _list(_client(), bucket, prefix, recursive, address)
    return [name.removeprefix(prefix) for name in names if not name.endswith("/")]


def s3_upload(source: Path, dst: str) -> None:
    """Send a file to ``s3://bucket/key`` (into the prefix when it ends in ``/``), a folder below it.

    Raises:
        AuthError, NotFoundError (no such bucket), StoreUnavailableError: as `s3_download`.
    """
    bucket, key = _split(dst)
    client = _client()
    if source.is_file():
        _put(client, bucket, key + source.name if not key or key.endswith("/") else key, source)
        return
    prefix = f"{key.rstrip('/')}/" if key else ""
    for file in sorted(p for p in source.rglob("*") if p.is_file()):
        _put(client, bucket, prefix + file.relative_to(source).as_posix(), file)


@_patiently
def http_download(src: str, target: Path) -> None:
    """Bring an http(s) address to a file, whole or not at all.

    Raises:
        NotFoundError: status 404 or 410.
        AuthError: status 401 or 403.
        PermanentError: another status below 500.
        StoreUnavailableError: no answer, or a status from 500 on; tried several times.
    """
    # A half file under the final name would be taken for the whole one by the next reader.
    temporary = temporary_beside(target)
    try:
        with (
            full_disk_as_error(target),
            httpx.stream("GET", src, timeout=httpx.Timeout(60, connect=10), follow_redirects=True) as response,
        ):
            if not response.is_success:
                status = response.status_code
                raise error_of_status(status, f"status {status}", src, unavailable=StoreUnavailableError)
            with temporary.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
        temporary.replace(target)
    except httpx.InvalidURL as error:
        raise SpecError(f"not an address: {error}", where=src) from error
    except httpx.HTTPError as error:
        raise StoreUnavailableError(f"no answer: {error}", where=src) from error
    finally:
        temporary.unlink(missing_ok=True)


def _client() -> Minio:
    import urllib3
    from minio import Minio

    endpoint = urlsplit(BaseConfig.s3_endpoint_url or "https://s3.amazonaws.com")
    if endpoint.scheme not in ("http", "https") or not endpoint.netloc:
        raise SpecError(
            f"not an endpoint: {BaseConfig.s3_endpoint_url!r}", where="S3_ENDPOINT_URL", hint="https://host:port"
        )
    patience = urllib3.Timeout(connect=10, read=60)
    return Minio(
        endpoint.netloc,
        http_client=urllib3.PoolManager(timeout=patience, retries=False, maxsize=_CONNECTIONS),  # tenacity repeats
        access_key=BaseConfig.access_key_id or None,
        secret_key=BaseConfig.secret_access_key or None,
        secure=endpoint.scheme == "https",
    )


def _split(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    if not parts.netloc:
        raise SpecError("no bucket", where=address, hint="s3://bucket/key")
    return parts.netloc, parts.path.lstrip("/")


@_patiently
def _list(client: Minio, bucket: str, prefix: str, recursive: bool, where: str) -> list[str]:
    with _s3_errors(where):
        return [item.object_name or "" for item in client.list_objects(bucket, prefix=prefix, recursive=recursive)]


def _names_below(client: Minio, bucket: str, key: str, where: str) -> list[str]:
    """The object ``key``, or every object below the folder ``key``."""
    found = _list(client, bucket, key, True, where)
    # An object wins over a folder of the same name: it is what the address says to the letter.
    if key in found and not key.endswith("/"):
        return [key]
    folder = f"{key.rstrip('/')}/" if key else ""
    return [name for name in found if name.startswith(folder) and not name.endswith("/")]


@_patiently
def _get(client: Minio, bucket: str, name: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with _s3_errors(f"s3://{bucket}/{name}"), full_disk_as_error(file):
        client.fget_object(bucket, name, str(file), tmp_file_path=str(temporary_beside(file)))


@_patiently
def _put(client: Minio, bucket: str, name: str, file: Path) -> None:
    with _s3_errors(f"s3://{bucket}/{name}"):
        client.fput_object(bucket, name, str(file))


@contextmanager
def _s3_errors(where: str) -> Iterator[None]:
    from minio.error import MinioException, S3Error
    from urllib3.exceptions import HTTPError

    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise NotFoundError(error.code, where=where) from error
        if error.code in _DENIED:
            raise AuthError(f"{error.code}: {error.message}", where=where, forbidden=True) from error
        # SlowDown comes with status 503 from Amazon, and with others from services that copy it.
        if error.response.status >= 500 or error.code == "SlowDown":
            raise StoreUnavailableError(f"{error.code}: {error.message}", where=where) from error
        raise PermanentError(f"{error.code}: {error.message}", where=where) from error
    except (HTTPError, MinioException) as error:
        raise StoreUnavailableError(f"no answer of an S3 service: {error}", where=where) from error
    except ParseError as error:
        raise StoreUnavailableError(f"the answer is not S3's: {error}", where=where) from error
    except ValueError as error:
        if "XML" in str(error):  # the client does not expect a greeting page of a proxy
            raise StoreUnavailableError(f"the answer is not S3's: {error}", where=where) from error
        raise SpecError(str(error), where=where, hint="s3://bucket/key, a bucket has 3 to 63 characters") from error
