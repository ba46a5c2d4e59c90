"""Label files of other tools: read into one value, checked, and written back."""

from sedna.labels.coco import CocoIds, CocoRead, read_coco, write_coco
from sedna.labels.files import FolderFiles, LabelFiles, OneFile
from sedna.labels.items import ImageLabels, LabelItem
from sedna.labels.labelset import LabelledImage, LabelSet
from sedna.labels.reading import read_labels
from sedna.labels.txt import read_txt, write_txt
from sedna.labels.validate import Clipped, LabelReport, LabelsRead, Mode, Skipped, validate
from sedna.labels.voc import read_voc, write_voc
from sedna.labels.yolo import write_yolo

__all__ = [
    "Clipped",
    "CocoIds",
    "CocoRead",
    "FolderFiles",
    "ImageLabels",
    "LabelFiles",
    "LabelItem",
    "LabelReport",
    "LabelSet",
    "LabelledImage",
    "LabelsRead",
    "Mode",
    "OneFile",
    "Skipped",
    "read_coco",
    "read_labels",
    "read_txt",
    "read_voc",
    "validate",
    "write_coco",
    "write_txt",
    "write_voc",
    "write_yolo",
]
