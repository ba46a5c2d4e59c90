"""The plain backend: it calls the estimator and needs no framework."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from sedna.backend.calls import accepts, call_with, filter_kwargs, first_parameters, is_factory, names_parameter
from sedna.common.errors import ModelError, NotFoundError, SpecError
from sedna.common.file_ops import FileOps
from sedna.common.log import LOGGER
from sedna.common.model_files import LocalModel, copy_model, require_writable, store_model
from sedna.common.model_suffix import misnamed

__all__ = ["BackendBase"]

_DATA = frozenset({"train_data", "valid_data", "data", "model_path"})
"""Arguments of a call that a constructor gets only when it names them."""


class BackendBase:
    """Calls the user's estimator.

    The estimator is a class or an instance with some of: ``train`` or ``fit``, ``predict``, ``evaluate``, ``save``,
    ``load``. A class is instantiated at its first use, with those arguments of the call that its constructor takes.
    Keyword arguments reach a method when it names them or collects keywords. Errors of the estimator pass through.

    Args:
        estimator: class or instance.
        fine_tune: goes into the default model name.
        kwargs: use_cuda, use_npu; model_save_path: file or folder; model_name: file name in that folder.
    """

    framework: ClassVar[str] = ""
    suffix: ClassVar[str] = ".pkl"
    instantiates_at_once: ClassVar[bool] = False
    loads_beside: ClassVar[bool] = True
    """Whether a second instance may be made while the first serves; not where the framework has a global graph."""
    prefers: ClassVar[tuple[str, str]] = ("fit", "train")
    """Names of the training method; the first that the estimator has is called."""

    def __init__(self, estimator: Any, fine_tune: bool = True, **kwargs: Any) -> None:
        self.estimator = estimator
        self.use_cuda = bool(kwargs.get("use_cuda"))
        self.use_npu = bool(kwargs.get("use_npu"))
        self.fine_tune = fine_tune
        self.model_save_path: str = str(kwargs.get("model_save_path") or tempfile.gettempdir())
        self.default_name: str | None = kwargs.get("model_name")
        self.has_load = False
        self._copy: LocalModel | None = None
        if self.instantiates_at_once:
            self._instance()

    @property
    def model_name(self) -> str:
        """File name of a saved model: the given one, else made of the framework's name and suffix.

        An estimator may state its own suffix in an attribute ``model_format`` (such as "safetensors").
        """
        # The job's MODEL_NAME wins over what the estimator says about itself.
        if self.default_name:
            return self.default_name
        declared = getattr(self.estimator, "model_format", None)
        suffix = f".{str(declared).lstrip('.')}" if declared else self.suffix
        return f"model{'_finetune_' if self.fine_tune else ''}{self.framework}{suffix}"

    @staticmethod
    def parse_kwargs(func: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments that ``func`` can take; all when it is no function."""
        return filter_kwargs(func, kwargs) if callable(func) else kwargs

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train the estimator and answer what it answers.

        ``train_data`` goes to the parameter of that name, else to the first one; a method that begins with ``X, y``
        gets ``train_data.x`` and ``train_data.y``. ``base_model_url=`` may be remote; the estimator gets a local copy.

        Raises:
            SpecError: the estimator has no training method.
        """
        self._instance(kwargs)
        with self._model_argument("base_model_url", kwargs) as arguments:
            result = self._fit(self._method(*self.prefers), args, arguments)
        self.has_load = True
        return result

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """Train on, by the estimator's ``update`` if it has one, else as `train`."""
        self._instance(kwargs)
        with self._model_argument("base_model_url", kwargs) as arguments:
            return self._fit(self._method("update", *self.prefers), args, arguments)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """What the estimator predicts for the data (first argument, or ``data=``)."""
        return self._on_data("predict", args, kwargs)

    def predict_proba(self, *args: Any, **kwargs: Any) -> Any:
        """Probabilities of the classes for the data (first argument, or ``data=``)."""
        return self._on_data("predict_proba", args, kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """What the estimator measures on the data (first argument, or ``data=``).

        ``model_path=`` is the model to measure. An estimator whose ``evaluate`` names that parameter loads it itself;
        for every other one it is loaded here first, so that two models never give the figures of one. Either way the
        estimator sees a local path, whatever the address is.
        """
        self._instance(kwargs)
        with self._model_argument("model_path", kwargs) as arguments:
            path = arguments.get("model_path")
            if path and not names_parameter(self._method("evaluate"), "model_path"):
                self.load(path)
                self.model_save_path = str(kwargs["model_path"])
            return self._on_data("evaluate", args, arguments)

    def save(self, model_url: str = "", model_name: str | None = None) -> str:
        """Let the estimator write its model and answer where it is.

        To an s3 address goes every file that the estimator has written, in a temporary folder, beside the one that it
        names (see `sedna.common.model_files`). An estimator that writes somewhere else and answers that path has
        this file or folder stored, with the files that share its name up to the suffix.

        Args:
            model_url: local path or s3 address of the file; default: ``model_name`` in the model folder.

        Raises:
            ModelError: nothing is there afterwards; going on would report a model that does not exist.
            SpecError: the address cannot be written to.
            NotFoundError, AuthError, StoreUnavailableError: the store did not take all of it.
        """
        target = model_url or self._default_path(model_name)
        if not FileOps.is_remote(target):
            return self._save(target)
        parent, _, name = require_writable(target).rstrip("/").rpartition("/")
        with tempfile.TemporaryDirectory(prefix="sedna-model-") as created:
            folder = Path(created).resolve()
            saved = Path(self._save(f"{folder}/{name}")).resolve()
            if not saved.is_relative_to(folder):
                saved = copy_model(saved, folder)
            return store_model(saved, folder, parent)

    def load(self, model_url: str = "", model_name: str | None = None, **kwargs: Any) -> Any:
        """Let the estimator load the model at ``model_url`` (file, folder or s3 address; default: as `save`).

        In a folder the file ``model_name`` is taken, if it is there, else the folder itself. An estimator without
        ``load`` is left alone: it gets its model in another way. The local copy of a remote model has every file of
        it, and stays until another model is loaded: an estimator may read from it at any time.

        Raises:
            NotFoundError: there is no such model.
            IntegrityError: the model in object storage is not whole.
        """
        estimator = self._instance(kwargs)
        result = None
        if hasattr(estimator, "load"):
            with self._on_this_machine(model_url or self.model_save_path) as path:
                result = call_with(estimator.load, "model_url", self._inside(path, model_name), kwargs)
        if model_url:
            self.model_save_path = model_url
        self.has_load = True
        return result

    def model_info(self, model: str, relpath: str | None = None, result: Any = None) -> list[dict[str, Any]]:
        """The report entries of a model: ``[{"format", "url", "metrics"}]``, the address without ``relpath``."""
        return [
            {
                "format": Path(model).suffix.lstrip("."),
                "url": FileOps.remove_path_prefix(model, relpath or ""),
                "metrics": result,
            }
        ]

    def get_weights(self) -> Any:
        """The weights of the estimator, by its own method of that name."""
        return self._method("get_weights")()

    def set_weights(self, weights: Any) -> Any:
        """Give the estimator weights, by its own method of that name."""
        return self._method("set_weights")(weights)

    def _instance(self, kwargs: dict[str, Any] | None = None) -> Any:
        """The estimator as an instance. One that is merely callable (a network) is an instance already."""
        if is_factory(self.estimator):
            options = {
                key: value
                for key, value in (kwargs or {}).items()
                # A constructor that collects keywords would keep a reference to the whole training data.
                if key not in _DATA or names_parameter(self.estimator, key)
            }
            self.estimator = self.estimator(**filter_kwargs(self.estimator, options))
        return self.estimator

    def _method(self, *names: str) -> Callable[..., Any]:
        for name in names:
            method = getattr(self.estimator, name, None)
            if callable(method):
                found: Callable[..., Any] = method
                return found
        kind = self.estimator if inspect.isclass(self.estimator) else type(self.estimator)
        raise SpecError(f"the estimator has no method {' or '.join(names)}", where=f"{kind.__module__}.{kind.__name__}")

    def _fit(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args or "train_data" not in kwargs:
            return method(*args, **filter_kwargs(method, kwargs))
        data = kwargs["train_data"]
        rest = {key: value for key, value in kwargs.items() if key != "train_data"}
        if rest.get("valid_data") is None and not names_parameter(method, "valid_data"):
            # Upstream's programs have no such parameter; None would reach their **kwargs and be taken for data.
            rest.pop("valid_data", None)
        first = first_parameters(method)
        # scikit-learn's convention; such methods cannot take a data source.
        if first[:2] in (["X", "y"], ["x", "y"]) and not accepts(method, "train_data"):
            return method(data.x, data.y, **filter_kwargs(method, rest))
        return call_with(method, "train_data", data, rest)

    def _on_data(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._instance(kwargs)
        method = self._method(name)
        if args:
            data, extra = args[0], args[1:]
        elif "data" in kwargs:
            data, extra = kwargs["data"], ()
        else:
            return method(**filter_kwargs(method, kwargs))
        rest = {key: value for key, value in kwargs.items() if key != "data"}
        if extra:
            return method(data, *extra, **filter_kwargs(method, rest))
        return call_with(method, "data", data, rest)

    @contextmanager
    def _model_argument(self, name: str, kwargs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The arguments of a call, the model that ``name`` gives being a local path."""
        if not kwargs.get(name):
            yield kwargs
            return
        with self._on_this_machine(str(kwargs[name])) as path:
            yield {**kwargs, name: path}

    @contextmanager
    def _on_this_machine(self, address: str) -> Iterator[str]:
        """A model as a local path, for a block that loads it."""
        if not FileOps.is_remote(address):
            yield address.removeprefix("file://")
            return
        copy = LocalModel(address)
        try:
            yield str(copy.path)
        except BaseException:
            copy.close()
            raise
        # Only now: while the block ran, and where it failed, the estimator reads from the copy before.
        before, self._copy = self._copy, copy
        if before is not None:
            before.close()

    def _default_path(self, model_name: str | None) -> str:
        # After a load from a file, a save goes back to it.
        if Path(self.model_save_path).is_file():
            return self.model_save_path
        return FileOps.join_path(self.model_save_path, model_name or self.model_name)

    def _save(self, target: str) -> str:
        FileOps.make_base_dir(target)
        self._instance()
        answer = self._method("save")(target)
        self._warn_of_name(target)
        # An answer that is no path (True, a dictionary) says nothing about the place: the target is looked at.
        if isinstance(answer, str | Path) and Path(answer).exists():
            return str(answer)
        if not Path(target).exists():
            hint = "save writes the file that it is given the name of, or answers where it has written"
            raise ModelError("the estimator's save wrote nothing there", where=target, hint=hint)
        return target

    def _warn_of_name(self, target: str) -> None:
        """Say so once where a class left us to name its file, and the name is wrong."""
        suffix = misnamed(Path(target))
        if suffix is not None and not getattr(self.estimator, "model_format", None):
            LOGGER.warning("%s holds %s; model_format = %r on the class names it so", Path(target).name, suffix, suffix)

    def _inside(self, path: str, model_name: str | None) -> str:
        # MODEL_URL of an inference worker is often the folder that a training has filled.
        inside = Path(path) / (model_name or self.model_name)
        if inside.is_file():
            return str(inside)
        if not Path(path).exists():
            raise NotFoundError("no such model", where=path)
        return path
