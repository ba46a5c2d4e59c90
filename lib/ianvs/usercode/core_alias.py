"""``core.common.*`` for modules written for upstream, served in a test case's process; no such package is installed."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from enum import Enum
from inspect import getfullargspec
from types import ModuleType
from typing import Any

import yaml

LOGGER = logging.getLogger("ianvs")


class DatasetFormat(Enum):
    """Names of data formats."""

    CSV = "csv"
    TXT = "txt"
    JSON = "json"
    JSONL = "jsonl"
    JSONFORLLM = "jsonforllm"


class ParadigmType(Enum):
    """Names of paradigms."""

    SINGLE_TASK_LEARNING = "singletasklearning"
    INCREMENTAL_LEARNING = "incrementallearning"
    MULTIEDGE_INFERENCE = "multiedgeinference"
    LIFELONG_LEARNING = "lifelonglearning"
    FEDERATED_LEARNING = "federatedlearning"
    FEDERATED_CLASS_INCREMENTAL_LEARNING = "federatedclassincrementallearning"
    JOINT_INFERENCE = "jointinference"


class SystemMetricType(Enum):
    """Names of metrics that need no function of the user."""

    SAMPLES_TRANSFER_RATIO = "samples_transfer_ratio"
    FWT = "FWT"
    BWT = "BWT"
    MATRIX = "MATRIX"
    TASK_AVG_ACC = "task_avg_acc"
    FORGET_RATE = "forget_rate"


def is_local_file(url: str) -> bool:
    """Whether a file is there."""
    return os.path.isfile(url)  # noqa: PTH113 - also takes bytes and file numbers, as upstream


def is_local_dir(url: str) -> bool:
    """Whether a folder is there."""
    return os.path.isdir(url)  # noqa: PTH112


def get_file_format(url: str) -> str:
    """The suffix without its dot; metadata.json has a format of its own."""
    if os.path.basename(url) == "metadata.json":  # noqa: PTH119
        return DatasetFormat.JSONFORLLM.value
    return os.path.splitext(url)[-1][1:]  # noqa: PTH122


def get_local_time() -> str:
    """The local time as ranks show it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime())


def parse_kwargs(func: Callable[..., Any], **kwargs: Any) -> dict[str, Any]:
    """The keyword arguments that ``func`` names, or all of them if it takes ``**kwargs``."""
    spec = getfullargspec(func)
    if spec.varkw == "kwargs":
        return kwargs
    return {name: value for name, value in kwargs.items() if name in (*spec.args, *spec.kwonlyargs)}


def yaml2dict(url: str) -> Any:
    """The content of a yaml file."""
    if not url.endswith((".yaml", ".yml")):
        raise RuntimeError(f"{url}: the name of a yaml file ends in .yaml or .yml")
    with open(url, "rb") as file:  # noqa: PTH123
        return yaml.safe_load(file)


def device_profile() -> dict[str, Any]:
    """What the device of this process is, and whether it computes in bfloat16 natively (CUDA capability 8.0)."""
    torch = _torch_with_cuda()
    if torch is None:
        return {"device": "cpu", "name": None, "capability": None, "bf16_native": False, "total_memory_gb": None}
    index = torch.cuda.current_device()
    found = torch.cuda.get_device_properties(index)
    capability = torch.cuda.get_device_capability(index)
    return {
        "device": "cuda",
        "name": found.name,
        "capability": capability,
        "bf16_native": capability >= (8, 0),
        "total_memory_gb": round(found.total_memory / 2**30, 2),
    }


def _torch_with_cuda() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def supports_bf16() -> bool:
    """Whether the device computes in bfloat16 natively."""
    return bool(device_profile()["bf16_native"])


MODULES: dict[str, dict[str, object]] = {
    "core": {},
    "core.common": {},
    "core.common.log": {"LOGGER": LOGGER},
    "core.common.device": {function.__name__: function for function in (device_profile, supports_bf16)},
    "core.common.constant": {kind.__name__: kind for kind in (DatasetFormat, ParadigmType, SystemMetricType)},
    "core.common.utils": {
        function.__name__: function
        for function in (is_local_file, is_local_dir, get_file_format, get_local_time, parse_kwargs, yaml2dict)
    },
}
"""Modules that are served, with what each holds."""


def install() -> None:
    """Make ``import core.common.log`` and its neighbours work in this process."""
    for name, members in MODULES.items():
        module = ModuleType(name, "Served by ianvs for modules written for upstream.")
        module.__dict__.update(members)
        module.__dict__["__path__"] = []  # makes it a package: without one, `import core.common` is refused
        sys.modules[name] = module
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], leaf, module)
