"""An S3 service in trouble behind the whole API: an edge is told to come again, and nothing is lost or stored twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from fixtures_api import ADMIN, EDGE, JOB_YAML, EngineTwin, png, sample_record
from fixtures_faulty_s3 import Fault, FaultyS3, Handler, answer, faulty_s3, hang_up, silence, store_then_hang_up
from fixtures_gm import fresh_database
from globalmanager.api.app import create_app
from globalmanager.api.manifests import parse_manifests
from globalmanager.api.services import ApiServices, ApiSettings
from globalmanager.auth.authenticator import DatabaseAuthenticator
from globalmanager.db import edges, samples, tokens
from globalmanager.engine.apply import apply_resources
from globalmanager.service.own_store import RETRY_SECONDS, OwnStore
from globalmanager.settings import EngineSettings
from localcontroller.http_server import ThreadedServer
from sedna.common.clock import SettableClock
from sedna.common.errors import LinkUnavailableError, NotFoundError, SpecError
from sedna.common.types import SampleRecord
from sedna.edge import HttpEdgeLink, Spool, Uploader
from sedna.store import S3Settings
from sedna.store.layout import sample_key, sample_record_key
from sedna.store.s3 import S3Store

__all__ = ["faulty_s3"]

IMAGE = png(1)
RECORD = SampleRecord.model_validate(sample_record(IMAGE))


class Cloud:
    """The application over a real port, with its samples in the look-alike."""

    def __init__(self, folder: Path, faulty: FaultyS3, stack: contextlib.ExitStack) -> None:
        self.faulty = faulty
        settings = S3Settings(
            endpoint=faulty.endpoint, access_key="key", secret_key=SecretStr("secret"), region="us-east-1",
            read_timeout=0.3, retries=0,
        )  # fmt: skip
        self.store = OwnStore(S3Store(settings, "bucket"))
        stack.callback(self.store.close)
        self.db = fresh_database(folder / "sedna.db")
        stack.callback(self.db.close)
        clock = SettableClock()
        with self.db.write() as session:
            edges.register(session, "line-1", clock.now())
            tokens.create(session, "admin", "admin", clock.now(), secret=ADMIN)
            tokens.create(session, "edge-line-1", "edge", clock.now(), edge="line-1", secret=EDGE)
        (self.job,) = (
            one for one in apply_resources(self.db, parse_manifests(JOB_YAML.encode(), "job"), clock.now())
            if one.kind == "IncrementalLearningJob"
        )  # fmt: skip
        services = ApiServices(
            db=self.db, store=self.store, engine=EngineTwin(), engine_settings=EngineSettings(data_dir=folder),
            clock=clock, authenticator=DatabaseAuthenticator(self.db, clock), settings=ApiSettings(),
        )  # fmt: skip
        server = ThreadedServer(create_app(services), "127.0.0.1", 0, name="api", grace_seconds=5)
        stack.callback(server.stop)
        server.start()
        self.link = HttpEdgeLink(server.url, EDGE)
        stack.callback(self.link.close)

    def known(self) -> bool:
        """Whether the database has the sample."""
        with self.db.read() as session:
            return samples.exists(session, 1, RECORD.sample_id)


@pytest.fixture
def cloud(tmp_path: Path, faulty_s3: FaultyS3) -> Iterator[Cloud]:
    with contextlib.ExitStack() as stack:
        yield Cloud(tmp_path, faulty_s3, stack)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    assert spool.add(RECORD, IMAGE)
    yield spool
    spool.close()


def writes_are_done_but_not_answered(handler: Handler) -> None:
    """The worst kind: the service cannot know what became of its object."""
    (store_then_hang_up if handler.command == "PUT" else answer(404, "NoSuchKey"))(handler)


FAULTS: dict[str, Fault] = {
    "access denied": answer(403, "AccessDenied"),
    "unknown key": answer(403, "InvalidAccessKeyId"),
    "wrong token": answer(401),
    "no bucket": answer(404, "NoSuchBucket"),
    "another region": answer(400, "AuthorizationHeaderMalformed"),
    "takes no object of this size": answer(413, "EntityTooLarge"),
    "a proxy before it takes no body of this size": answer(413, body=b"<html>Request Entity Too Large"),
    "busy": answer(503, "SlowDown"),
    "full": answer(507),
    "broken": answer(500, body=b"<html>oops"),
    "silent": silence,
    "hangs up": hang_up,
    "stores and hangs up": writes_are_done_but_not_answered,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_an_edge_keeps_its_sample_until_the_store_is_well_again(cloud: Cloud, spool: Spool, fault: Fault) -> None:
    uploader = Uploader(spool, cloud.link, clock=SettableClock())
    cloud.faulty.faults.extend([fault] * 100)
    assert uploader.step() > 0, "asked to come again"
    stats = uploader.stats
    assert (stats.uploaded, stats.rejected, stats.damaged, stats.failures) == (0, 0, 0, 1)
    assert "object store" in stats.last_error or "S3" in stats.last_error or "connection" in stats.last_error
    assert [entry.record for entry in spool.pending()] == [RECORD]
    assert not cloud.known()
    cloud.faulty.faults.clear()
    cloud.faulty.released.set()
    again = Uploader(spool, cloud.link, clock=SettableClock())
    again.step()
    assert (again.stats.uploaded, again.stats.failures) == (1, 0), again.stats.last_error
    assert list(spool.pending()) == []
    assert cloud.known()
    assert cloud.faulty.objects[sample_key(RECORD.job, RECORD.sample_id, "png")] == IMAGE
    assert sample_record_key(RECORD.job, RECORD.sample_id) in cloud.faulty.objects


def test_a_refusal_says_what_the_operator_has_to_do_and_when_to_come_again(cloud: Cloud, tmp_path: Path) -> None:
    cloud.faulty.faults.extend([answer(403, "AccessDenied")] * 10)
    (tmp_path / "image").write_bytes(IMAGE)
    with pytest.raises(LinkUnavailableError, match="the service's object store refuses it") as caught:
        cloud.link.put_sample(RECORD, tmp_path / "image")
    assert "check the access key" in str(caught.value)
    assert caught.value.retry_after == RETRY_SECONDS


def test_what_is_not_a_refusal_passes_unchanged(cloud: Cloud) -> None:
    with pytest.raises(NotFoundError, match="no such object"):
        cloud.store.get("nothing/here")
    with pytest.raises(SpecError, match="the object key"):
        cloud.store.get("../outside")
    assert cloud.store.put_if_absent("a/b", b"1")
    assert not cloud.store.put_if_absent("a/b", b"2")
    assert cloud.store.get("a/b") == b"1"
    assert cloud.store.url == "s3://bucket"
