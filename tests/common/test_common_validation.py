"""`sedna.common.validation`: the first fault of a validation, as an error of ours."""

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from sedna.common.errors import DataError
from sedna.common.validation import as_error, every_fault, first_fault


class _Inner(BaseModel):
    epochs: int = Field(ge=1)


class _Outer(BaseModel):
    parts: list[_Inner]

    @model_validator(mode="after")
    def _short(self):
        if len(self.parts) > 1:
            raise ValueError("one part is enough")
        return self


def _error(content):
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate(content)
    return caught.value


def test_a_fault_names_the_key_path_and_what_was_given():
    fault = first_fault(_error({"parts": [{"epochs": 0}]}))
    assert (fault.path, fault.given) == ("parts.0.epochs", 0)
    assert str(fault) == f"parts.0.epochs: {fault.message}"


def test_a_fault_of_the_whole_has_no_path():
    fault = first_fault(_error({"parts": [{"epochs": 1}, {"epochs": 2}]}))
    assert str(fault) == "one part is enough"


def test_the_error_says_where_what_and_what_would_be_right():
    error = as_error(DataError, _error({}), "job.yaml", what="not read", hint="a list of parts")
    assert isinstance(error, DataError)
    assert str(error) == "job.yaml: not read: parts: Field required (a list of parts)"


def test_of_several_faults_the_first_is_told():
    assert str(as_error(DataError, _error({"parts": [{"epochs": 0}, {}]}), "f")).startswith("f: parts.0.epochs: ")


def test_every_fault_has_its_rule_and_its_path_in_parts():
    faults = every_fault(_error({"parts": [{"epochs": 0}, {}]}))
    assert [(fault.kind, fault.keys) for fault in faults] == [
        ("greater_than_equal", ("parts", 0, "epochs")),
        ("missing", ("parts", 1, "epochs")),
    ]
