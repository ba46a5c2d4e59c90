"""What one way in takes, all take, and all see the same pixels: the table of `fixtures_pictures` through each one."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from edge.edge_twins import JOB, MemoryLink, make_classifier
from fixtures_api import JOB_YAML, api
from fixtures_gm import job_spec, new_world
from fixtures_pictures import REFUSED, TAKEN, Refused, Taken
from globalmanager.db import samples
from globalmanager.db.values import SampleFilter
from sedna.algorithms.continual.data.folders import load_image_folder
from sedna.algorithms.continual.job.samples import read_labelled, read_pictures
from sedna.algorithms.detection.annotations import Labelled
from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.preprocess import read_picture
from sedna.algorithms.detection.sampler import Pool
from sedna.common.errors import TooLargeError, UserError
from sedna.common.picture_limits import BITS_VARIABLE
from sedna.common.types import ORIENTATION_META, Prediction, sample_id
from sedna.edge.jobs import JobTable, ServedJob
from sedna.edge.metrics import EdgeMetrics
from sedna.edge.pipeline import MinerPipeline
from sedna.edge.protocol import DesiredMiner
from sedna.edge.server.app import create_app
from sedna.edge.settings import ServerLimits
from sedna.edge.slot import ModelSlot
from sedna.edge.spool import Spool
from sedna.edge.uploader import UploadStats

__all__ = ["api"]

INFER = "/v2/models/pcb/infer"


def status_of(case: Refused) -> int:
    return 413 if case.error is TooLargeError else 422


class Edge:
    """A served job whose model keeps what it is shown."""

    def __init__(self, folder: Path, bits: int | None) -> None:
        self.shown: list[Any] = []
        self.spool = Spool(folder / "spool")
        link, jobs = MemoryLink(), JobTable()
        runtime = SimpleNamespace(predict=self._predict, close=lambda: None)
        slot = ModelSlot(JOB, folder / "slot", link, lambda *_: runtime)
        pipeline = MinerPipeline(slot, self.spool, "edge-1")
        jobs.add(ServedJob(JOB, slot, pipeline))
        desired = link.publish(make_classifier(folder / "model", 1, job=JOB), folder / "model")
        slot.ensure(1, desired.manifest_sha256)
        self.shown.clear()  # the self-test's
        miner = DesiredMiner(name="Threshold")
        pipeline.configure(desired.model_copy(update={"miner": miner, "bits_per_sample": bits, "audit_ratio": 1.0}))
        app = create_app("1", jobs, EdgeMetrics(jobs, self.spool, UploadStats), ServerLimits())
        self.http = TestClient(app, raise_server_exceptions=False)

    def _predict(self, images: Any) -> list[Prediction]:
        self.shown += list(images)
        return [Prediction() for _ in images]

    def post_plain(self, data: bytes) -> Any:
        return self.http.post(INFER, content=data, headers={"Content-Type": "image/anything"})

    def post_json(self, data: bytes) -> Any:
        body = {
            "inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(data).decode()]}]
        }
        return self.http.post(INFER, json=body)


@pytest.mark.parametrize("form", ["post_plain", "post_json"])
@pytest.mark.parametrize("name", TAKEN)
def test_the_edge_shows_its_model_the_same_pixels_and_keeps_the_bytes(name: str, form: str, tmp_path: Path) -> None:
    case: Taken = TAKEN[name]
    edge = Edge(tmp_path, case.bits)
    answer = getattr(edge, form)(case.data)
    assert answer.status_code == 200, answer.text
    (pixels,) = edge.shown
    assert case.shows(pixels)
    (waiting,) = edge.spool.pending()
    record = waiting.record
    assert (record.sample_id, record.extension) == (sample_id(case.data), case.extension)
    assert (record.height, record.width) == case.pixels.shape[:2]
    assert record.meta.get(ORIENTATION_META, 1) == case.orientation
    assert waiting.path.read_bytes() == case.data


@pytest.mark.parametrize("name", REFUSED)
def test_the_edge_refuses_the_rest_with_the_reason(name: str, tmp_path: Path) -> None:
    case: Refused = REFUSED[name]
    edge = Edge(tmp_path, case.bits)
    for answer in (edge.post_plain(case.data), edge.post_json(case.data)):
        assert answer.status_code == status_of(case), answer.text
        assert case.reason in answer.json()["error"]
    assert not edge.shown


def declared(bits: int | None) -> str:
    return (
        JOB_YAML
        if bits is None
        else JOB_YAML.replace("  classNames", f"  pictures: {{bitsPerSample: {bits}}}\n  classNames")
    )


@pytest.mark.parametrize("name", TAKEN)
def test_an_upload_is_taken_byte_by_byte(name: str, api: Any) -> None:
    case: Taken = TAKEN[name]
    api.apply(declared(case.bits))
    height, width = case.pixels.shape[:2]
    meta = {} if case.orientation == 1 else {ORIENTATION_META: case.orientation}
    answer = api.put_sample(case.data, extension=case.extension, width=width, height=height, meta=meta)
    assert answer.status_code == 201, answer.text
    path = f"/api/v1/jobs/default/pcb/samples/{sample_id(case.data)}/image"
    assert api.http.get(path, headers=api.admin).content == case.data


@pytest.mark.parametrize("name", REFUSED)
def test_an_upload_of_the_rest_is_refused_with_the_reason(name: str, api: Any) -> None:
    case: Refused = REFUSED[name]
    api.apply(declared(case.bits))
    answer = api.put_sample(case.data, **({} if case.data else {"size": 1}))
    assert answer.status_code == status_of(case), answer.text
    if case.data:
        assert case.reason in answer.text


def test_a_dataset_takes_and_refuses_the_same_and_names_the_files() -> None:
    """One index a declared depth; every picture of the table is a line of it."""
    for bits in sorted({case.bits for case in (*TAKEN.values(), *REFUSED.values())}, key=str):
        with new_world() as world:
            good = {name: case for name, case in TAKEN.items() if case.bits == bits}
            bad = {name: case for name, case in REFUSED.items() if case.bits == bits}
            for name, case in (good | bad).items():
                (world.folder / name).write_bytes(case.data)
            (world.folder / "stream.txt").write_text("".join(f"{name} 0\n" for name in good | bad))
            spec = job_spec() | ({} if bits is None else {"pictures": {"bitsPerSample": bits}})
            spec["trainSpec"]["trigger"]["condition"]["threshold"] = 1000
            world.apply(spec)
            world.tick(4)
            with world.db.read() as session:
                rows = samples.list_page(session, world.job().id, SampleFilter(), limit=1000).items
            # One sample a content: a picture of the table that stands in it twice is the same sample.
            assert {row.record.sample_id for row in rows} == {sample_id(case.data) for case in good.values()}
            for row in rows:
                case = next(one for one in good.values() if sample_id(one.data) == row.record.sample_id)
                record = row.record
                assert (record.height, record.width, record.extension) == (*case.pixels.shape[:2], case.extension)
                assert world.store.get(f"default/boards/samples/{record.sample_id}.{record.extension}") == case.data
            if bad:
                with world.db.read() as session:
                    told = lines_of(session, world.job().id)
                assert len(told) == len(bad)
                for name, case in bad.items():
                    assert any(name in text and case.reason in text for text in told), (name, told)


def lines_of(session: Any, job_id: int) -> list[str]:
    from sqlalchemy import select

    from globalmanager.db.tables import ImportedLine

    query = select(ImportedLine.error).where(ImportedLine.job_id == job_id, ImportedLine.error.is_not(None))
    return [text for text in session.scalars(query) if text]


@pytest.mark.parametrize("name", TAKEN)
def test_trainings_and_evaluations_see_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case: Taken = TAKEN[name]
    if case.bits is not None:
        monkeypatch.setenv(BITS_VARIABLE, str(case.bits))
    path = tmp_path / f"a.{case.extension}"
    path.write_bytes(case.data)
    assert case.shows(np.asarray(read_picture(path)))
    pool = Pool([Labelled(path, np.zeros((0, 5), np.float32), "a")], FPNConfig(class_names=("x",)))
    assert case.shows(pool.picture(0)[0])
    side = 16
    expected = read_pictures([case.pixels], side)
    source = SimpleNamespace(x=[str(path)], y=["0"])
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / path.name).write_bytes(case.data)
    for found in (
        read_pictures([path], side),
        read_labelled(source, ("x",), side).x_NCHW,
        load_image_folder(tmp_path / "set", image_size=side).x_NCHW,
    ):
        assert int(np.abs(found.astype(int) - expected.astype(int)).max()) <= case.tolerance


@pytest.mark.parametrize("name", REFUSED)
def test_trainings_and_evaluations_refuse_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case: Refused = REFUSED[name]
    if case.bits is not None:
        monkeypatch.setenv(BITS_VARIABLE, str(case.bits))
    (tmp_path / "cat").mkdir()
    path = tmp_path / "cat" / "a.png"
    path.write_bytes(case.data)
    for read in (
        lambda: read_picture(path),
        lambda: read_pictures([path], 16),
        lambda: load_image_folder(tmp_path, image_size=16),
    ):
        with pytest.raises(UserError, match=rf"a\.png: .*{case.reason}") as told:
            read()
        assert type(told.value) is case.error
