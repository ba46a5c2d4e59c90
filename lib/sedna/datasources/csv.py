"""CSV tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sedna.common.errors import DataError
from sedna.common.extras import extra_needed
from sedna.datasources.base import BaseDataSource

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CSVDataParse"]


class CSVDataParse(BaseDataSource):
    """Reads tables with pandas: ``x`` is a data frame, ``y`` a series, or None when no label column is asked for.

    ``func`` gets each table before the label column is taken out and answers the table to use.
    """

    def __init__(self, data_type: str = "train", func: Callable[..., Any] | str | None = None) -> None:
        super().__init__(data_type=data_type, func=func)

    @staticmethod
    def parse_json(lines: Mapping[str, Any] | list[Mapping[str, Any]], **kwargs: Any) -> pd.DataFrame:
        """A table of one row (a mapping) or of several (a list); ``kwargs`` go to pandas."""
        rows = [lines] if isinstance(lines, Mapping) else lines
        return _pandas().DataFrame.from_records([dict(row) for row in rows], **kwargs)

    def parse(self, *args: Any, label: str = "", usecols: str | list[str] = "", **kwargs: Any) -> None:
        """Read tables and put them under one another.

        Args:
            args: paths of csv files, or rows as for `parse_json`; empty ones are left out.
            label: column that becomes ``y``.
            usecols: columns to read, as a list or separated by commas; the label column is added.
            kwargs: go to ``pandas.read_csv``.

        Raises:
            NotFoundError: a file is missing.
            DataError: a file is no csv, or lacks a column.
            MissingPackageError: pandas is not installed.
        """
        pd = _pandas()
        columns = [name.strip() for name in usecols.split(",") if name.strip()] if isinstance(usecols, str) else usecols
        if columns:
            columns = [*columns, label] if label and label not in columns else list(columns)
        frames = [self._read(source, columns, kwargs) for source in args]
        frames = [self.process_func(frame) if self.process_func else frame for frame in frames if frame is not None]
        if not frames:
            return
        table = pd.concat(frames)
        if label:
            _require([label], table, "the tables")
            self.y = table[label]
            table = table.drop(columns=[label])
        self.x = table

    def _read(self, source: Any, columns: list[str], options: dict[str, Any]) -> pd.DataFrame | None:
        pd = _pandas()
        if isinstance(source, dict | list):
            table = self.parse_json(source)
            where = "rows"
        else:
            path = next(self._existing_files([source]), None)
            if path is None:
                return None
            where = str(path)
            try:
                table = pd.read_csv(path, **options)
            except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
                raise DataError(f"no csv table: {error}", where=where) from error
        # After the reading and not by usecols: pandas' own error does not say which columns there are.
        if columns:
            _require(columns, table, where)
            table = table[columns]
        return table


def _require(columns: list[str], table: pd.DataFrame, where: str) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(f"no column {missing}", where=where, hint=f"columns: {list(table.columns)}")


def _pandas() -> Any:
    with extra_needed("train", "CSVDataParse"):
        import pandas as pd
    return pd
