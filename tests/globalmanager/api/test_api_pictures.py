"""Small pictures of samples and pictures to draw on: what they show, how they are kept, and what cannot be shown."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fixtures_api import JOB_YAML, Api, png
from globalmanager.api.app import create_app
from globalmanager.api.picture_cache import PictureCache
from globalmanager.db import jobs, samples
from sedna.common.types import JobKey, SampleRecord
from sedna.store.layout import sample_key

KEY = JobKey(name="pcb")


def picture(size: tuple[int, int], form: str = "PNG", **options: Any) -> bytes:
    """Red at the left, blue at the right."""
    image = Image.new("RGB", size, (200, 0, 0))
    image.paste((0, 0, 200), (size[0] // 2, 0, size[0], size[1]))
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def put(api: Api, image: bytes, size: tuple[int, int], extension: str = "png", **changes: Any) -> str:
    response = api.put_sample(image, width=size[0], height=size[1], extension=extension, **changes)
    assert response.status_code == 201, response.text
    return str(response.json()["sample_id"])


def ask(api: Api, name: str, what: str, **headers: str) -> Any:
    return api.http.get(f"/api/v1/jobs/default/pcb/samples/{name}/{what}", headers={**api.admin, **headers})


def shown(answer: Any) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_thumbnail_is_small_and_shows_the_same(api: Api) -> None:
    api.apply()
    name = put(api, picture((800, 400)), (800, 400))
    answer = ask(api, name, "thumbnail")
    pixels = shown(answer)
    assert pixels.shape == (128, 256, 3)
    assert answer.headers["content-type"] == "image/webp"
    assert abs(pixels[64, 10] - [200, 0, 0]).max() < 20
    assert abs(pixels[64, 245] - [0, 0, 200]).max() < 20
    assert shown(ask(api, name, "thumbnail?side=64")).shape == (32, 64, 3)
    small = put(api, png(3), (32, 24))
    assert shown(ask(api, small, "thumbnail")).shape == (24, 32, 3), "nothing is made larger"


def test_a_turned_picture_stands_upright(api: Api) -> None:
    api.apply()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    name = put(api, picture((80, 40), "JPEG", exif=exif), (80, 40), "jpg")
    for what in ("thumbnail", "drawing"):
        pixels = shown(ask(api, name, what))
        assert pixels.shape == (80, 40, 3)
        assert pixels[5, 20, 0] > 150 > pixels[75, 20, 0], "what was left is on top"


def test_sixteen_bits_are_shown_as_the_models_see_them(api: Api) -> None:
    api.apply(JOB_YAML.replace("spec:\n  dataset", "spec:\n  pictures: {bitsPerSample: 12}\n  dataset"))
    values = np.full((20, 30), 4095, np.uint16)  # a camera of 12 bits
    values[:, :15] = 2048
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    answer = ask(api, put(api, buffer.getvalue(), (30, 20)), "drawing")
    pixels = shown(answer)
    assert answer.headers["content-type"] == "image/jpeg"
    assert pixels[10, 25].min() > 240, "a browser would show it nearly black"


def test_a_thumbnail_is_made_once_and_asked_for_again_with_its_tag(api: Api) -> None:
    api.apply()
    name = put(api, picture((800, 400)), (800, 400))
    first = ask(api, name, "thumbnail")
    again = ask(api, name, "thumbnail", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    api.store.delete(sample_key(KEY, name, "png"))
    assert ask(api, name, "thumbnail").content == first.content, "the store was not asked again"
    assert ask(api, name, "drawing").status_code == 404


def test_a_picture_to_draw_on_is_the_file_itself_or_smaller(api: Api) -> None:
    api.apply()
    image = picture((300, 200))
    name = put(api, image, (300, 200))
    answer = ask(api, name, "drawing")
    assert (answer.content, answer.headers["content-type"]) == (image, "image/png")
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("300", "200")
    wide = put(api, picture((8000, 1000)), (8000, 1000))
    answer = ask(api, wide, "drawing")
    assert shown(answer).shape == (512, 4096, 3)
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("8000", "1000")
    again = ask(api, wide, "drawing", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.headers["x-width"]) == (304, "8000")


def plant(api: Api, image: bytes, **changes: Any) -> str:
    """A sample that no door of today would let in."""
    name = hashlib.sha256(image).hexdigest()
    record = SampleRecord.model_validate(
        {
            "sample_id": name, "job": {"name": "pcb"}, "extension": "png", "size": len(image), "width": 30_000,
            "height": 30_000, "picked": "hard", "verdict": {"hard": True, "miner": "IBT", "reason": "r"},
            "prediction": {}, "model_version": 1, "edge": "line-1", "captured_at": "2026-01-01T00:00:00Z", **changes,
        }
    )  # fmt: skip
    api.store.put(sample_key(KEY, name, record.extension), image)
    with api.services.db.write() as session:
        samples.insert(session, jobs.get(session, KEY).id, record, api.clock.now())
    return name


@pytest.mark.parametrize("what", ["thumbnail", "drawing"])
def test_a_giant_is_refused_before_memory_is_taken_for_it(api: Api, what: str) -> None:
    api.apply()
    header = picture((1, 1))
    giant = header[:16] + (30_000).to_bytes(4, "big") * 2 + header[24:29] + b"\0\0\0\0" + header[33:]
    giant = giant[:29] + zlib.crc32(giant[12:29]).to_bytes(4, "big") + giant[33:]
    answer = ask(api, plant(api, giant), what)
    assert answer.status_code == 413
    assert "30000 x 30000 = 900000000 pixels" in answer.json()["detail"]
    assert "100000000" in answer.json()["hint"]


@pytest.mark.parametrize("what", ["thumbnail", "drawing"])
def test_what_is_damaged_is_a_problem_and_no_picture(api: Api, what: str) -> None:
    api.apply()
    cut = plant(api, picture((800, 400))[:200], width=800, height=400)
    assert ask(api, cut, what).status_code in ((422,) if what == "thumbnail" else (200, 422))
    name = put(api, picture((640, 480)), (640, 480))
    api.store.put(sample_key(KEY, name, "png"), b"something else")
    answer = ask(api, name, what)
    assert answer.status_code == 500
    assert ask(api, "f" * 64, what).status_code == 404
    assert ask(api, name, f"{what}?side=5000").status_code == (422 if what == "thumbnail" else 500)


def test_of_a_deleted_sample_nothing_is_shown_any_more(api: Api) -> None:
    api.apply()
    name = put(api, picture((800, 400)), (800, 400))
    assert ask(api, name, "thumbnail").status_code == 200
    path = f"/api/v1/jobs/default/pcb/samples/{name}/exclusion"
    body = {"reason": "a face", "delete": True}
    assert api.http.put(path, json=body, headers=api.admin).status_code == 200
    answer = ask(api, name, "thumbnail")
    assert (answer.status_code, answer.json()["detail"].split(" on ")[0]) == (409, "admin has deleted it")
    folder = api.services.engine_settings.pictures_dir
    assert [path for path in folder.rglob("*") if path.is_file()] == [], "nor kept"


def test_the_pictures_that_are_kept_are_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path, 10_000)
    for number in range(9):
        cache.put(KEY, f"{number:064d}", "256", bytes(1000))
    for number in range(9):
        (path,) = tmp_path.rglob(f"{number:064d}-256")
        os.utime(path, (number, number))
    assert cache.get(KEY, f"{0:064d}", "256") is not None, "its use counts"
    for number in (10, 11):
        cache.put(KEY, f"{number:064d}", "256", bytes(1000))
    kept = [number for number in range(12) if list(tmp_path.rglob(f"{number:064d}-256"))]
    assert kept == [0, 4, 5, 6, 7, 8, 10, 11]
    cache.forget_job(KEY)
    assert cache.get(KEY, f"{11:064d}", "256") is None


def test_a_picture_that_cannot_be_kept_is_shown_all_the_same(api: Api, tmp_path: Path) -> None:
    api.apply()
    name = put(api, picture((800, 400)), (800, 400))
    (tmp_path / "file").write_text("no folder")
    settings = api.services.engine_settings.model_copy(update={"data_dir": tmp_path / "file"})
    http = TestClient(create_app(dataclasses.replace(api.services, engine_settings=settings)))
    answer = http.get(f"/api/v1/jobs/default/pcb/samples/{name}/thumbnail", headers=api.admin)
    assert shown(answer).shape == (128, 256, 3)
