"""An S3 service that refuses, breaks, stalls or lies: nothing is lost, and the error says what to do next."""

from __future__ import annotations

import io
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from fixtures_faulty_s3 import (
    Fault,
    FaultyS3,
    Handler,
    answer,
    faulty_s3,
    hang_up,
    silence,
    slowly,
    store_then_hang_up,
    truncated,
)
from sedna.common.errors import (
    AuthError,
    ConflictError,
    NotFoundError,
    SednaError,
    SpecError,
    StorageFullError,
    StoreUnavailableError,
)
from sedna.store import ObjectStore, S3Settings
from sedna.store.base import NoBucketError, ObjectLimitError
from sedna.store.s3 import S3Store

__all__ = ["faulty_s3"]

REGION = "us-east-1"


def _store(endpoint: str, *, retries: int = 1, read_timeout: float = 20.0, ca_bundle: Path | None = None) -> S3Store:
    return S3Store(
        S3Settings(
            endpoint=endpoint,
            access_key="key",
            secret_key=SecretStr("secret-value"),
            region=REGION,
            connect_timeout=20.0,
            read_timeout=read_timeout,
            retries=retries,
            ca_bundle=ca_bundle,
        ),
        "bucket",
    )


@pytest.fixture
def store(faulty_s3: FaultyS3) -> Iterator[S3Store]:
    store = _store(faulty_s3.endpoint)
    yield store
    store.close()


CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "put": lambda store: store.put("k", b"data"),
    "put_if_absent": lambda store: store.put_if_absent("k", b"data"),
    "get": lambda store: store.get("k"),
    "open": lambda store: store.open("k"),
    "stat": lambda store: store.stat("k"),
    "list": lambda store: list(store.list("k")),
    "delete": lambda store: store.delete("k"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (answer(403, "AccessDenied"), AuthError),
        (answer(503, "SlowDown"), StoreUnavailableError),
        (answer(500, body=b"<html>oops"), StoreUnavailableError),
        (answer(502), StoreUnavailableError),
        (answer(429), StoreUnavailableError),
        (answer(507), StorageFullError),
        (hang_up, StoreUnavailableError),
    ],
    ids=["403", "503", "500-html", "502", "429", "507", "hang-up"],
)
def test_every_call_tells_every_failure(
    faulty_s3: FaultyS3, store: S3Store, name: str, fault: Fault, kind: type[SednaError]
) -> None:
    faulty_s3.faults.extend([fault] * 10)
    with pytest.raises(kind) as caught:
        CALLS[name](store)
    assert "s3://bucket/k" in str(caught.value)
    assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize("name", CALLS)
def test_no_call_waits_for_ever(faulty_s3: FaultyS3, name: str) -> None:
    store = _store(faulty_s3.endpoint, retries=0, read_timeout=0.2)
    faulty_s3.faults.extend([silence] * 10)
    with pytest.raises(StoreUnavailableError, match="s3://bucket/k"):
        CALLS[name](store)
    store.close()


@pytest.mark.parametrize(
    ("fault", "kind", "hint"),
    [
        (answer(403, "InvalidAccessKeyId"), AuthError, "does not know this access key"),
        (answer(403, "SignatureDoesNotMatch"), AuthError, "check the secret key"),
        (answer(403, "RequestTimeTooSkewed"), AuthError, "clock"),
        (answer(400, "ExpiredToken"), AuthError, "session token"),
        (answer(401), AuthError, "access key"),
        (answer(404, "NoSuchBucket"), NoBucketError, "create it"),
        (answer(404, "NoSuchKey"), NotFoundError, "no such object"),
        (answer(400, "AuthorizationHeaderMalformed"), SpecError, "region"),
        (answer(413, "EntityTooLarge"), ObjectLimitError, "413.*raise the limit"),
        (answer(403, "QuotaExceeded"), StorageFullError, "quota"),
        (answer(507, "XMinioStorageFull"), StorageFullError, "free space"),
        (answer(400, "RequestTimeout"), StoreUnavailableError, "400"),
        (answer(409, "OperationAborted"), StoreUnavailableError, "409"),
        (answer(409, "Whatever"), ConflictError, "because"),
        (answer(418), SpecError, "is this URL an S3 service"),
        (answer(500, "InternalError"), StoreUnavailableError, "500"),
        (answer(404, body=b"<not xml", kind="application/xml"), StoreUnavailableError, "not S3's"),
    ],
)
def test_answers_map_to_the_tree(
    faulty_s3: FaultyS3, store: S3Store, fault: Fault, kind: type[SednaError], hint: str
) -> None:
    faulty_s3.faults.extend([fault] * 2)
    with pytest.raises(kind, match=hint):
        store.get("k")


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (400, "ExpiredToken", "session token"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "SignatureDoesNotMatch", "secret key"),
        (400, "AuthorizationHeaderMalformed", "region"),
        (403, "InvalidAccessKeyId", "does not know this access key"),
    ],
)
@pytest.mark.parametrize("name", ["stat", "put_if_absent"])
def test_what_head_cannot_say_is_asked_for(
    faulty_s3: FaultyS3, store: S3Store, name: str, status: int, code: str, hint: str
) -> None:
    faulty_s3.faults.extend([answer(status, code)] * 2)
    with pytest.raises(SednaError, match=f"{code}.*{hint}"):
        CALLS[name](store)
    assert faulty_s3.requests == ["HEAD k", "GET k"]


