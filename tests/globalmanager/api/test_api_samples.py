"""Samples from upload to story, labels, and what is refused on the way."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from fixtures_api import JOB_YAML, Api, png, sample_record
from fixtures_labels import files_of, zipped
from globalmanager.db import jobs, samples
from sedna.common.label_format import LabelFormat
from sedna.common.types import Annotation, Box, JobKey
from sedna.labels import LabelledImage, LabelSet
from sedna.store.layout import sample_key


def stored(api: Api) -> list[str]:
    return [info.key for info in api.store.list()]


def test_an_upload_is_stored_once(api: Api) -> None:
    api.apply()
    image = png()
    name = hashlib.sha256(image).hexdigest()
    first = api.put_sample(image)
    assert first.status_code == 201
    assert first.json() == {"sample_id": name, "created": True, "repaired": False}
    assert first.headers["location"] == f"/api/v1/jobs/default/pcb/samples/{name}"
    again = api.put_sample(image)
    assert again.status_code == 200
    assert again.json()["created"] is False
    assert stored(api) == [f"default/pcb/samples/{name}.json", f"default/pcb/samples/{name}.png"]
    assert api.store.get(sample_key(JobKey(name="pcb"), name, "png")) == image


def test_a_story_tells_everything(api: Api) -> None:
    api.apply()
    image = png()
    name = api.put_sample(image).json()["sample_id"]
    story = api.get(f"jobs/default/pcb/samples/{name}")
    assert story["sample"]["record"]["verdict"]["reason"] == "below"
    assert story["labels"] == []
    body = {"annotation": {"boxes": [{"x1": 1, "y1": 2, "x2": 10, "y2": 12, "label": 1}]}, "author": "anna"}
    path = f"/api/v1/jobs/default/pcb/samples/{name}/label"
    labelled = api.http.put(path, json=body, headers=api.admin)
    assert labelled.status_code == 200
    assert labelled.json()["label"]["author"] == "anna"
    part = labelled.json()["part"]
    empty = api.http.put(path, json={"annotation": {}}, headers=api.admin).json()
    assert empty["part"] == part, "labelling again keeps the share"
    assert empty["label"]["author"] == "admin"
    story = api.get(f"jobs/default/pcb/samples/{name}")
    assert [label["author"] for label in story["labels"]] == ["anna", "admin"]
    assert api.get("jobs/default/pcb")["counts"]["labelled"] == 1


def test_the_image_comes_back_byte_for_byte(api: Api) -> None:
    api.apply()
    image = png()
    name = api.put_sample(image).json()["sample_id"]
    response = api.http.get(f"/api/v1/jobs/default/pcb/samples/{name}/image", headers=api.admin)
    assert response.content == image
    assert response.headers["content-type"] == "image/png"
    assert response.headers["etag"] == f'"{name}"'
    assert "immutable" in response.headers["cache-control"]
    missing = api.http.get(f"/api/v1/jobs/default/pcb/samples/{'0' * 64}/image", headers=api.admin)
    assert missing.status_code == 404


@pytest.mark.parametrize("damage", [lambda image: image[:-9], lambda image: image[:-1] + b"x", lambda _: b""])
def test_a_damaged_image_is_a_problem_and_not_half_a_body(api: Api, damage: Callable[[bytes], bytes]) -> None:
    api.apply()
    image = png()
    name = api.put_sample(image).json()["sample_id"]
    api.store.put(sample_key(JobKey(name="pcb"), name, "png"), damage(image))
    path = f"/api/v1/jobs/default/pcb/samples/{name}/image"
    response = api.http.get(path, headers=api.admin)
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert "damaged" in response.json()["detail"]
    assert "again" in response.json()["hint"]
    assert api.put_sample(image).json()["repaired"]
    assert api.http.get(path, headers=api.admin).content == image
    api.store.delete(sample_key(JobKey(name="pcb"), name, "png"))
    gone = api.http.get(path, headers=api.admin)
    assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"edge": "line-2"}, 403, "belongs to edge 'line-1'"),
        ({"path_id": "0" * 64}, 422, "the record is of sample"),
        ({"sample_id": "0" * 64}, 422, "sha256"),
        ({"size": 5}, 422, "5"),
        ({"width": 33}, 422, "33 x 24"),
        ({"job": {"namespace": "default", "name": "other"}}, 422, "the record is of job default/other"),
        ({"picked": "maybe"}, 422, "hard"),
        ({"extra": 1}, 422, "Extra"),
        ({"captured_at": "yesterday"}, 422, "datetime"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(api: Api, changes: dict[str, object], status: int, said: str) -> None:
    api.apply()
    response = api.put_sample(png(), **changes)
    assert response.status_code == status, response.text
    assert said in response.text
    assert stored(api) == []
    assert api.get("jobs/default/pcb/samples")["items"] == []


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png() -> bytes:
    """Three hundred bytes that stand for 3.6 gigapixels."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("image", "status"),
    [
        (b"not an image at all", 422),
        (b"", 422),
        (png()[:60], 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422),
        (huge_png(), 413),
    ],
    ids=["text", "empty", "truncated", "svg", "bomb"],
)
def test_bytes_that_are_no_whole_image_are_refused(api: Api, image: bytes, status: int) -> None:
    api.apply()
    response = api.put_sample(image, size=max(1, len(image)))
    assert response.status_code == status, response.text
    assert stored(api) == []


