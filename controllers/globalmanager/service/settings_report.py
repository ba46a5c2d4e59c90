"""Every setting of the service: its value, where that comes from, and what it means. Secrets do not show."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, InitSettingsSource

from globalmanager.service.run import load_settings
from globalmanager.service.settings import ServiceSettings
from globalmanager.service.settings_file import SETTINGS_FILE, FileSource
from sedna.common.types import Value

__all__ = ["SettingLine", "settings_report"]

_HIDDEN = "(hidden)"
_ABSENT = object()
_S3_VARIABLES = (
    "AWS_ENDPOINT_URL", "S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_DEFAULT_REGION",
    "AWS_REGION", "AWS_CA_BUNDLE",
)  # fmt: skip
"""Those that `S3Settings.from_env` reads."""


class SettingLine(Value):
    """One setting. ``source``: the option, variable or file that gives it; "default"; or "not set" of a part that is
    not there."""

    name: str
    value: str
    source: str
    meaning: str


def settings_report(data_dir: Path | None) -> list[SettingLine]:
    """The settings with which ``sedna up --data DATA_DIR`` would start here.

    Raises:
        SpecError: one of them is wrong.
    """
    given: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    settings = load_settings(given)
    arguments, environment = InitSettingsSource(ServiceSettings, given), EnvSettingsSource(ServiceSettings)
    file = FileSource(ServiceSettings, arguments, environment)
    path = settings.data_dir / SETTINGS_FILE
    sources = ((arguments(), "--data"), (environment(), "environment"), (file(), str(path)))
    lines = list(_lines(ServiceSettings, settings, sources, ()))
    # The store asks for them only then.
    return lines if settings.s3 is not None else [*lines, *_s3_variables()]


def _lines(
    model: type[BaseModel],
    values: BaseModel | None,
    sources: tuple[tuple[Mapping[str, Any], str], ...],
    path: tuple[str, ...],
) -> Iterator[SettingLine]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        value = field.get_default(call_default_factory=True) if values is None else getattr(values, name)
        below = _model_in(field.annotation)
        if below is not None:
            yield from _lines(below, value if isinstance(value, BaseModel) else None, sources, here)
            continue
        yield SettingLine(
            name=".".join(here),
            value=_shown(name, value) if values is not None or not field.is_required() else "",
            source="not set" if values is None else _source(here, sources),
            meaning=_meaning(field),
        )


def _source(path: tuple[str, ...], sources: tuple[tuple[Mapping[str, Any], str], ...]) -> str:
    """The first one that has it, as pydantic takes them."""
    for content, name in sources:
        found: Any = content
        for part in path:
            found = found.get(part, _ABSENT) if isinstance(found, Mapping) else _ABSENT
        if found is not _ABSENT:
            return f"SEDNA__{'__'.join(path).upper()}" if name == "environment" else name
    return "default"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *get_args(annotation))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return _HIDDEN
    if name == "db_url":
        # A password stands in the middle of it, or among its parameters.
        without = re.sub(r"(://[^:/@]*:).*@", rf"\1{_HIDDEN}@", str(value))
        return re.sub(r"(?i)(password=)[^&]*", rf"\1{_HIDDEN}", without)
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value)


def _meaning(field: FieldInfo) -> str:
    return field.description or ""


def _s3_variables() -> Iterator[SettingLine]:
    for name in _S3_VARIABLES:
        value = os.environ.get(name)
        if value:
            secret = "SECRET" in name or "TOKEN" in name
            shown = _HIDDEN if secret else value
            meaning = "of S3, because there is no setting s3"
            yield SettingLine(name=name, value=shown, source="environment", meaning=meaning)
