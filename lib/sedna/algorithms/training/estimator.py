"""What the algorithms of jobs share behind upstream's methods: configuration, and where a training starts from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from sedna.algorithms.training.config import EstimatorConfig
from sedna.common.config import Context
from sedna.common.errors import SpecError
from sedna.common.file_ops import FileOps
from sedna.common.log import LOGGER
from sedna.common.model_files import LocalModel

_Config = TypeVar("_Config", bound=EstimatorConfig)


class TrainableEstimator(ABC, Generic[_Config]):
    """Base of the algorithms of jobs.

    Args:
        kind: class of the configuration.
        given: its fields; values may be strings.

    Class attributes:
        FIXED_BY_WEIGHTS: fields, besides ``class_names``, that cannot change once there are weights.

    Raises:
        SpecError: unknown key, or a value out of range.
    """

    model_format = "safetensors"
    """Suffix of a saved model, for the job that names the file."""

    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]]

    def __init__(self, kind: type[_Config], given: Mapping[str, Any]) -> None:
        # What was asked for is kept beside the configuration: `load` takes everything else from the model.
        self._given = dict(given)
        self.config: _Config = kind.build(given)

    @property
    @abstractmethod
    def has_weights(self) -> bool:
        """Whether a model was loaded or made."""

    @abstractmethod
    def load(self, model_url: str | Path, **kwargs: Any) -> None:
        """Take weights, classes and input description from a model file."""

    def _configure(self, values: Mapping[str, Any]) -> None:
        """Change hyper-parameters.

        Raises:
            SpecError: the weights that are there depend on one of them.
        """
        changed = type(self.config).build(values, base=self.config)
        if self.has_weights:
            keys = sorted({*self.FIXED_BY_WEIGHTS, "class_names"})
            if fixed := [key for key in keys if getattr(changed, key) != getattr(self.config, key)]:
                where = f"{changed.ALGORITHM}.train"
                raise SpecError(f"{', '.join(fixed)} cannot change after a model was loaded", where=where)
        self.config = changed
        self._given.update(values)

    def _load_base(self, url: str | Path | None) -> None:
        """Load what the training starts from. The environment's model only where there is none yet: a second call of
        ``train`` goes on from the first one."""
        if not self.has_weights:
            url = url or Context.get_parameters("base_model_url")
        if url:
            if FileOps.is_remote(str(url)):
                # From the environment, which no backend has looked at. The training reads nothing from it later.
                copy = LocalModel(str(url))
                try:
                    self.load(copy.path)
                finally:
                    copy.close()
            else:
                self.load(url)
            LOGGER.info("%s starts from %s", self.config.ALGORITHM, url)
