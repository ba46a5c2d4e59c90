"""The base of every part of a job description."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasGenerator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

__all__ = ["SpecModel", "Text"]

Text = Annotated[str, StringConstraints(min_length=1)]


class SpecModel(BaseModel):
    """camelCase outside, snake_case inside; unknown keys are errors, so that a typing mistake is never silent."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,
        alias_generator=AliasGenerator(validation_alias=to_camel, serialization_alias=to_camel),
    )
