"""``<data>/service.yaml`` as a source of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from sedna.common.errors import SpecError
from sedna.common.validation import first_fault
from sedna.common.yaml12 import load_yaml

__all__ = ["SETTINGS_FILE", "FileSource", "settings_error"]

SETTINGS_FILE = "service.yaml"
_DEFAULT_FOLDER = "sedna-data"
_SECRETS = ("admin_token", "db_url")


class FileSource(PydanticBaseSettingsSource):
    """The file lies in the data folder, which arguments or the environment name.

    Raises:
        SpecError: the file is not a YAML mapping.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        arguments: PydanticBaseSettingsSource,
        environment: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        folder = arguments().get("data_dir") or environment().get("data_dir") or _DEFAULT_FOLDER
        path = Path(str(folder)) / SETTINGS_FILE
        content = load_yaml(path.read_bytes(), str(path)) if path.is_file() else {}
        if content is not None and not isinstance(content, dict):
            raise SpecError("expected a mapping of settings", where=str(path), hint="port: 8080")
        self._content: dict[str, Any] = content or {}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """One setting of the file."""
        return self._content.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._content


def settings_error(error: ValidationError) -> SpecError:
    """A wrong setting in one line: which, what, and how to give it."""
    fault = first_fault(error)
    if not fault.path:  # about several settings, which the message names
        return SpecError(fault.message, where="settings", hint=f"in {SETTINGS_FILE}, or SEDNA__... in the environment")
    variable = "SEDNA__" + fault.path.replace(".", "__").upper()
    hidden = isinstance(fault.given, dict | list) or fault.path in _SECRETS
    got = "" if hidden else f"; got {fault.given!r}"
    hint = f"{fault.path} in {SETTINGS_FILE}, or {variable}"
    return SpecError(f"{fault.message}{got}", where=f"setting {fault.path}", hint=hint)
