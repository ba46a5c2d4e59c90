"""What an inference request is answered with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from pydantic import JsonValue

from sedna.common.types import Prediction
from sedna.edge.pipeline import FrameResult
from sedna.edge.server.images import INPUT_NAME
from sedna.edge.server.tensors import OutputTensor

__all__ = ["model_metadata", "output_tensors", "response_parameters"]

_BOX = 4


def model_metadata(name: str, version: int, runtime: str) -> dict[str, JsonValue]:
    """The protocol's description of a model."""

    def tensor(tensor_name: str, datatype: str, *shape: int) -> JsonValue:
        return {"name": tensor_name, "datatype": datatype, "shape": list(shape)}

    return {
        "name": name,
        "versions": [str(version)],
        "platform": f"sedna_{runtime}",
        "inputs": [tensor(INPUT_NAME, "BYTES", -1)],
        "outputs": [
            tensor("boxes", "FP32", -1, _BOX),
            tensor("scores", "FP32", -1),
            tensor("labels", "INT64", -1),
            tensor("counts", "INT64", -1),
            tensor("probabilities", "FP32", -1, -1),
            tensor("verdicts", "BYTES", -1),
        ],
    }


def output_tensors(results: list[FrameResult]) -> list[OutputTensor]:
    """Predictions and verdicts of N images.

    Detection: ``boxes`` [M, 4], ``scores`` [M], ``labels`` [M] of all images one after another, and ``counts`` [N]
    says how many belong to each. Classification: ``probabilities`` [N, C], ``labels`` [N]. Always: ``verdicts`` [N],
    each a JSON object with hard, score, reason, sample_id, kept, not_kept.
    """
    predictions = [result.prediction for result in results]
    verdicts = OutputTensor("verdicts", "BYTES", [json.dumps(_verdict(result)).encode() for result in results])
    if all(prediction.probabilities is not None for prediction in predictions):
        rows = [prediction.probabilities for prediction in predictions]
        labels = [prediction.label if prediction.label is not None else -1 for prediction in predictions]
        return [
            OutputTensor("probabilities", "FP32", np.array(rows, np.float32)),
            OutputTensor("labels", "INT64", np.array(labels, np.int64)),
            verdicts,
        ]
    return [*_detections(predictions), verdicts]


def response_parameters(version: int, results: list[FrameResult]) -> dict[str, JsonValue]:
    """The response's parameters; those of the verdict only when there is one image."""
    parameters: dict[str, JsonValue] = {"model_version": version}
    if len(results) == 1:
        parameters.update(_verdict(results[0]))
    return parameters


def _detections(predictions: list[Prediction]) -> list[OutputTensor]:
    boxes = [box for prediction in predictions for box in prediction.boxes]
    corners: np.ndarray[Any, Any] = np.array([(b.x1, b.y1, b.x2, b.y2) for b in boxes], np.float32)
    scores = [box.score if box.score is not None else 1.0 for box in boxes]
    return [
        OutputTensor("boxes", "FP32", corners.reshape(-1, _BOX)),
        OutputTensor("scores", "FP32", np.array(scores, np.float32)),
        OutputTensor("labels", "INT64", np.array([box.label for box in boxes], np.int64)),
        OutputTensor("counts", "INT64", np.array([len(prediction.boxes) for prediction in predictions], np.int64)),
    ]


def _verdict(result: FrameResult) -> dict[str, JsonValue]:
    """The protocol allows texts, numbers and booleans, so what is not there is left out or empty."""
    answer: dict[str, JsonValue] = {
        "hard": result.verdict.hard,
        "miner": result.verdict.miner,
        "reason": result.verdict.reason,
        "sample_id": result.sample_id,
        "kept": result.kept.value if result.kept else "",
        "not_kept": result.not_kept.value if result.not_kept else "",
    }
    if result.verdict.score is not None:
        answer["score"] = result.verdict.score
    return answer
