"""Pictures in folders: one folder a class, TinyImageNet's layout, and a folder a domain with the
classes inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Literal

from sedna.algorithms.continual.data.images import Encoded, ImageSet, OnCorrupt, decode_all, read_bytes
from sedna.common.errors import DataError, NotFoundError
from sedna.common.pictures import SUFFIXES
from sedna.labels.files import is_hidden, walk


def load_image_folder(
    root: Path, *, image_size: int, class_names: Sequence[str] = (), on_corrupt: OnCorrupt = "error"
) -> ImageSet:
    """``root/<class>/**/<picture>``; files in sorted order.

    Args:
        class_names: names in label order; empty: the sorted folder names.

    Raises:
        NotFoundError: there is no such folder.
        DataError: a folder is not in the class list, or no picture is found.
    """
    names = tuple(class_names) or tuple(folder.name for folder in _folders(root))
    return decode_all(_labelled(root, names, ""), names, size=image_size, name=str(root), on_corrupt=on_corrupt)


def load_domains(
    root: Path,
    part: Literal["train", "test"],
    *,
    image_size: int,
    domains: Sequence[str] = (),
    class_names: Sequence[str] = (),
    on_corrupt: OnCorrupt = "error",
) -> ImageSet:
    """``root/<domain>/<part>/<class>/**/<picture>``: the same classes as different cameras, lines or days show them.

    The name of a picture begins with its domain, see `domain_of`.

    Args:
        domains: folders in the order of the tasks; empty: all, sorted.
        class_names: names in label order; empty: the sorted folder names of all domains together.

    Raises:
        NotFoundError: there is no such folder.
        DataError: a folder is not in the class list, or no picture is found.
    """
    folders = {domain: root / domain / part for domain in domain_names(root, domains)}
    found = sorted({entry.name for folder in folders.values() for entry in _folders(folder)})
    names = tuple(class_names) or tuple(found)
    items = [item for domain, folder in folders.items() for item in _labelled(folder, names, f"{domain}/")]
    return decode_all(items, names, size=image_size, name=f"{part} pictures of {root}", on_corrupt=on_corrupt)


def domain_names(root: Path, domains: Sequence[str] = ()) -> tuple[str, ...]:
    """The domains of a folder: those named, or all, sorted.

    Raises:
        NotFoundError: there is no such folder.
    """
    return tuple(domains) or tuple(folder.name for folder in _folders(root))


def domain_of(sample_name: str) -> str:
    """The domain that a picture of `load_domains` comes from."""
    return sample_name.partition("/")[0]


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise NotFoundError("no such folder", where=str(root))
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not is_hidden(entry.name))


def _labelled(root: Path, names: Sequence[str], prefix: str) -> list[Encoded]:
    items: list[Encoded] = []
    for folder in _folders(root):
        if folder.name not in names:
            raise DataError(f"folder {folder.name!r} is no class", where=str(root), hint=", ".join(names))
        label = names.index(folder.name)
        items += [(f"{prefix}{path.relative_to(root)}", read_bytes(path), label) for path in list_pictures(folder)]
    return items


def list_pictures(folder: Path) -> list[Path]:
    """Picture files below a folder, sorted by path; without those that systems and editors hide there."""
    return sorted(folder / name for name, _ in walk(folder) if PurePath(name).suffix.lower() in SUFFIXES)


def load_tiny_imagenet(
    root: Path,
    split: Literal["train", "test"],
    *,
    image_size: int = 64,
    classes: Sequence[int] | None = None,
    on_corrupt: OnCorrupt = "error",
) -> ImageSet:
    """The layout of ``tiny-imagenet-200``; the official validation images serve as test split.

    Class order is that of ``wnids.txt``. Training files are sorted by path, that is class by class.

    Raises:
        NotFoundError: a file of the layout is missing.
    """
    wnids = _lines(root / "wnids.txt")
    wanted = set(range(len(wnids)) if classes is None else classes)
    items: list[Encoded] = []
    if split == "train":
        for label, wnid in enumerate(wnids):
            if label in wanted:
                paths = list_pictures(root / "train" / wnid / "images")
                items += [(f"{wnid}/{path.name}", read_bytes(path), label) for path in paths]
    else:
        for line in _lines(root / "val" / "val_annotations.txt"):
            name, wnid = line.split("\t")[:2]
            if wnid not in wnids:
                raise DataError(f"unknown class {wnid!r} of {name}", where=str(root / "val" / "val_annotations.txt"))
            if wnids.index(wnid) in wanted:
                items.append((name, read_bytes(root / "val" / "images" / name), wnids.index(wnid)))
    return decode_all(items, wnids, size=image_size, name=f"TinyImageNet {split}", on_corrupt=on_corrupt)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise NotFoundError("no such file", where=str(path), hint="the layout of tiny-imagenet-200.zip")
    return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