def test_a_head_that_alone_is_forbidden_says_so(faulty_s3: FaultyS3, store: S3Store) -> None:
    faulty_s3.faults.append(answer(403))
    with pytest.raises(AuthError, match="403"):
        store.stat("k")


def test_forbidden_and_unknown_are_told_apart(faulty_s3: FaultyS3, store: S3Store) -> None:
    for status, forbidden in ((401, False), (403, True)):
        faulty_s3.faults.append(answer(status))
        with pytest.raises(AuthError) as caught:
            store.get("k")
        assert caught.value.forbidden is forbidden


def test_the_service_says_when_to_come_back(faulty_s3: FaultyS3, store: S3Store) -> None:
    faulty_s3.faults.extend([answer(503, "SlowDown", **{"Retry-After": "7"})] * 2)
    with pytest.raises(StoreUnavailableError) as caught:
        store.get("k")
    assert caught.value.retry_after == 7.0


def test_a_short_trouble_is_ridden_out(faulty_s3: FaultyS3, store: S3Store) -> None:
    for fault in (answer(503, "SlowDown"), answer(502), hang_up):
        faulty_s3.faults.append(fault)
        store.put("k", b"data")
        faulty_s3.faults.append(fault)
        assert store.get("k") == b"data"
    assert not faulty_s3.faults


def test_a_stalled_request_is_sent_again(faulty_s3: FaultyS3) -> None:
    store = _store(faulty_s3.endpoint, retries=5, read_timeout=0.5)
    faulty_s3.objects["k"] = b"data"
    faulty_s3.faults.append(silence)
    assert store.get("k") == b"data"
    store.close()


def test_retries_are_bounded(faulty_s3: FaultyS3) -> None:
    store = _store(faulty_s3.endpoint, retries=2)
    faulty_s3.faults.extend([answer(503, "SlowDown")] * 10)
    with pytest.raises(StoreUnavailableError):
        store.get("k")
    assert faulty_s3.requests == ["GET k"] * 3
    store.close()


def test_a_slow_service_is_waited_for(faulty_s3: FaultyS3, store: S3Store) -> None:
    faulty_s3.objects["k"] = bytes(range(256)) * 4
    faulty_s3.faults.append(slowly)
    assert store.get("k") == bytes(range(256)) * 4


