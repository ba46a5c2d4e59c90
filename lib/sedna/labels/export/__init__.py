"""Labels as the files of other tools: one writer a format, the counterpart of `sedna.labels.reading`."""

from sedna.labels.export.base import PARTS, ExportFile, LabelExport, Pictured
from sedna.labels.export.formats import export_files, is_single_file, picture_path, require_writable
from sedna.labels.export.rows import jsonl_row

__all__ = [
    "PARTS",
    "ExportFile",
    "LabelExport",
    "Pictured",
    "export_files",
    "is_single_file",
    "jsonl_row",
    "picture_path",
    "require_writable",
]
