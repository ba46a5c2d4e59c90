"""Hyper-parameters of an algorithm of a job. Values may arrive as strings, from a CRD or a yaml file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sedna.common.errors import SpecError
from sedna.common.validation import first_fault


class EstimatorConfig(BaseModel):
    """Base of what can be set on an algorithm; frozen, unknown keys refused.

    Class attributes:
        ALGORITHM: registered name; messages begin with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ALGORITHM: ClassVar[str]

    class_names: tuple[str, ...] = Field(
        default=(), description="names in label order; empty: taken from the model that is loaded"
    )

    @field_validator("class_names", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """A JSON list, or names with commas between them."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        return tuple(json.loads(text)) if text.startswith("[") else tuple(filter(None, map(str.strip, text.split(","))))

    @field_validator("class_names")
    @classmethod
    def _distinct_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value) or not all(value):
            raise ValueError("class names must be distinct and not empty")
        return value

    @classmethod
    def build(cls, values: Mapping[str, Any], *, base: Self | None = None) -> Self:
        """A config from loose values on top of ``base``.

        Raises:
            SpecError: unknown key (the message names the allowed ones) or a value out of range.
        """
        # Looked for here: pydantic would name one key, and not those that are allowed.
        unknown = sorted(set(values) - set(cls.model_fields))
        if unknown:
            raise SpecError(
                f"unknown hyper-parameter {', '.join(unknown)}",
                where=cls.ALGORITHM,
                hint=f"allowed: {', '.join(cls.model_fields)}",
            )
        try:
            return cls.model_validate({**(base.model_dump() if base else {}), **values})
        except ValidationError as error:
            fault = first_fault(error)
            field = cls.model_fields.get(fault.path.partition(".")[0])
            raise SpecError(
                f"{fault.message}, got {fault.given!r}",
                where=f"{cls.ALGORITHM}.{fault.path}",
                hint=(field.description if field else None) or "",
            ) from error