def test_an_upload_needs_its_job_and_both_parts(api: Api) -> None:
    assert api.put_sample(png()).status_code == 404
    api.apply()
    image = png()
    name = hashlib.sha256(image).hexdigest()
    path = f"/api/v1/jobs/default/pcb/samples/{name}"
    response = api.http.put(path, files={"image": ("x.png", image)}, headers=api.edge)
    assert response.status_code == 422
    assert response.json()["where"] == "body.record"
    record = json.dumps(sample_record(image))
    response = api.http.put(path, files={"record": (None, record)}, headers=api.edge)
    assert response.status_code == 422
    assert response.json()["where"] == "body.image"
    response = api.http.put(path, files={"record": (None, "{"), "image": ("x", image)}, headers=api.edge)
    assert response.status_code == 422
    assert response.json()["where"] == "record"
    headers = {**api.edge, "Content-Type": "multipart/form-data; boundary=b"}
    response = api.http.put(path, content=b"--b\r\nnonsense", headers=headers)
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies_are_read_and_bounded_once_inflated(
    api: Api, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    headers = {**api.admin, "Content-Type": "application/yaml", "Content-Encoding": encoding}
    response = api.http.post("/api/v1/resources", content=compress(JOB_YAML.encode()), headers=headers)
    assert response.status_code == 200, response.text
    assert api.get("jobs/default/pcb")["name"] == "pcb"
    for content, status, said in (
        (compress(b"#" * (50 << 20)), 413, "too large once it is inflated"),
        (b"kind: Dataset", 422, f"is not {encoding}"),
        (compress(JOB_YAML.encode() * 9)[:-9], 422, "ends in its middle"),
    ):
        response = api.http.post("/api/v1/resources", content=content, headers=headers)
        assert (response.status_code, said in response.json()["detail"]) == (status, True), response.text
    response = api.http.post("/api/v1/resources", content=b"x", headers={**headers, "Content-Encoding": "br"})
    assert response.status_code == 415


def test_a_body_over_the_limit_is_413(api: Api) -> None:
    api.apply()
    response = api.put_sample(b"x" * (300 * 1024))
    assert response.status_code == 413
    assert response.json()["hint"] == f"at most {256 * 1024} bytes"
    response = api.http.post("/api/v1/edges", headers=api.admin, json={"name": "a" * 70_000})
    assert response.status_code == 413


def test_samples_are_filtered_and_paged(api: Api) -> None:
    api.apply()
    names = [
        api.put_sample(png(colour), picked="audit" if colour % 2 else "hard").json()["sample_id"] for colour in range(6)
    ]
    listed = [row["record"]["sample_id"] for row in api.get("jobs/default/pcb/samples")["items"]]
    assert listed == names[::-1]
    page = api.get("jobs/default/pcb/samples?limit=4")
    rest = api.get(f"jobs/default/pcb/samples?limit=4&cursor={page['next']}")
    assert [row["record"]["sample_id"] for row in page["items"] + rest["items"]] == names[::-1]
    assert rest["next"] is None
    path = f"/api/v1/jobs/default/pcb/samples/{names[0]}/label"
    api.http.put(path, json={"annotation": {}}, headers=api.admin)
    count = {
        query: len(api.get(f"jobs/default/pcb/samples?{query}")["items"])
        for query in ("picked=audit", "picked=hard", "labelled=true", "labelled=false", "edge=line-1", "edge=line-2")
    }
    assert list(count.values()) == [3, 3, 1, 5, 6, 0]
    assert (
        len(api.get("jobs/default/pcb/samples?part=train")["items"])
        + len(api.get("jobs/default/pcb/samples?part=eval")["items"])
        == 1
    )


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ({"boxes": [{"x1": 1, "y1": 1, "x2": 99, "y2": 9, "label": 0}]}, "99"),
        ({"boxes": [{"x1": 1, "y1": 1, "x2": 9, "y2": 9, "label": 7}]}, "7"),
        ({"boxes": [{"x1": 9, "y1": 1, "x2": 1, "y2": 9, "label": 0}]}, "no area"),
        ({"boxes": "all"}, "tuple"),
    ],
)
def test_impossible_labels_are_refused(api: Api, annotation: dict[str, object], said: str) -> None:
    api.apply()
    name = api.put_sample(png()).json()["sample_id"]
    path = f"/api/v1/jobs/default/pcb/samples/{name}/label"
    response = api.http.put(path, json={"annotation": annotation}, headers=api.admin)
    assert response.status_code == 422
    assert said in response.text
    assert api.get(f"jobs/default/pcb/samples/{name}")["labels"] == []