def test_a_truncated_body_is_never_taken_for_the_object(faulty_s3: FaultyS3, store: S3Store, tmp_path: Path) -> None:
    faulty_s3.objects["k"] = b"0123456789" * 100_000
    faulty_s3.faults.append(truncated)
    with pytest.raises(StoreUnavailableError, match="s3://bucket/k"):
        store.get("k")
    faulty_s3.faults.append(truncated)
    with store.open("k") as stream, pytest.raises(StoreUnavailableError):
        list(iter(lambda: stream.read(1000), b""))
    faulty_s3.faults.append(truncated)
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises(StoreUnavailableError):
        store.download("k", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert store.get("k") == faulty_s3.objects["k"], "the broken connection is not used again"


@pytest.mark.parametrize("body", [b"<html>hello", b"<ListBucketResult><Contents>", b"", b"\xff\xfe"])
def test_a_broken_listing_is_no_empty_listing(faulty_s3: FaultyS3, store: S3Store, body: bytes) -> None:
    faulty_s3.faults.extend([answer(200, body=body, kind="application/xml")] * 2)
    with pytest.raises(StoreUnavailableError):
        list(store.list())


def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can take the port meanwhile
        store = _store(f"http://127.0.0.1:{held.getsockname()[1]}")
        for call in CALLS.values():
            with pytest.raises(StoreUnavailableError, match="refused"):
                call(store)
        store.close()


def test_a_lost_answer_to_a_conditional_put_is_not_guessed(faulty_s3: FaultyS3, store: S3Store) -> None:
    assert store.supports_conditional_put
    faulty_s3.requests.clear()
    faulty_s3.faults.extend([answer(404), store_then_hang_up])
    with pytest.raises(StoreUnavailableError):
        store.put_if_absent("k", b"data")
    assert faulty_s3.requests == ["HEAD k", "PUT k"], "a second PUT would be refused, as if somebody else had won"
    assert not store.put_if_absent("k", b"other")
    assert faulty_s3.objects == {"k": b"data"}


def test_a_race_without_a_winner_is_run_again(faulty_s3: FaultyS3, store: S3Store) -> None:
    assert store.supports_conditional_put
    conflict = answer(409, "ConditionalRequestConflict")
    faulty_s3.faults.extend([answer(404), conflict])
    assert store.put_if_absent("k", b"data")
    faulty_s3.faults.extend([answer(404), conflict, conflict, conflict])
    with pytest.raises(ConflictError, match="other writers"):
        store.put_if_absent("k2", b"data")
    assert faulty_s3.objects == {"k": b"data"}


def test_a_service_that_ignores_the_condition_is_found_out(faulty_s3: FaultyS3, store: S3Store) -> None:
    faulty_s3.honours_condition = False
    assert store.put_if_absent("k", b"first")
    assert not store.supports_conditional_put
    assert not store.put_if_absent("k", b"second")
    assert faulty_s3.objects == {"k": b"first"}, "the probe is gone, the first writer's bytes stay"
    probes = [request for request in faulty_s3.requests if ".sedna-probe" in request]
    assert len(probes) == 3, "asked once: two puts and a delete"


def test_a_service_that_refuses_the_condition_is_found_out(faulty_s3: FaultyS3, store: S3Store) -> None:
    faulty_s3.faults.extend([answer(404), answer(501, "NotImplemented")])
    assert store.put_if_absent("k", b"first")
    assert not store.supports_conditional_put


def test_a_source_that_shrinks_is_refused(faulty_s3: FaultyS3, store: S3Store, tmp_path: Path) -> None:
    class Shrinking(io.BytesIO):
        """Loses its end once it has been measured."""

        def read(self, size: int | None = -1) -> bytes:
            self.truncate(3)
            return super().read(size)

    with pytest.raises(SednaError, match="must not change"):
        store.put("k", Shrinking(b"0123456789"))
    assert faulty_s3.objects == {}


@pytest.fixture
def tls_s3(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The look-alike behind TLS, with the certificate that signs for it."""
    pem, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run([*make, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("making a test certificate needs the openssl command")
    faulty = FaultyS3()
    server = HTTPServer(("127.0.0.1", 0), type("TlsHandler", (Handler,), {"faulty": faulty, "timeout": 5}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", pem
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_tls_is_checked_against_the_bundle(tls_s3: tuple[str, Path]) -> None:
    endpoint, pem = tls_s3
    stranger = _store(endpoint, retries=0)
    with pytest.raises(SpecError, match="AWS_CA_BUNDLE"):
        stranger.get("k")
    stranger.close()
    store = _store(endpoint, ca_bundle=pem)
    store.put("k", b"over TLS")
    assert store.get("k") == b"over TLS"
    assert (store.presign_get("k", timedelta(seconds=5)) or "").startswith("https://")
    store.close()


def test_tls_to_a_plain_service_is_told(faulty_s3: FaultyS3) -> None:
    store = _store(faulty_s3.endpoint.replace("http:", "https:"), retries=0)
    with pytest.raises(StoreUnavailableError, match="http or https"):
        store.get("k")
    store.close()
