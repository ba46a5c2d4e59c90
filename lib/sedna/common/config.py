"""What the environment of a worker says: `Context`, `BaseConfig`, and the dictionary types behind them.

The names are upstream's. Values are read when they are asked for, not when the module is imported.
"""

from __future__ import annotations

import inspect
import json
import os
import runpy
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar, Generic, Self, TypeVar

from sedna.common.errors import NotFoundError, SpecError

__all__ = ["BaseConfig", "Config", "ConfigSerializable", "Context"]

T = TypeVar("T", str, str | None)


class Config(dict[str, Any]):
    """A dictionary whose keys are attributes too; nested mappings become `Config`.

    Args:
        args: mappings, or strings: a path to a ``.yaml``, ``.json`` or ``.py`` file, or inline JSON. Later ones win.
        kwargs: single values; they win over ``args``.

    Raises:
        SpecError: a string is neither such a path nor a JSON object.
        NotFoundError: the named file does not exist.
    """

    def __init__(self, *args: str | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__()
        for source in (*args, kwargs):
            if isinstance(source, str):
                source = _read(source)
            if not isinstance(source, Mapping):
                raise SpecError(f"a configuration is a mapping, not {type(source).__name__}", hint="key: value")
            for key, value in source.items():
                self[key] = Config(value) if isinstance(value, Mapping) else value

    def __call__(self, *args: str | Mapping[str, Any], **kwargs: Any) -> Config:
        """A new `Config` of this one and the arguments."""
        return Config(self, *args, **kwargs)

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __delattr__(self, key: str) -> None:
        try:
            del self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __deepcopy__(self, memo: dict[int, Any]) -> Config:
        return Config({key: deepcopy(value, memo) for key, value in self.items()})

    def __reduce__(self) -> tuple[type[Config], tuple[dict[str, Any]]]:
        return (Config, (dict(self),))


class ConfigSerializable:
    """Base of configuration classes whose public class attributes are the values."""

    def update(self, **kwargs: Any) -> None:
        """Set the attributes that exist already; other names are ignored, as upstream does."""
        for name in self._names():
            if name in kwargs:
                setattr(self, name, kwargs[name])

    def to_json(self) -> Config:
        """All values as a `Config`."""
        return Config(deepcopy(self.dict()))

    def dict(self) -> dict[str, Any]:
        """All values as a plain dictionary; nested configurations too."""
        values: dict[str, Any] = {}
        for name in self._names():
            value = getattr(self, name)
            if isinstance(value, type) and issubclass(value, ConfigSerializable):
                value = value()
            values[name] = value.dict() if isinstance(value, ConfigSerializable) else value
        return values

    def __getitem__(self, item: str) -> Any:
        return getattr(self, item, None)

    def get(self, item: str, default: Any = "") -> Any:
        """The value, or ``default`` when it is missing, empty or zero (as upstream does)."""
        return self[item] or default

    @classmethod
    def from_json(cls, data: str | Mapping[str, Any] | None) -> type[Self]:
        """Set class attributes from a mapping, a file or inline JSON, and return the class (as upstream does)."""
        for name, value in Config(data).items() if data else ():
            setattr(cls, name, value)
        return cls

    def _names(self) -> Iterable[str]:
        methods = (FunctionType, classmethod, staticmethod, property)
        for name in dir(self):
            if name.startswith("_") or name.isupper():
                continue
            if not isinstance(inspect.getattr_static(self, name), methods):
                yield name


class _Env(Generic[T]):
    """A class attribute that reads an environment variable whenever it is read, on the class or on an instance."""

    def __init__(self, variable: str, default: T) -> None:
        self.variable = variable
        self.default: T = default

    def __get__(self, instance: object, owner: type) -> T:
        # At every access: upstream reads at import, and misses what a program sets after it.
        value: T = os.environ.get(self.variable, self.default)
        return value


class BaseConfig(ConfigSerializable):
    """The settings that the platform gives a worker; one instance per process.

    Readable on the class (``BaseConfig.model_url``) and on the instance (``BaseConfig().model_url``). Assigning to an
    attribute hides the environment variable from then on.
    """

    DEFAULT_LC_SERVER: ClassVar[str] = "http://127.0.0.1:9100"

    device_category = _Env("DEVICE_CATEGORY", "CPU")
    backend_type = _Env("BACKEND_TYPE", "TENSORFLOW")
    lc_server = _Env("LC_SERVER", DEFAULT_LC_SERVER)
    original_dataset_url = _Env[str | None]("ORIGINAL_DATASET_URL", None)
    train_dataset_url = _Env[str | None]("TRAIN_DATASET_URL", None)
    test_dataset_url = _Env[str | None]("TEST_DATASET_URL", None)
    data_path_prefix = _Env("DATA_PATH_PREFIX", "/home/data")
    namespace = _Env("NAMESPACE", "")
    worker_name = _Env("WORKER_NAME", "")
    service_name = _Env("SERVICE_NAME", "")
    job_name = _Env("JOB_NAME", "sedna")
    pretrained_model_url = _Env("PRETRAINED_MODEL_URL", "./")
    model_url = _Env[str | None]("MODEL_URL", None)
    model_name = _Env[str | None]("MODEL_NAME", None)
    log_level = _Env("LOG_LEVEL", "INFO")
    transmitter = _Env("TRANSMITTER", "ws")
    agg_data_path = _Env("AGG_DATA_PATH", "./")
    s3_endpoint_url = _Env("S3_ENDPOINT_URL", "")
    access_key_id = _Env("ACCESS_KEY_ID", "")
    secret_access_key = _Env("SECRET_ACCESS_KEY", "")
    parameters = _Env[str | None]("PARAMETERS", None)

    _instance: ClassVar[BaseConfig | None] = None

    def __new__(cls) -> BaseConfig:  # noqa: PYI034 - there is one instance, whatever the subclass
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    @property
    def parameter(self) -> Config:
        """The content of ``PARAMETERS`` (inline JSON, or a path to yaml, json or py); empty when it is not set."""
        return Config(self.parameters) if self.parameters else Config()


class Context:
    """Reads the environment of the worker."""

    parameters = os.environ

    @classmethod
    def get_parameters(cls, param: str, default: Any = None) -> Any:
        """The environment variable ``param``, else ``PARAM``, else ``default``. Empty counts as missing."""
        return cls.parameters.get(param) or cls.parameters.get(str(param).upper()) or default

    @classmethod
    def get_algorithm_from_api(cls, algorithm: str, **param: Any) -> dict[str, Any]:
        """Name and parameters of an algorithm that the job description gives, such as ``HEM``.

        Args:
            algorithm: prefix of the variables ``<algorithm>_NAME`` and ``<algorithm>_PARAMETERS``.
            param: values that win over those of the job description.

        Returns:
            ``{"method": name, "param": {...}}``, where values of the job description are strings, or ``{}`` when no
            name is given.

        Raises:
            SpecError: the parameters are not JSON in a shape that the platform writes.
        """
        name = cls.get_parameters(f"{algorithm}_NAME")
        if not name:
            return {}
        variable = f"{algorithm}_PARAMETERS"
        return {"method": name, "param": {**_pairs(cls.get_parameters(variable, "null"), variable), **param}}


def _pairs(text: str, variable: str) -> dict[str, Any]:
    """``[{"key": k, "value": v}, ...]``, ``[[k, v], ...]``, ``{k: v}`` or ``null``."""
    hint = '[{"key": "threshold", "value": "0.9"}]'
    try:
        raw = json.loads(text)
        if raw is None or isinstance(raw, dict):
            return raw or {}
        return dict((p["key"], p.get("value", "")) if isinstance(p, dict) else tuple(p) for p in raw)
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(f"not a list of keys and values: {text!r}", where=variable, hint=hint) from error


def _read(source: str) -> Any:
    # Longer than any path: inline JSON, of which Path may refuse to take a suffix.
    suffix = Path(source).suffix.lower() if len(source) < 4096 else ""
    if suffix not in (".yaml", ".yml", ".json", ".py"):
        try:
            return json.loads(source)
        except ValueError as error:
            raise SpecError(
                f"not JSON: {error}", where=source[:80], hint="a JSON object, or a path that ends in yaml, json or py"
            ) from error
    if not Path(source).is_file():
        raise NotFoundError("no such configuration file", where=source)
    if suffix == ".py":
        return {name: value for name, value in runpy.run_path(source).items() if not name.startswith("__")}
    from sedna.common.yaml12 import load_yaml_file

    documents = load_yaml_file(source)  # JSON is YAML
    return documents[0] if documents else {}
