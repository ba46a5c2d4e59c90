"""All files of a model, between this machine and object storage: `store_model`, `fetch_model` and `LocalModel`.

A model is a folder, or a file with others beside it: an ONNX twin, label names, the shards that an index lists. Its
address names the folder or that one file. `store_model` writes a list of all files after them, as
``{address}.sedna.json``, with names relative to the folder that holds the address::

    {"files": [{"name": "model.safetensors", "size": 123, "sha256": "..."}, ...]}
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path, PurePosixPath

from pydantic import Field, ValidationError, field_validator

from sedna.common.atomic import sha256_file
from sedna.common.errors import IntegrityError, ModelError, NotFoundError, SpecError
from sedna.common.file_ops import FileOps
from sedna.common.types import Sha256, Value
from sedna.common.validation import as_error

__all__ = ["LocalModel", "copy_model", "fetch_model", "require_writable", "store_model"]

_LIST = ".sedna.json"


class _File(Value):
    name: str
    size: int = Field(ge=0)
    sha256: Sha256

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name!r} is no name of a file inside the folder")
        return name


class _FileList(Value):
    files: tuple[_File, ...] = Field(min_length=1)


class LocalModel:
    """A copy of a remote model on this machine.

    It is deleted by `close`, when nothing refers to this object any more, or at the end of the process.

    Attributes:
        path: the file or the folder, with every file that belongs to it.

    Raises:
        SednaError: as `fetch_model`; nothing is left behind.
    """

    def __init__(self, address: str) -> None:
        folder = tempfile.mkdtemp(prefix="sedna-model-")
        # Not TemporaryDirectory, which warns when nobody has closed it: estimators read from the copy at any time.
        self._delete = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            self.path = fetch_model(address, Path(folder))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Delete the copy."""
        self._delete()


def copy_model(model: Path, folder: Path) -> Path:
    """Copy a model folder, or a model file with those beside it that share its name up to the suffix, into ``folder``.

    Returns:
        The path of the copy.

    Raises:
        NotFoundError: there is no such model.
    """
    if not model.exists():
        raise NotFoundError("no such model", where=str(model))
    target = folder / model.name
    if model.is_dir():
        shutil.copytree(model, target)
        return target
    for path in model.parent.iterdir():
        if path.name == model.name or (_share_stem(path.name, model.name) and path.is_file()):
            shutil.copyfile(path, folder / path.name)
    return target


