"""The base of all data sources: samples ``x``, labels ``y``."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import NotFoundError
from sedna.common.file_ops import FileOps
from sedna.common.log import LOGGER

__all__ = ["BaseDataSource"]


class BaseDataSource:
    """Base class of data sources.

    Args:
        data_type: "train", "eval" or "test".
        func: turns one raw sample into what the parser documents: a callable, or the name of a registered call-back
            (a class is instantiated without arguments).

    Attributes:
        x: the samples; y: their labels, as many; meta_attr: free for the user.
    """

    def __init__(self, data_type: str = "train", func: Callable[..., Any] | str | None = None) -> None:
        self.data_type = data_type
        self.process_func = _resolve(func)
        self.x: Any = None
        self.y: Any = None
        self.meta_attr: Any = None

    def num_examples(self) -> int:
        """Number of samples; 0 before `parse`."""
        return 0 if self.x is None else len(self.x)

    def __len__(self) -> int:
        return self.num_examples()

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """Fill ``x`` and ``y``; each source documents from what."""
        raise NotImplementedError(f"{type(self).__name__}.parse")

    @property
    def is_test_data(self) -> bool:
        """Whether this is data without labels."""
        return self.data_type == "test"

    def save(self, output: str = "") -> str:
        """Write the source with joblib to ``output`` (local or s3; default a temporary file) and return its path."""
        return FileOps.dump(self, output or None)

    def _existing_files(self, args: Sequence[Any]) -> Iterator[Path]:
        """The named files. Empty names (an optional index that was not given) are left out.

        A remote file is a copy on this machine, which goes with this object.

        Raises:
            NotFoundError: a name without a file; going on would train on less data than was asked for.
            AuthError, StoreUnavailableError: a remote file cannot be brought.
        """
        for name in args:
            if not name:
                LOGGER.warning("an index without a name is left out")
            elif FileOps.is_remote(str(name)):
                yield _data_file(self._copy_of(str(name)), name)
            else:
                yield _data_file(Path(str(name).removeprefix("file://")), name)

    def _copy_of(self, address: str) -> Path:
        folder = tempfile.mkdtemp(prefix="sedna-index-")
        # Deleted with this object: a parser may read a file after it has asked for the next one.
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(FileOps.download(address, f"{folder}/{Path(address).name}"))


def _data_file(path: Path, name: object) -> Path:
    if not path.is_file():
        raise NotFoundError("no such data file", where=str(name), hint="a file, on this machine or on S3")
    return path


def as_array(values: list[Any]) -> npt.NDArray[Any]:
    """``values`` as an array along its first axis, of dtype object when they differ in shape."""
    # numpy refuses rows of different lengths; upstream's programs index them all the same.
    try:
        return np.array(values)
    except ValueError:
        array = np.empty(len(values), dtype=object)
        for index, value in enumerate(values):
            array[index] = value
        return array


def _resolve(func: Callable[..., Any] | str | None) -> Callable[..., Any] | None:
    if func is None or callable(func):
        return func
    # A name, as upstream's programs pass: the class may come from a file that is loaded later than this module.
    registered = ClassFactory.get_cls(ClassType.CALLBACK, func)
    if inspect.isclass(registered):
        registered = registered()
    process: Callable[..., Any] = registered
    return process
