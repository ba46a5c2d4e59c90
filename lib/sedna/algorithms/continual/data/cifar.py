"""CIFAR-10 and CIFAR-100 from formats that carry no code: parquet as on the Hugging Face hub, and the binary version.

The "python version" of the original page is a pickle and is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from sedna.algorithms.continual.data.images import ImageSet, OnCorrupt, decode_all
from sedna.common.errors import DataError, NotFoundError

Variant = Literal["cifar10", "cifar100"]
Split = Literal["train", "test"]

_SIDE = 32
_PLANE = 3 * _SIDE * _SIDE
_CLASSES: dict[Variant, int] = {"cifar10": 10, "cifar100": 100}
_LABEL_COLUMNS = ("fine_label", "label")
_BINARY_FILES: dict[tuple[Variant, Split], tuple[str, ...]] = {
    ("cifar10", "train"): tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    ("cifar10", "test"): ("test_batch.bin",),
    ("cifar100", "train"): ("train.bin",),
    ("cifar100", "test"): ("test.bin",),
}
_BINARY_NAMES: dict[Variant, str] = {"cifar10": "batches.meta.txt", "cifar100": "fine_label_names.txt"}


def load_cifar(
    root: Path,
    variant: Variant,
    split: Split,
    classes: Sequence[int] | None = None,
    *,
    on_corrupt: OnCorrupt = "error",
) -> ImageSet:
    """One split of CIFAR, in file order.

    Args:
        root: folder with ``<split>*.parquet``, or with the ``.bin`` files of the binary version.
        classes: labels to load; the others are not even decoded. None: all.
        on_corrupt: see `decode_all`; the binary version has no pictures that cannot be decoded.

    Raises:
        NotFoundError: the folder holds neither format.
        DataError: a file is damaged.
    """
    parquet = sorted(root.glob(f"{split}*.parquet"))
    if parquet:
        return _load_parquet(parquet, variant, classes, on_corrupt)
    binary = [root / name for name in _BINARY_FILES[variant, split]]
    if all(path.is_file() for path in binary):
        return _load_binary(binary, variant, classes)
    hint = f"{split}.parquet, or {', '.join(path.name for path in binary)}"
    if (root / "batches.meta").exists() or (root / "meta").exists():
        hint += "; the pickled 'python version' is not read, because a pickle can run code"
    raise NotFoundError(f"no {variant} {split} files", where=str(root), hint=hint)


def _load_parquet(
    paths: Sequence[Path], variant: Variant, classes: Sequence[int] | None, on_corrupt: OnCorrupt
) -> ImageSet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = None if classes is None else set(classes)
    names: tuple[str, ...] = ()
    items = []
    for path in paths:
        try:
            file = pq.ParquetFile(path)
            label_column = next((name for name in _LABEL_COLUMNS if name in file.schema_arrow.names), None)
            if label_column is None or "img" not in file.schema_arrow.names:
                raise DataError(
                    f"has columns {', '.join(file.schema_arrow.names)}", where=str(path), hint="img and fine_label"
                )
            names = names or _hub_names(file.schema_arrow.metadata, label_column)
            row = 0
            for batch in file.iter_batches(columns=["img", label_column]):
                # Readers, not bytes: only the pictures of wanted classes are copied out of the file.
                encoded = batch.column(0).field("bytes")
                for position, label in enumerate(batch.column(1).to_pylist()):
                    if wanted is None or label in wanted:
                        items.append((f"{path.name} row {row}", encoded[position].as_py, int(label)))
                    row += 1
        except pa.ArrowException as error:
            raise DataError(f"is no readable parquet file: {error}", where=str(path)) from error
    names = names or tuple(f"class {index}" for index in range(_CLASSES[variant]))
    return decode_all(items, names, size=None, name=f"{variant} {paths[0].parent}", on_corrupt=on_corrupt)


def _hub_names(metadata: dict[bytes, bytes] | None, label_column: str) -> tuple[str, ...]:
    """Class names from the ``huggingface`` entry of the schema; empty when there is none."""
    text = (metadata or {}).get(b"huggingface")
    if text is None:
        return ()
    feature = json.loads(text).get("info", {}).get("features", {}).get(label_column, {})
    return tuple(str(name) for name in feature.get("names", ()))


def _load_binary(paths: Sequence[Path], variant: Variant, classes: Sequence[int] | None) -> ImageSet:
    label_bytes = 1 if variant == "cifar10" else 2  # CIFAR-100: coarse, then fine label
    rows = []
    for path in paths:
        raw = np.fromfile(path, dtype=np.uint8)
        if raw.size == 0 or raw.size % (label_bytes + _PLANE):
            raise DataError(f"{raw.size} bytes", where=str(path), hint=f"a multiple of {label_bytes + _PLANE}")
        rows.append(raw.reshape(-1, label_bytes + _PLANE))
    table = np.concatenate(rows)
    labels = table[:, label_bytes - 1].astype(np.int64)
    if classes is not None:
        kept = np.isin(labels, np.asarray(classes))
        table, labels = table[kept], labels[kept]
    x_NCHW = table[:, label_bytes:].reshape(-1, 3, _SIDE, _SIDE)
    return ImageSet(np.ascontiguousarray(x_NCHW), labels, _binary_names(paths[0].parent, variant), variant)


def _binary_names(root: Path, variant: Variant) -> tuple[str, ...]:
    path = root / _BINARY_NAMES[variant]
    if path.is_file():
        names = tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
        if len(names) == _CLASSES[variant]:
            return names
    return tuple(f"class {index}" for index in range(_CLASSES[variant]))
