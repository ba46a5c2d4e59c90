import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from sedna.common.archive import ArchiveLimits, is_archive, pack, unpack
from sedna.common.errors import DataError, NotFoundError, TooLargeError


def tar_with(path: Path, *members: tuple[tarfile.TarInfo | str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            if info.isreg():
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def zip_with(path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members:
            archive.writestr(member, data)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def everything_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path, mode):
    archive = tar_with(tmp_path / "a.tar", ("a.txt", b"a"), ("sub/b.txt", b"b"), mode=mode)
    files = unpack(archive, tmp_path / "out")
    assert files == [tmp_path / "out" / "a.txt", tmp_path / "out" / "sub" / "b.txt"]
    assert [f.read_bytes() for f in files] == [b"a", b"b"]
    assert everything_below(tmp_path) == ["a.tar", "out", "out/a.txt", "out/sub", "out/sub/b.txt"]


def test_zip_into_a_folder_with_content(tmp_path):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "a.txt").write_text("old")
    (out / "kept.txt").write_text("kept")
    unpack(zip_with(tmp_path / "a.zip", ("a.txt", b"new"), ("sub/", b""), ("sub/b.txt", b"b")), out)
    assert (out / "a.txt").read_text() == "new"
    assert everything_below(out) == ["a.txt", "kept.txt", "sub", "sub/b.txt"]


HOSTILE_NAMES = ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:evil", "a\\b"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("make", [tar_with, zip_with])
def test_names_that_lead_outside_are_refused_before_anything_is_written(tmp_path, make, name):
    archive = make(tmp_path / "hostile", ("harmless", b"x"), (name, b"evil"))
    before = everything_below(tmp_path)
    with pytest.raises(DataError) as caught:
        unpack(archive, tmp_path / "out")
    assert repr(name)[1:-1] in str(caught.value)
    assert everything_below(tmp_path) == before
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize(
    "info",
    [
        link("l", "/etc/passwd"),
        link("l", "harmless"),
        link("l", "harmless", tarfile.LNKTYPE),
        link("l", "", tarfile.FIFOTYPE),
        link("l", "", tarfile.CHRTYPE),
    ],
    ids=["symlink-out", "symlink-in", "hard-link", "fifo", "device"],
)
def test_links_and_devices_are_refused(tmp_path, info):
    archive = tar_with(tmp_path / "hostile.tar", ("harmless", b"x"), (info, b""))
    with pytest.raises(DataError, match="link or a device"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_zip_links_and_encrypted_entries_are_refused(tmp_path):
    info = zipfile.ZipInfo("l")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DataError, match="link"):
        unpack(zip_with(tmp_path / "link.zip", (info, b"/etc/passwd")), tmp_path / "out")
    archive = zip_with(tmp_path / "secret.zip", ("s", b"x"))
    raw = bytearray(archive.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(raw)
    with pytest.raises(DataError, match="encrypted"):
        unpack(archive, tmp_path / "out")


def test_a_planted_link_in_the_folder_does_not_lead_outside(tmp_path):
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (out / "sub").symlink_to(outside)
    with pytest.raises(DataError, match="leads outside"):
        unpack(zip_with(tmp_path / "a.zip", ("sub/x", b"x")), out)
    assert everything_below(outside) == []


def test_limits(tmp_path):
    archive = zip_with(tmp_path / "a.zip", ("a", b"0" * 1000), ("b", b"0" * 1000))
    for limits in (
        ArchiveLimits(max_bytes=1999),
        ArchiveLimits(max_entries=1),
        ArchiveLimits(max_ratio=3, ratio_from=100),
    ):
        with pytest.raises(TooLargeError):
            unpack(archive, tmp_path / "out", limits)
        assert not (tmp_path / "out").exists()
    assert len(unpack(archive, tmp_path / "out", ArchiveLimits(max_bytes=2000, max_entries=2))) == 2


def test_a_bomb_is_refused_by_its_ratio(tmp_path):
    archive = zip_with(tmp_path / "bomb.zip", ("zeros", bytes(32 << 20)))
    with pytest.raises(TooLargeError, match="200-fold"):
        unpack(archive, tmp_path / "out")


def test_damage(tmp_path):
    good = tar_with(tmp_path / "a.tar.gz", ("a", os.urandom(5000))).read_bytes()
    bad_crc = bytearray(zip_with(tmp_path / "b.zip", ("a", b"hello hello hello")).read_bytes())
    bad_crc[35] ^= 0xFF
    for name, data in [("cut.tar.gz", good[:2000]), ("none.tar", b"this is no archive"), ("crc.zip", bytes(bad_crc))]:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DataError, match="damaged"):
            unpack(path, tmp_path / "out")
        assert not (tmp_path / "out").exists() or everything_below(tmp_path / "out") == []


def test_doubled_and_contradicting_entries(tmp_path):
    with pytest.raises(DataError, match="twice"):
        unpack(tar_with(tmp_path / "a.tar", ("a", b"1"), ("./a", b"2")), tmp_path / "out")
    with pytest.raises(DataError, match="file and a folder"):
        unpack(tar_with(tmp_path / "b.tar", ("a", b"1"), ("a/b", b"2")), tmp_path / "out")


def test_missing_archive(tmp_path):
    with pytest.raises(NotFoundError):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    with pytest.raises(NotFoundError):
        pack(tmp_path / "none", tmp_path / "a.tar.gz")


def test_pack_round_trip(tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_bytes(b"a")
    (source / "sub" / "b").write_bytes(b"b")
    (source / "outside").symlink_to("/etc/hostname")
    unpack(pack(source, tmp_path / "s.tar.gz"), tmp_path / "out")
    assert everything_below(tmp_path / "out") == ["a", "sub", "sub/b"]
    unpack(pack(source / "a", tmp_path / "f.tar.gz"), tmp_path / "one")
    assert everything_below(tmp_path / "one") == ["a"]


@pytest.mark.parametrize(("name", "expected"), [("m.tar.gz", True), ("M.ZIP", True), ("m.tgz", True), ("m.pth", False)])
def test_is_archive(name, expected):
    assert is_archive(name) is expected
