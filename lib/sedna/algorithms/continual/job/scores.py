"""Figures of a classifier on labelled samples, in the form that the gate of a job reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def classification_report(
    names: tuple[str, ...], probabilities_NC: npt.NDArray[np.float32], truth_N: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Accuracy, precision, recall and F1 of each class, the macro F1 over classes that occur, and counts for every
    sample: a right answer is ``tp`` of its class, a wrong one ``fn`` of the true and ``fp`` of the answered class.

    Args:
        names: of the samples, usually paths; their stems are reported.
    """
    answer_N = probabilities_NC.argmax(1) if len(truth_N) else np.empty(0, np.int64)
    classes = probabilities_NC.shape[1]
    eye = np.eye(classes, dtype=np.int64)
    right_N1 = (answer_N == truth_N)[:, None]
    tp_NC, fp_NC, fn_NC = eye[truth_N] * right_N1, eye[answer_N] * ~right_N1, eye[truth_N] * ~right_N1
    tp_C, fp_C, fn_C = tp_NC.sum(0), fp_NC.sum(0), fn_NC.sum(0)
    f1_C = _ratio(2 * tp_C, 2 * tp_C + fp_C + fn_C)
    present_C = tp_C + fn_C > 0
    return {
        "accuracy": float(right_N1.mean()) if len(truth_N) else 0.0,
        "precision": _ratio(tp_C, tp_C + fp_C).tolist(),
        "recall": _ratio(tp_C, tp_C + fn_C).tolist(),
        "f1": f1_C.tolist(),
        "f1_macro": float(f1_C[present_C].mean()) if present_C.any() else 0.0,
        "samples": len(truth_N),
        "per_sample": [
            {"sample": Path(name).stem, "tp": tp.tolist(), "fp": fp.tolist(), "fn": fn.tolist()}
            for name, tp, fp, fn in zip(names, tp_NC, fp_NC, fn_NC, strict=True)
        ],
    }


def _ratio(part_C: npt.NDArray[np.int64], whole_C: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.divide(part_C, whole_C, out=np.zeros(len(part_C)), where=whole_C > 0)