def test_labels_are_imported_from_a_file(api: Api) -> None:
    api.apply()
    names = [api.put_sample(png(colour)).json()["sample_id"] for colour in range(2)]
    text = f"{names[0]}.png 1,1,9,9,0\n{names[1]}.png\n"
    headers = {**api.admin, "Content-Type": "text/plain"}
    path = "/api/v1/jobs/default/pcb/labels:import"
    report = api.http.post(f"{path}?format=txt&author=tool", content=text, headers=headers)
    assert report.status_code == 200, report.text
    assert report.json() == {
        "labelled": 2,
        "unchanged": 0,
        "unknown": [],
        "problems": [],
        "skipped": [],
        "pictures": {"taken": 2, "skipped": 0, "refused": 0},
        "annotations": {"taken": 1, "skipped": 0, "refused": 0},
        "holdout_changed": 0,
        "turned": 0,
        "class_names": ["open", "short"],
    }
    story = api.get(f"jobs/default/pcb/samples/{names[0]}")
    assert story["labels"][0]["author"] == "tool"
    bad = api.http.post(f"{path}?format=txt", content=f"{names[0]}.png 1,1,99,9,0\n", headers=headers)
    assert bad.status_code == 422
    clipped = api.http.post(f"{path}?format=txt&mode=clip", content=f"{names[0]}.png 1,1,99,9,0\n", headers=headers)
    assert clipped.status_code == 200
    assert clipped.json()["problems"]
    assert api.http.post(f"{path}?format=voc", content=text, headers=headers).status_code == 422


