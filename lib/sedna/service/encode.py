"""Results of user code as JSON: numpy and torch values, value objects, paths."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

from sedna.common.errors import DataError

__all__ = ["to_jsonable"]

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def to_jsonable(value: Any, where: str = "result") -> JsonValue:
    """``value`` in types that every JSON reader knows.

    Arrays, tensors and their scalars become lists and numbers, dataclasses, named tuples and pydantic models become
    objects or lists, sets become lists. NaN and infinity become null: they are no JSON, and a missing figure is what
    they mean.

    Args:
        where: what an error message calls the value.

    Raises:
        DataError: a type without a JSON form, or a structure that contains itself.
    """
    try:
        return _convert(value, where)
    except RecursionError:
        raise DataError("contains itself, or is nested too deeply", where=where) from None


def _convert(value: Any, where: str) -> JsonValue:
    if isinstance(value, float) and not isinstance(value, Enum):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Enum):
        return _convert(value.value, where)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _convert(getattr(value, field.name), f"{where}.{field.name}") for field in fields}
    if hasattr(value, "model_dump"):
        return _convert(value.model_dump(mode="json"), where)
    if isinstance(value, Mapping):
        return {str(key): _convert(item, f"{where}.{key}") for key, item in value.items()}
    if hasattr(value, "tolist"):  # numpy and torch, scalars too
        return _convert(value.tolist(), where)
    if isinstance(value, list | tuple | set | frozenset):
        return [_convert(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise DataError(
        f"a {type(value).__name__} cannot be written as JSON",
        where=where,
        hint="numbers, texts, lists, mappings",
    )
