"""Single task learning: train once, predict the test data. The calls and their order are upstream's.

``preprocess`` is called once, and only where a basemodel defines it without required arguments.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ianvs.cases.measurements import Measurements
from ianvs.grammar import AlgorithmConfig
from ianvs.paradigms.base import Case, ParadigmResult
from ianvs.usercode.parts import load_estimator
from sedna.common.errors import WorkerError

NEEDED = ("train", "save", "load", "predict")


def run(case: Case) -> ParadigmResult:
    """Train, save, load, predict.

    Raises:
        SpecError: the basemodel lacks a method.
    """
    measurements = Measurements()
    os.environ["LOCAL_TEST"] = "TRUE"
    if case.testenv.use_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "0"
    case.progress.step(0.0, "loading")
    with case.watch.algorithm():
        model = load_estimator(case.code, case.module("basemodel"), NEEDED)
        _preprocess(model)
    case.progress.step(0.05, "training")
    trained = _train(case, model, measurements)
    case.progress.step(0.7, "inference")
    return ParadigmResult(_predict(case, model, trained, measurements), measurements)


def _preprocess(model: Any) -> None:
    method: Callable[..., Any] | None = getattr(model, "preprocess", None)
    if not callable(method):
        return
    required = [
        parameter
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    if not required:
        method()


def _train(case: Case, model: Any, measurements: Measurements) -> str:
    initial = case.algorithm.initial_model_url
    os.environ["BASE_MODEL_URL"] = initial
    folder = f"{case.output_dir}/output/train/"
    data = case.dataset.load_data(case.dataset.train_url, "train")
    started = time.perf_counter()
    with case.watch.algorithm():
        model.train(data)
    measurements.train_seconds = time.perf_counter() - started
    # The folder is not made here: save() of users makes it, and fails if it is there.
    with case.watch.algorithm():
        saved = model.save(folder)
    trained = initial if saved is None else str(saved)
    return _compressed(trained, case.algorithm) if case.algorithm.mode == "with_compression" else trained


def _compressed(model: str, algorithm: AlgorithmConfig) -> str:
    """The model quantised by llama.cpp's tool; the model as it is when a part of that is not given.

    Raises:
        WorkerError: the tool failed.
    """
    tool, kind = algorithm.llama_quantize_path, algorithm.quantization_type
    # Upstream answers None here, and then fails in load(); the model that was trained is of more use.
    if not (Path(model).is_file() and tool and Path(tool).exists() and kind):
        return model
    target = model.replace(".gguf", f"_{kind}.gguf")
    done = subprocess.run([tool, model, target, kind], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkerError(f"quantisation ended with code {done.returncode}: {done.stderr[-500:]}", where=tool)
    return target


def _predict(case: Case, model: Any, trained: str, measurements: Measurements) -> Any:
    folder = f"{case.output_dir}/output/inference/"
    Path(folder).mkdir(parents=True, exist_ok=True)
    os.environ["RESULT_SAVED_URL"] = folder
    with case.watch.algorithm():
        model.load(trained)
    data = case.dataset.load_data(case.dataset.test_url, "inference")
    started = time.perf_counter()
    with case.watch.algorithm():
        answers = model.predict(data if getattr(data, "need_other_info", False) else data.x)
    seconds = time.perf_counter() - started
    measurements.latencies = [seconds / len(data)] * len(data) if len(data) else []
    return answers
