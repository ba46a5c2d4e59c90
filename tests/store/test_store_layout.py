"""The keys of the architecture's object layout."""

from __future__ import annotations

import pytest

from sedna.common.errors import SpecError
from sedna.common.types import JobKey
from sedna.store import check_key, layout

JOB = JobKey(namespace="plant-1", name="pcb.line2")
ID = "ab" * 32


def test_keys_are_where_the_architecture_says() -> None:
    assert layout.sample_key(JOB, ID, "jpg") == f"plant-1/pcb.line2/samples/{ID}.jpg"
    assert layout.sample_record_key(JOB, ID) == f"plant-1/pcb.line2/samples/{ID}.json"
    assert layout.dataset_manifest_key(JOB, 3) == "plant-1/pcb.line2/datasets/3/manifest.jsonl"
    assert layout.round_prefix(JOB, 12) == "plant-1/pcb.line2/rounds/12/"
    assert layout.model_file_key(JOB, 2, ID, "a/b.onnx") == f"plant-1/pcb.line2/models/2/files/{ID}/a/b.onnx"
    assert layout.model_manifest_key(JOB, 2) == "plant-1/pcb.line2/models/2/manifest.json"


def test_every_key_begins_with_its_prefixes_and_is_well_formed() -> None:
    for key, prefix in (
        (layout.sample_key(JOB, ID, "jpg"), layout.samples_prefix(JOB)),
        (layout.sample_record_key(JOB, ID), layout.samples_prefix(JOB)),
        (layout.dataset_manifest_key(JOB, 1), layout.datasets_prefix(JOB)),
        (layout.model_manifest_key(JOB, 1), layout.model_prefix(JOB, 1)),
        (layout.model_file_key(JOB, 1, ID, "f"), layout.model_prefix(JOB, 1)),
        (layout.model_prefix(JOB, 1) + "x", layout.models_prefix(JOB)),
    ):
        assert check_key(key) == key
        assert prefix.endswith("/")
        assert key.startswith(prefix)
        assert key.startswith(layout.job_prefix(JOB))


@pytest.mark.parametrize("number", [0, -1])
def test_counting_starts_at_one(number: int) -> None:
    for build in (layout.dataset_manifest_key, layout.round_prefix, layout.model_prefix, layout.model_manifest_key):
        with pytest.raises(SpecError, match="counting starts at 1"):
            build(JOB, number)