def require_writable(address: str) -> str:
    """``address``, when `store_model` can write a model there; worth knowing before hours of training.

    Raises:
        SpecError: it is no s3 address, or names no place in the bucket.
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not address.startswith("s3://") or not bucket or not key.strip("/"):
        raise SpecError("no model can be written to this address", where=address, hint="s3://bucket/folder/model")
    return address


def store_model(model: Path, folder: Path, address: str) -> str:
    """Send every file of ``folder``, which holds nothing but the model, below the s3 address of that folder.

    Args:
        model: file or folder in ``folder``, or ``folder`` itself.

    Returns:
        The address of ``model``.

    Raises:
        ModelError: there is no file, or a link to a folder, whose content would be missing.
        NotFoundError, AuthError, StoreUnavailableError: the store did not take a file. Those before it stay there,
            without a list that fits them.
    """
    files = _files(folder)
    if model == folder:
        address, _, name = address.rstrip("/").rpartition("/")
        files = {f"{name}/{inside}": path for inside, path in files.items()}
    else:
        name = model.relative_to(folder).as_posix()
    if not files:
        raise ModelError("the estimator's save wrote no file", where=f"{address}/{name}")
    # The named file last: whoever waits for it finds the others when it comes.
    for inside in sorted(files, key=lambda one: one == name):
        FileOps.upload(str(files[inside]), FileOps.join_path(address, inside), clean=False)
    stored = FileOps.join_path(address, name)
    entries = (_File(name=n, size=p.stat().st_size, sha256=sha256_file(p)) for n, p in files.items())
    # After all files: until then the list of an earlier model at this address lets no reader take a mixture of both.
    _upload_text(_FileList(files=tuple(entries)).model_dump_json(), f"{stored}{_LIST}")
    return stored


def fetch_model(address: str, folder: Path) -> Path:
    """Bring the model at a remote address, with every file that belongs to it, into an empty folder.

    Of a folder all files come. Of a file on S3 come those on its list, else those beside it that share its name up
    to the suffix; http(s) cannot list, and gives the file alone. Files on a list are checked against it.

    Returns:
        The path of the file or folder in ``folder``.

    Raises:
        NotFoundError: nothing is there.
        IntegrityError: a file on the list is missing or is another one: the model was not stored as a whole.
        SpecError: an object has a name that leads out of the folder.
        AuthError, StoreUnavailableError: as `FileOps.download`.
    """
    address = address.rstrip("/")
    parent, _, name = address.rpartition("/")
    target = folder / name
    if not address.startswith("s3://"):
        return Path(FileOps.download(address, str(target)))
    from sedna.common import transfer

    names = _names_of(parent, name)
    if not names:
        raise NotFoundError("no such model", where=address)
    transfer.s3_fetch({f"{parent}/{one}": folder / one for one in names}, folder)
    for written in sorted(folder.rglob(f"*{_LIST}")):
        _check(_read_list(written), written.parent, address)
        # An estimator that takes the only JSON file of a folder must not meet ours.
        written.unlink()
    return target


def _names_of(parent: str, name: str) -> set[str]:
    """The objects of the model ``parent/name``, relative to ``parent``: the list, and what must come with it."""
    from sedna.common import transfer

    stem = PurePosixPath(name).stem
    # A bucket has nothing beside it.
    siblings = {f"{stem}{rest}" for rest in transfer.s3_names(f"{parent}/{stem}")} if parent != "s3:/" else set()
    names = {name} if name in siblings else {f"{name}/{rest}" for rest in transfer.s3_names(f"{parent}/{name}/", True)}
    if f"{name}{_LIST}" in siblings:
        with tempfile.TemporaryDirectory(prefix="sedna-list-") as scratch:
            written = Path(scratch) / "list.json"
            transfer.s3_fetch({f"{parent}/{name}{_LIST}": written}, Path(scratch))
            listed = _read_list(written)
        return names | {f"{name}{_LIST}"} | {file.name for file in listed.files}
    if name in siblings:
        names |= {one for one in siblings if _share_stem(one, name) and not one.endswith(_LIST)}
    return names


def _share_stem(one: str, name: str) -> bool:
    return one.startswith(f"{PurePosixPath(name).stem}.")


def _files(folder: Path) -> dict[str, Path]:
    """All files below a folder by their names in it, sorted."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = path
        elif path.is_symlink():
            raise ModelError("a link to a folder cannot be stored", where=str(path), hint="copy what it links to")
    return found


def _read_list(path: Path) -> _FileList:
    try:
        return _FileList.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise as_error(IntegrityError, error, path.name, what="is no list of files") from error


def _check(listed: _FileList, folder: Path, address: str) -> None:
    for file in listed.files:
        path = folder / file.name
        found = (path.stat().st_size, sha256_file(path)) if path.is_file() else None
        if found != (file.size, file.sha256):
            problem = "is missing" if found is None else f"has {found[0]} bytes, sha256 {found[1]}"
            raise IntegrityError(
                f"{file.name} {problem}; wanted are {file.size} bytes, sha256 {file.sha256}",
                where=address,
                hint="the model was not stored as a whole: save it again",
            )


def _upload_text(text: str, address: str) -> None:
    with tempfile.TemporaryDirectory(prefix="sedna-list-") as scratch:
        written = Path(scratch) / "list.json"
        written.write_text(text)
        FileOps.upload(str(written), address, clean=False)
