"""Index files as data sources with ``x`` and ``y``. Names and shapes are upstream's."""

from sedna.datasources.base import BaseDataSource
from sedna.datasources.coco import JSONDataParse
from sedna.datasources.csv import CSVDataParse
from sedna.datasources.jsonl import JsonlDataParse
from sedna.datasources.pictures import read_pictures
from sedna.datasources.txt import TxtDataParse

__all__ = ["BaseDataSource", "CSVDataParse", "JSONDataParse", "JsonlDataParse", "TxtDataParse", "read_pictures"]
