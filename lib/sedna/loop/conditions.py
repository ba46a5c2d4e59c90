"""``{operator, threshold, metric}``: upstream's comparison, without its ways to fail silently.

Upstream reads a list-valued metric without an index as 0, so that its published ``precision_delta > 0.1`` can never
hold. Here a bare list is compared by the mean of its finite entries.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

MetricValue = float | Sequence[float]

_METRIC = re.compile(r"^([A-Za-z_][\w.@\-/]*)(?:\[(\d+)\])?$")
_TOLERANCE = 1e-6

_ALIASES = {"gt": ">", "ge": ">=", "eq": "==", "=": "==", "ne": "!=", "le": "<=", "lt": "<"}
Operator = Literal[">", ">=", "==", "!=", "<=", "<"]
AnyOperator = Literal[">", ">=", "==", "!=", "<=", "<", "gt", "ge", "eq", "=", "ne", "le", "lt"]
"""As it may be written; a condition has the first six."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda value, limit: value - limit >= _TOLERANCE,
    ">=": lambda value, limit: value - limit > -_TOLERANCE,
    "==": lambda value, limit: abs(value - limit) < _TOLERANCE,
    "!=": lambda value, limit: abs(value - limit) >= _TOLERANCE,
    "<=": lambda value, limit: value - limit < _TOLERANCE,
    "<": lambda value, limit: limit - value >= _TOLERANCE,
}


def _operator(value: object) -> object:
    return _ALIASES.get(value, value) if isinstance(value, str) else value


def parse_metric(text: str) -> tuple[str, int | None]:
    """Split ``name`` or ``name[i]``.

    Raises:
        ValueError: the text is neither.
    """
    match = _METRIC.match(text)
    if match is None:
        raise ValueError(f"metric {text!r} is neither a name nor name[index] with an index of 0 or more")
    name, index = match.groups()
    return name, None if index is None else int(index)


def _metric(text: str) -> str:
    parse_metric(text)
    return text


class Condition(BaseModel):
    """A threshold on one metric. Equality has a tolerance of 1e-6, as upstream."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    operator: Annotated[Operator, BeforeValidator(_operator, json_schema_input_type=AnyOperator)] = Field(
        description="Compares the metric with the threshold: > >= == != <= <, or gt ge eq ne le lt."
    )
    threshold: float = Field(description="What the metric is compared with.")
    metric: Annotated[str, AfterValidator(_metric)] = Field(
        description="Name of a metric, such as num_of_samples or f1_delta, or name[i] for one entry of a list."
    )

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.threshold:g}"

    def read(self, metrics: Mapping[str, MetricValue]) -> float | None:
        """The value that this condition looks at, or None when it is absent or not finite."""
        name, index = parse_metric(self.metric)
        value = metrics.get(name)
        if value is None:
            return None
        if isinstance(value, int | float):
            number = float(value) if index in (None, 0) else math.nan
        elif index is None:
            finite = [float(entry) for entry in value if math.isfinite(entry)]
            number = math.fsum(finite) / len(finite) if finite else math.nan
        else:
            number = float(value[index]) if index < len(value) else math.nan
        return number if math.isfinite(number) else None

    def holds(self, value: float) -> bool:
        """Compare a value that ``read`` found."""
        return _COMPARE[self.operator](value, self.threshold)
