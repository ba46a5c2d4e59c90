"""Small makers and twins shared by the tests of sedna.edge."""

import io
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from sedna.common.types import JobKey, Picked, Prediction, SampleRecord, Verdict, sample_id

JOB = JobKey(name="pcb")


def png(seed: int = 0, width: int = 16, height: int = 12) -> bytes:
    """A small picture; another seed gives other bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def record_of(data: bytes, picked: Picked = Picked.HARD, job: JobKey = JOB) -> SampleRecord:
    """The record of a sample with these bytes."""
    return SampleRecord(
        sample_id=sample_id(data),
        job=job,
        extension="png",
        size=len(data),
        width=16,
        height=12,
        picked=picked,
        verdict=Verdict(hard=picked is Picked.HARD, miner="IBT", score=0.4, threshold=0.5, reason="score below"),
        prediction=Prediction(),
        model_version=1,
        edge="edge-1",
        captured_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
