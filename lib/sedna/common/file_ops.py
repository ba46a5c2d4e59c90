"""``FileOps``: files, folders, pickles and transfers under upstream's names."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sedna.common import archive
from sedna.common.errors import NotFoundError, SpecError, UserError

__all__ = ["FileOps"]

_REMOTE = ("s3://", "gs://", "http://", "https://")
_LOCAL_PREFIX = "file://"


class FileOps:
    """Class methods only. Local paths may carry the prefix ``file://``.

    Differences from upstream, which fails silently here: a missing source is a `NotFoundError`, an upload of a folder
    keeps its sub-folders, remote addresses are never taken for local folders, and a prefix is removed only at a ``/``.
    Pickle and joblib files are code: load only what this job has written itself.
    """

    @classmethod
    def make_dir(cls, *args: str) -> None:
        """Make a folder and its parents, named by the joined parts."""
        Path(_local(cls.join_path(*args))).mkdir(parents=True, exist_ok=True)

    @classmethod
    def make_base_dir(cls, *args: str) -> None:
        """Make the folder that will hold the file named by the joined parts."""
        Path(_local(cls.join_path(*args))).parent.mkdir(parents=True, exist_ok=True)

    @classmethod
    def clean_folder(cls, target: str | Iterable[str], clean: bool = True) -> str | Iterable[str]:
        """Make folders, emptied if ``clean``. For a path that is a file: its folder, and the file goes if ``clean``.

        Remote addresses are left alone.

        Raises:
            UserError: asked to empty a root or home folder.
        """
        for name in [target] if isinstance(target, str) else target:
            if not name or cls.is_remote(name):
                continue
            path = Path(_local(name))
            # An unset variable in a path leaves "/" or the home folder, and this deletes trees.
            if clean and path.resolve() in (Path(path.resolve().anchor), Path.home()):
                raise UserError("will not be emptied", where=str(path), hint="a folder of the job")
            if path.is_file():
                if clean:
                    path.unlink()
                path = path.parent
            elif clean and path.is_dir():
                shutil.rmtree(path)
            path.mkdir(parents=True, exist_ok=True)
        return target

    @classmethod
    def delete(cls, path: str) -> None:
        """Delete a file or a folder with its content; nothing happens when there is none."""
        local = Path(_local(path))
        # A link is deleted, not what it leads to.
        if local.is_dir() and not local.is_symlink():
            shutil.rmtree(local)
        else:
            local.unlink(missing_ok=True)

    @classmethod
    def get_file_hash(cls, filepath: str) -> str:
        """Hex md5 of a file, to notice a change; empty when there is no such file. Not for security."""
        path = Path(_local(filepath))
        if not filepath or not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

    @classmethod
    def join_path(cls, *args: str) -> str:
        """Join parts with ``/``; a leading ``/`` counts only in the first. Works on addresses too."""
        first, *rest = (str(part) for part in args)
        # os.path.join would drop everything before a part that begins with "/".
        return os.path.join(first, *(part.lstrip("/") for part in rest))  # noqa: PTH118 - also for addresses

    @classmethod
    def remove_path_prefix(cls, org_str: str, prefix: str) -> str:
        """The path without ``prefix``, when it lies below it: a path in the container becomes one on the host."""
        stem = (prefix or "").rstrip("/")
        if stem and (org_str == stem or org_str.startswith(stem + "/")):
            return org_str[len(stem) :]
        return org_str

    @classmethod
    def exists(cls, folder: str) -> bool:
        """Whether a local file or folder is there."""
        return bool(folder) and Path(_local(folder)).exists()

    @classmethod
    def is_local(cls, src: str) -> bool:
        """Whether ``src`` names something on this machine."""
        return src.startswith(_LOCAL_PREFIX) or cls.exists(src)

    @classmethod
    def is_remote(cls, src: str) -> bool:
        """Whether ``src`` is an s3, gs or http(s) address."""
        return str(src).startswith(_REMOTE)

    @classmethod
    def local_path(cls, name: str | os.PathLike[str], where: str) -> Path:
        """The path behind ``name``, with or without ``file://``, for what is written or read in place.

        Args:
            where: the setting that holds it, for the message.

        Raises:
            SpecError: it is a remote address; as a path it would name a folder "s3:".
        """
        if cls.is_remote(str(name)):
            raise SpecError(f"{name} is an address", where=where, hint="a path on this machine")
        return Path(_local(str(name)))

    @classmethod
    def copy_file(cls, src: str, dst: str) -> None:
        """Copy a file to a file or into a folder, or a folder as `copy_folder` does.

        Raises:
            NotFoundError: there is no ``src``.
        """
        source, target = Path(_local(src)), Path(_local(dst))
        if source.is_dir():
            cls.copy_folder(src, dst)
            return
        if not source.is_file():
            raise NotFoundError("no such file", where=str(source))
        if target.is_dir():
            target = target / source.name
        # Opening the target for writing would empty the source.
        if target.exists() and target.samefile(source):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    @classmethod
    def copy_folder(cls, src: str, dst: str) -> None:
        """Copy what is in a folder into another one, over files of the same name.

        Raises:
            NotFoundError: ``src`` is no folder.
        """
        source, target = Path(_local(src)), Path(_local(dst))
        if not source.is_dir():
            raise NotFoundError("no such folder", where=str(source))
        if not (target.exists() and target.samefile(source)):
            shutil.copytree(source, target, dirs_exist_ok=True)

    @classmethod
    def download(cls, src: str, dst: str | None = None, unzip: bool = False) -> str:
        """Bring a file (or what is below an s3 prefix, or a local folder) to ``dst``, by default a new temporary one.

        Args:
            src: local path, ``s3://bucket/key-or-prefix`` or ``http(s)://...``.
            dst: file or existing folder.
            unzip: unpack an archive into the folder of ``dst``, with the checks of `sedna.common.archive`.

        Returns:
            The path of the file or folder on this machine.

        Raises:
            NotFoundError: there is no ``src``.
            StoreUnavailableError: the other end does not answer.
            DataError: the archive is hostile or damaged.
        """
        name = Path(urlsplit(src).path).name or "download"
        target = Path(_local(dst)) if dst else Path(tempfile.mkdtemp(prefix="sedna-")) / name
        if target.is_dir() and not (cls.is_local(src) and Path(_local(src)).is_dir()):
            target = target / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if cls.is_remote(src):
            cls._transfer_from(src, target)
        else:
            cls.copy_file(src, str(target))
        if unzip and archive.is_archive(target):
            archive.unpack(target, target.parent)
        return str(target)

    @classmethod
    def upload(cls, src: str, dst: str | None, tar: bool = False, clean: bool = True) -> str:
        """Send a local file or folder to ``dst``: a local path or ``s3://bucket/key`` (the prefix, for a folder).

        Args:
            src: local file or folder.
            dst: None for a new temporary file.
            tar: send it as one ``.tar.gz``.
            clean: delete ``src`` once it has arrived (upstream's default). Never when both are the same file.

        Returns:
            ``dst``.

        Raises:
            NotFoundError: there is no ``src``.
        """
        source = Path(_local(src))
        if not source.exists():
            raise NotFoundError("nothing to upload", where=src)
        dst = dst or str(Path(tempfile.mkdtemp(prefix="sedna-")) / source.name)
        payload = archive.pack(source, source.with_name(source.name + ".tar.gz")) if tar else source
        try:
            if cls.is_remote(dst):
                cls._transfer_to(payload, dst)
            else:
                cls.copy_file(str(payload), dst)
        finally:
            if tar and payload != Path(_local(dst)):
                payload.unlink()
        # Uploading a file to itself with upstream's default would delete it.
        same = not cls.is_remote(dst) and Path(_local(dst)).exists() and Path(_local(dst)).samefile(source)
        if clean and not same:
            cls.delete(str(source))
        return dst

    @classmethod
    def _transfer_from(cls, src: str, target: Path) -> None:
        from sedna.common import transfer

        if src.startswith("s3://"):
            transfer.s3_download(src, target)
        elif src.startswith("gs://"):
            cls.gcs_download(src, str(target))
        else:
            transfer.http_download(src, target)

    @classmethod
    def _transfer_to(cls, source: Path, dst: str) -> None:
        from sedna.common import transfer

        if not dst.startswith("s3://"):
            raise UserError("cannot upload to this address", where=dst, hint="a local path or s3://bucket/key")
        transfer.s3_upload(source, dst)

    @classmethod
    def s3_download(cls, src: str, dst: str) -> None:
        """`download` for an s3 address."""
        cls.download(src, dst)

    @classmethod
    def s3_upload(cls, src: str, dst: str) -> None:
        """`upload` to an s3 address; the local file stays."""
        cls.upload(src, dst, clean=False)

    @classmethod
    def http_download(cls, src: str, dst: str) -> None:
        """`download` for an http(s) address."""
        cls.download(src, dst)

    @classmethod
    def gcs_download(cls, src: str, dst: str) -> None:
        """Always a `UserError`: upstream names it and does nothing."""
        raise UserError("gs:// is not supported", where=f"{src} -> {dst}", hint="s3:// (Google storage speaks it too)")

    @classmethod
    def gcs_upload(cls, src: str, dst: str) -> None:
        """Always a `UserError`: upstream names it and does nothing."""
        cls.gcs_download(src, dst)

    @classmethod
    def dump(cls, obj: Any, dst: str | None = None) -> str:
        """Write an object with joblib to ``dst`` (local or s3; default a new temporary file) and return ``dst``."""
        import joblib

        with tempfile.TemporaryDirectory(prefix="sedna-") as folder:
            path = Path(folder) / "object.joblib"
            joblib.dump(obj, path)
            return cls.upload(str(path), dst, clean=False)

    @classmethod
    def load(cls, src: str) -> Any:
        """Read an object that `dump` has written. It runs code from the file: only files of this job."""
        import joblib

        if not cls.is_remote(src):
            return joblib.load(_local(src))
        with tempfile.TemporaryDirectory(prefix="sedna-") as folder:
            return joblib.load(cls.download(src, f"{folder}/object.joblib"))

    @classmethod
    def dump_pickle(cls, obj: Any, filename: str) -> None:
        """Write an object with pickle, making the folder if needed."""
        cls.make_base_dir(filename)
        Path(_local(filename)).write_bytes(pickle.dumps(obj))

    @classmethod
    def load_pickle(cls, filename: str) -> Any:
        """Read an object that `dump_pickle` has written; None when there is no such file. Only files of this job."""
        path = Path(_local(filename))
        return pickle.loads(path.read_bytes()) if path.is_file() else None  # noqa: S301 - the caller's own file

    @classmethod
    def obj_to_pickle_string(cls, x: Any) -> str:
        """An object as base64 text of its pickle."""
        return base64.encodebytes(pickle.dumps(x)).decode()

    @classmethod
    def pickle_string_to_obj(cls, s: str) -> Any:
        """The object of `obj_to_pickle_string`. Only text that this job has made itself."""
        return pickle.loads(base64.decodebytes(s.encode()))  # noqa: S301 - the caller's own text


def _local(path: str) -> str:
    return str(path).removeprefix(_LOCAL_PREFIX)