def test_other_image_formats_are_taken(api: Api) -> None:
    api.apply()
    for image_format in ("JPEG", "BMP", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        Image.new("RGB", (32, 24), (1, 2, 3)).save(buffer, image_format)
        extension = {"JPEG": "jpg", "TIFF": "tif"}.get(image_format, image_format.lower())
        assert api.put_sample(buffer.getvalue(), extension=extension).status_code == 201


def test_the_queue_says_what_to_label_next(api: Api) -> None:
    api.apply()
    boxes = [{"x1": 1, "y1": 1, "x2": 9, "y2": 9, "label": 1, "score": score} for score in (0.9, 0.5, 0.7)]
    images = [png(number) for number in range(3)]
    for image, box in zip(images, boxes, strict=True):
        assert api.put_sample(image, prediction={"boxes": [box]}).status_code == 201
    ids = [hashlib.sha256(image).hexdigest() for image in images]
    found = api.get("jobs/default/pcb/labels:queue", params={"order": "margin", "limit": 2})
    assert [row["sample_id"] for row in found] == [ids[1], ids[2]]
    assert found[0]["score"] == pytest.approx(1.0)
    assert found[0]["predicted"] == 1
    assert [row["sample_id"] for row in api.get("jobs/default/pcb/labels:queue?order=oldest")] == ids
    refused = api.http.get("/api/v1/jobs/default/pcb/labels:queue?order=luck", headers=api.admin)
    assert refused.status_code == 422
    assert "entropy" in refused.text
    assert api.http.get("/api/v1/jobs/default/nobody/labels:queue", headers=api.admin).status_code == 404
    assert api.http.get("/api/v1/jobs/default/pcb/labels:queue", headers=api.edge).status_code == 403


@pytest.mark.parametrize("label_format", [*LabelFormat, "TXT", "darknet"])
def test_every_format_of_the_table_is_taken(api: Api, label_format: str) -> None:
    api.apply()
    name = api.put_sample(png()).json()["sample_id"]
    boxes = (Box(x1=1, y1=2, x2=9, y2=10, label=1),)
    names = tuple(api.get("jobs/default/pcb")["spec"]["classNames"])
    image = LabelledImage(file_name=f"{name}.png", width=32, height=24, annotation=Annotation(boxes=boxes))
    known = label_format in list(LabelFormat)
    files = files_of(LabelSet(class_names=names, items=(image,)), LabelFormat(label_format if known else "txt"))
    headers = {**api.admin, "Content-Type": "application/zip"}
    path = f"/api/v1/jobs/default/pcb/labels:import?format={label_format}"
    response = api.http.post(path, content=zipped(files), headers=headers)
    assert response.status_code == (200 if known else 422), response.text
    if known:
        assert response.json()["labelled"] == 1
        found = api.get(f"jobs/default/pcb/samples/{name}")["labels"][-1]["annotation"]["boxes"]
        assert [(box["x1"], box["x2"], box["label"]) for box in found] == [(1, 9, 1)]
    else:
        assert all(spelt in response.text for spelt in LabelFormat)


def test_labels_of_the_hold_out_change_when_asked_for(api: Api) -> None:
    api.apply()
    name = api.put_sample(png()).json()["sample_id"]
    with api.services.db.write() as session:
        job = jobs.get(session, JobKey(name="pcb"))
        assert samples.hold_out(session, job.id, name)
    path = f"/api/v1/jobs/default/pcb/samples/{name}/label"
    box = {"x1": 1, "y1": 2, "x2": 10, "y2": 12, "label": 1}
    first = api.http.put(path, json={"annotation": {"boxes": [box]}}, headers=api.admin)
    assert (first.status_code, first.json()["part"]) == (200, "holdout")
    refused = api.http.put(path, json={"annotation": {}}, headers=api.admin)
    assert refused.status_code == 422
    assert "frozen hold-out" in refused.json()["detail"]
    assert "holdout" in refused.json()["hint"]
    imported = "/api/v1/jobs/default/pcb/labels:import?format=txt&filename=today.txt"
    headers = {**api.admin, "Content-Type": "text/plain"}
    strict = api.http.post(imported, content=f"{name}.png\n", headers=headers)
    assert strict.status_code == 422
    assert "today.txt: line 1: it is frozen hold-out" in strict.json()["detail"]
    changed = api.http.post(f"{imported}&holdout=true", content=f"{name}.png\n", headers=headers)
    assert changed.json()["holdout_changed"] == 1
    again = api.http.put(path, json={"annotation": {"boxes": [box]}, "holdout": True}, headers=api.admin)
    assert again.json()["label"]["author"] == "admin"


def test_a_sample_is_taken_out_with_a_reason(api: Api) -> None:
    api.apply()
    name = api.put_sample(png()).json()["sample_id"]
    path = f"/api/v1/jobs/default/pcb/samples/{name}/exclusion"
    assert api.http.put(path, json={}, headers=api.admin).status_code == 422, "a reason is wanted"
    assert api.http.put(path, json={"reason": "x"}, headers=api.edge).status_code == 403
    out = api.http.put(path, json={"reason": "a thumb", "author": "anna"}, headers=api.admin)
    assert out.json()["sample"]["excluded"] is True
    assert api.get("jobs/default/pcb/samples")["items"] == []
    assert len(api.get("jobs/default/pcb/samples?excluded=true")["items"]) == 1
    assert api.http.delete(path, headers=api.admin).json()["exclusions"][0]["ended"] is True
    gone = api.http.put(path, json={"reason": "a face", "delete": True}, headers=api.admin)
    assert gone.json()["exclusions"][-1]["deleted"] is True
    assert stored(api) == []
    assert api.put_sample(png()).status_code == 409
