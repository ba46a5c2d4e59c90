"""Pictures of every state, and the files that they are exported to."""

from __future__ import annotations

from sedna.common.label_format import ExportFormat
from sedna.common.types import Annotation, Box
from sedna.labels.export import LabelExport, Pictured, export_files


def picture(number: int, annotation: Annotation | None, part: str | None = None, **more: object) -> Pictured:
    sample = f"{number:064x}"
    facts = {"name": f"{sample}.jpg", "sample_id": sample, "width": 100, "height": 50, "part": part, **more}
    return Pictured.model_validate({**facts, "annotation": annotation})


SCRATCH = Annotation(boxes=(Box(x1=1, y1=2, x2=31.5, y2=42.25, label=1),))
PICTURES = (
    picture(0, SCRATCH, "train"),
    picture(1, Annotation(), "train"),
    picture(2, None),
    picture(3, SCRATCH, "train", excluded=True),
    picture(4, SCRATCH, "eval"),
    picture(5, Annotation(), "holdout"),
    picture(6, None, excluded=True),
)
CLASSES = ("good", "=scratch, deep")


def files_of(export_format: ExportFormat, pictures: tuple[Pictured, ...] = PICTURES) -> dict[str, bytes]:
    export = LabelExport(CLASSES, lambda: iter(pictures))
    return {name: b"".join(chunks) for name, chunks in export_files(export_format, export)}
