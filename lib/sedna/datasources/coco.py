"""COCO annotation files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sedna.common.errors import DataError, NotFoundError
from sedna.common.file_ops import FileOps
from sedna.datasources.base import BaseDataSource, as_array

__all__ = ["JSONDataParse"]


class JSONDataParse(BaseDataSource):
    """Reads a COCO file: ``x`` are the paths of the images, ``y`` per image an array (N, 5) x1, y1, x2, y2, label.

    The label is the position of the category in `class_ids`, the sorted category ids; `class_names` are their names in
    the same order. Pixels, x2 and y2 exclusive. Images without boxes are kept, with an array (0, 5). Annotations with
    ``iscrowd`` are left out. ``func`` gets (path, boxes) and answers the pair to use.

    Attributes:
        data_dir: folder in which relative image names lie.
        ids: image ids, in the order of ``x``.
        annotations: the file's own annotations, per image.
    """

    def __init__(self, data_type: str = "train", func: Callable[..., Any] | str | None = None) -> None:
        super().__init__(data_type=data_type, func=func)
        self.data_dir: Path | None = None
        self.ids: list[Any] = []
        self.class_ids: list[Any] = []
        self.class_names: list[str] = []
        self.annotations: list[list[dict[str, Any]]] = []
        self._images: dict[Any, dict[str, Any]] = {}
        self._path = ""

    def parse(self, *args: Any, data_dir: str | Path | None = None, **_kwargs: Any) -> None:
        """Read one COCO file.

        Args:
            args: its path.
            data_dir: folder of the images, on this machine; default the folder of the file. A remote file needs one.

        Raises:
            NotFoundError: there is no such file.
            DataError: it is no COCO file, an annotation refers to an unknown image or category, or a box is wrong.
        """
        files = list(self._existing_files(args))
        # Ids of two files overlap, and nothing in them says which file an annotation belongs to.
        if len(files) != 1:
            raise DataError(f"{len(files)} files", where="JSONDataParse.parse", hint="one COCO file")
        path = files[0]
        images, annotations, categories = _read(path)
        if not data_dir and any(FileOps.is_remote(str(name)) for name in args):
            raise DataError(
                "its images are not on this machine", where=str(args[0]), hint="data_dir, a folder with them"
            )
        self.data_dir = Path(data_dir) if data_dir else path.parent
        # Sorted by id, as upstream: the position in the file is no property of a class.
        categories = sorted(categories, key=lambda category: category["id"])
        self.class_ids = [category["id"] for category in categories]
        self.class_names = [str(category.get("name", category["id"])) for category in categories]
        self.ids = [image["id"] for image in images]
        self.annotations = _by_image(annotations, self.ids, str(path))
        self._images = {image["id"]: image for image in images}
        self._path = str(path)
        pairs = [
            (str(self.data_dir / image["file_name"]), _boxes(found, self.class_ids, str(path)))
            for image, found in zip(images, self.annotations, strict=True)
        ]
        if self.process_func:
            pairs = [self.process_func(*pair) for pair in pairs]
        self.x = as_array([name for name, _ in pairs])
        # Of dtype object always: boxes of equally many per image would become one array of three axes.
        self.y = _objects([] if self.is_test_data else [boxes for _, boxes in pairs])

    def load_anno_from_ids(self, id_: Any) -> tuple[npt.NDArray[np.float64], tuple[Any, ...], str]:
        """What the file says about one image, under upstream's name and in its order.

        Returns:
            Boxes (N, 5) x1, y1, x2, y2, label, with a sixth column ``track_id`` when every annotation of the image has
            one; (height, width, frame_id, video_id, file name), None where the file does not say; the file name.

        Raises:
            NotFoundError: no such image, or nothing has been parsed.
            DataError: a box is wrong, or of a category that is not listed.
        """
        image = self._images.get(id_)
        if image is None:
            hint = f"one of {len(self._images)} ids" if self._images else "parse a COCO file first"
            raise NotFoundError(f"there is no image {id_!r}", where=self._path or type(self).__name__, hint=hint)
        found = self.annotations[self.ids.index(id_)]
        boxes = _boxes(found, self.class_ids, self._path)
        if found and all("track_id" in annotation for annotation in found):
            tracks = np.array([[annotation["track_id"]] for annotation in found], dtype=np.float64)
            # A sixth column only where all have one: NaN in some rows would be a track of its own to upstream's
            # readers.
            boxes = np.concatenate([boxes, tracks], axis=1)
        name = str(image["file_name"])
        return boxes, (*(image.get(key) for key in ("height", "width", "frame_id", "video_id")), name), name


def _read(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_bytes())
        images, annotations = content["images"], content.get("annotations", [])
        for image in images:
            image["id"], image["file_name"]
        categories = content.get("categories", [])
        for category in categories:
            category["id"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"no COCO file: {type(error).__name__} {error}",
            where=str(path),
            hint='{"images": [{"id", "file_name"}], "annotations": [...], "categories": [{"id", "name"}]}',
        ) from error
    return images, annotations, categories


def _by_image(annotations: list[dict[str, Any]], ids: list[Any], where: str) -> list[list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    known = set(ids)
    if len(known) != len(ids):
        raise DataError("an image id appears twice", where=where)
    for annotation in annotations:
        image = annotation.get("image_id")
        if image not in known:
            raise DataError(f"annotation {annotation.get('id')} is of image {image}, which is not listed", where=where)
        if not annotation.get("iscrowd"):
            found[image].append(annotation)
    return [found[image] for image in ids]


def _boxes(annotations: list[dict[str, Any]], class_ids: list[Any], where: str) -> Any:
    rows = []
    for annotation in annotations:
        place = f"{where}: annotation {annotation.get('id')}"
        if annotation.get("category_id") not in class_ids:
            raise DataError(f"unknown category {annotation.get('category_id')}", where=place, hint=f"{class_ids}")
        try:
            x, y, width, height = (float(value) for value in annotation["bbox"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"wrong bbox {annotation.get('bbox')}", where=place, hint="[x, y, width, height]"
            ) from error
        if not (width > 0 and height > 0 and np.isfinite([x, y, width, height]).all()):
            raise DataError(f"bbox {annotation['bbox']} has no area", where=place, hint="positive width and height")
        rows.append([x, y, x + width, y + height, class_ids.index(annotation["category_id"])])
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def _objects(values: list[Any]) -> Any:
    """A one-dimensional array of arrays, also when all have the same shape."""
    array = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array
