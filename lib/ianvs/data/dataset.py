"""The data set of a test case: files made ready once, then loaded by kind of use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ianvs.data.index import absolute_index
from ianvs.data.metadata import JSONMetaDataParse
from ianvs.data.split import StreamPiece, split_dataset
from ianvs.grammar.testenv import METADATA, DatasetConfig
from sedna.common.errors import DataError, NotFoundError
from sedna.datasources import BaseDataSource, CSVDataParse, JSONDataParse, JsonlDataParse, TxtDataParse

LineReader = Callable[[Any], Any]
"""Turns a line of text (txt), an object (jsonl), a table (csv) or a record (json) into what its parser documents."""


class CaseDataset:
    """Train and test data as files that paradigms can load and cut.

    Args:
        folder: where indexes with absolute paths are written, if the given ones are relative.
    """

    def __init__(self, config: DatasetConfig, folder: str) -> None:
        self.label = config.label
        self.notes: list[str] = []
        self._rest_is_label = config.label_tokens == "rest"
        self._folder = Path(folder)
        self.train_url = self._ready(config.train, "train")
        self.test_url = self._ready(config.test, "test")
        self.holdout_url = self._ready(config.holdout_index, "holdout")

    def _ready(self, url: str, part: str) -> str:
        ready, notes = with_absolute_paths(url, self._folder / f"{part}_index.txt", self._rest_is_label)
        self.notes += notes
        return ready

    def load_data(
        self,
        file: str,
        data_type: str,
        label: str | None = None,
        use_raw: bool = False,
        feature_process: LineReader | None = None,
    ) -> BaseDataSource:
        """The samples of a file as an object with ``x`` and ``y``.

        Raises:
            DataError, NotFoundError: the file is missing, malformed, or of no known format.
        """
        path = Path(file)
        if not path.is_file():
            raise NotFoundError("no such data file", where=file)
        # By name before suffix: it is a json file that does not hold COCO annotations.
        if path.name == METADATA:
            source: BaseDataSource = JSONMetaDataParse(data_type=data_type)
            source.parse(file)
            return source
        if path.suffix == ".txt":
            reader = feature_process or (_first_and_rest if self._rest_is_label else None)
            source = TxtDataParse(data_type=data_type, func=reader)
            source.parse(file, use_raw=use_raw)
        elif path.suffix == ".jsonl":
            source = JsonlDataParse(data_type=data_type, func=feature_process)
            source.parse(file, x="question", y="answer", use_raw=use_raw)
        elif path.suffix == ".csv":
            source = CSVDataParse(data_type=data_type, func=feature_process)
            source.parse(file, label=label or self.label)
        elif path.suffix == ".json":
            source = JSONDataParse(data_type=data_type, func=feature_process)
            source.parse(file)
        else:
            raise DataError("unknown data format", where=file, hint="txt, csv, json, jsonl or metadata.json")
        return source

    def split(
        self, ratio: float, method: str, types: tuple[str, str], output_dir: str, times: int
    ) -> list[StreamPiece]:
        """The train data cut into rounds; see `ianvs.data.split`."""
        return split_dataset(self.train_url, ratio, method, types, output_dir, times)


def with_absolute_paths(url: str, target: Path, rest_is_label: bool) -> tuple[str, list[str]]:
    """A data file whose paths are absolute, written to ``target`` if they are not, and notes; see `absolute_index`.

    Raises:
        DataError: it is an index that cannot be read.
    """
    if Path(url).suffix != ".txt":
        return url, []
    return absolute_index(url, target, rest_is_label=rest_is_label)


def _first_and_rest(line: str) -> tuple[str, str]:
    first, _, rest = line.partition(" ")
    return first, rest.strip()
