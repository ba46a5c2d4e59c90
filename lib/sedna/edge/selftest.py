"""Does a freshly opened model answer, and answer sense? Asked before it gets a single request."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from sedna.common.errors import ModelError, UserError
from sedna.common.types import Box, Prediction, Value
from sedna.common.validation import as_error
from sedna.edge.image import Pixels, decode_image
from sedna.edge.runtime import ModelRuntime
from sedna.store.models import ModelManifest

__all__ = ["SELF_TEST_FILE", "GoldenSample", "SelfTest", "check_prediction", "run_self_test"]

LOG = logging.getLogger("sedna.edge.selftest")

SELF_TEST_FILE = "selftest.json"
"""Name of the optional model file that holds a `SelfTest`; the images it names lie beside it."""

_SYNTHETIC_SIDE = 96
_SYNTHETIC_HINT = (
    "before it serves, a model is asked about a black picture and one of noise: it must have an answer to every "
    "picture, of any size; 'sedna check-module' asks the same"
)


class GoldenSample(Value):
    """An image of the model's own files, and what the model answered when it was made."""

    image: str
    prediction: Prediction


class SelfTest(Value):
    """Known answers. Boxes match at the given overlap and score difference; machines round differently."""

    samples: tuple[GoldenSample, ...] = Field(min_length=1)
    score_tolerance: float = Field(default=0.05, ge=0, le=1)
    iou: float = Field(default=0.8, gt=0, le=1, description="intersection over union from which two boxes are the same")


def run_self_test(runtime: ModelRuntime, folder: Path, manifest: ModelManifest) -> None:
    """Warm a model up and compare it with its golden samples; without any, with what every prediction must satisfy.

    Raises:
        ModelError: it fails, answers nonsense, or answers something else than when it was made.
    """
    where = f"model {manifest.version} of {manifest.job}"
    # Black and noise: what divides by the contrast fails on the one, what overflows on the other; both warm the
    # runtime.
    for look, pixels in (("black", np.zeros((_SYNTHETIC_SIDE, _SYNTHETIC_SIDE, 3), np.uint8)), ("of noise", _noise())):
        try:
            _predict(runtime, pixels, manifest, where)
        except ModelError as error:
            message = f"self-test with a picture of {_SYNTHETIC_SIDE} x {_SYNTHETIC_SIDE} pixels, {look}: {error}"
            raise ModelError(message, where=where, hint=_SYNTHETIC_HINT) from error
    if SELF_TEST_FILE not in {file.name for file in manifest.files}:
        return
    try:
        golden = SelfTest.model_validate_json((folder / SELF_TEST_FILE).read_bytes())
    except ValidationError as error:
        raise as_error(ModelError, error, where, what=f"{SELF_TEST_FILE} cannot be read") from error
    known = {file.name for file in manifest.files}
    for sample in golden.samples:
        if sample.image not in known:
            raise ModelError(f"{SELF_TEST_FILE} names {sample.image!r}, which is no file of the model", where=where)
        try:
            pixels = decode_image((folder / sample.image).read_bytes()).pixels
        except UserError as error:
            raise ModelError(f"golden sample {sample.image}: {error}", where=where) from error
        found = _predict(runtime, pixels, manifest, where)
        if not _alike(found, sample.prediction, golden):
            raise ModelError(f"answers {sample.image} differently than when it was made", where=where)
    LOG.info("%s answers its %d golden samples as when it was made", where, len(golden.samples))


def check_prediction(prediction: Prediction, classes: int) -> None:
    """What every prediction must satisfy beside being finite: labels and probabilities fit the classes.

    Args:
        prediction: of any model.
        classes: how many the model's manifest names; 0 = it names none, nothing to compare with.

    Raises:
        ModelError: it does not.
    """
    if not classes:
        return
    labels = {box.label for box in prediction.boxes} | ({prediction.label} if prediction.label is not None else set())
    if labels and max(labels) >= classes:
        hint = "labels count from 0, in the order of classNames"
        raise ModelError(f"answers label {max(labels)}, but has {classes} classes", hint=hint)
    if prediction.probabilities is not None and len(prediction.probabilities) != classes:
        hint = "one probability for each of classNames, in their order"
        raise ModelError(f"answers {len(prediction.probabilities)} probabilities, but has {classes} classes", hint=hint)


def _predict(runtime: ModelRuntime, pixels: Pixels, manifest: ModelManifest, where: str) -> Prediction:
    answers = runtime.predict([pixels])
    if len(answers) != 1:
        raise ModelError(f"answered {len(answers)} predictions for one image", where=where)
    check_prediction(answers[0], len(manifest.class_names))
    return answers[0]


def _noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (_SYNTHETIC_SIDE, _SYNTHETIC_SIDE, 3), dtype=np.uint8)


def _alike(found: Prediction, expected: Prediction, limits: SelfTest) -> bool:
    if (found.probabilities is None) != (expected.probabilities is None) or len(found.boxes) != len(expected.boxes):
        return False
    pairs = zip(found.probabilities or (), expected.probabilities or (), strict=False)
    if any(abs(one - other) > limits.score_tolerance for one, other in pairs):
        return False
    # Each found box may stand for one expected box only: two equal ones are not one seen twice.
    left = list(found.boxes)
    for box in expected.boxes:
        match = next((other for other in left if _same(box, other, limits)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _same(one: Box, other: Box, limits: SelfTest) -> bool:
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    overlap = max(width, 0.0) * max(height, 0.0)
    areas = (one.x2 - one.x1) * (one.y2 - one.y1) + (other.x2 - other.x1) * (other.y2 - other.y1)
    close = abs((one.score or 0.0) - (other.score or 0.0)) <= limits.score_tolerance
    return one.label == other.label and close and overlap / (areas - overlap) >= limits.iou
