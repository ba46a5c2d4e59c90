"""The body of ``POST /sedna/workers/{worker}/info``, as upstream's workers send it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

__all__ = ["WorkerReport"]


class WorkerReport(BaseModel):
    """What a worker says about itself. Absent fields are empty and unknown ones ignored, as upstream."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, alias_generator=to_camel)

    name: str = Field(description="WORKER_NAME; equal to the name in the path")
    namespace: str = ""
    owner_name: str = Field(default="", description="the job")
    owner_kind: str = Field(default="", description="incrementallearningjob")
    owner_info: dict[str, JsonValue] | None = None
    kind: str = Field(default="", description="train, eval or deploy")
    status: str = Field(default="", description="completed, failed, ...")
    results: list[dict[str, JsonValue]] | None = None

    def body(self) -> dict[str, Any]:
        """The wire form, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def digest(self, discriminator: str = "") -> str:
        """Identity of the report: the sha256 of its content, independent of white space and the order of keys.

        ``discriminator`` tells apart reports whose bodies say the same about different things: a worker reports
        each hot update with the same words.
        """
        text = json.dumps(self.body(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(f"{discriminator}\n{text}".encode()).hexdigest()
