import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sedna.common.errors import (
    AuthError,
    DataError,
    NotFoundError,
    PermanentError,
    SpecError,
    StoreUnavailableError,
    UserError,
)
from sedna.common.file_ops import FileOps


def below(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def tree(tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "sub" / "b.txt").write_text("b")
    return source


def test_folders(tmp_path):
    FileOps.make_dir(str(tmp_path), "one", "two")
    FileOps.make_base_dir(str(tmp_path), "three", "file.txt")
    assert (tmp_path / "one" / "two").is_dir()
    assert (tmp_path / "three").is_dir()
    assert not (tmp_path / "three" / "file.txt").exists()


def test_clean_folder(tree, tmp_path):
    targets = [str(tree), str(tmp_path / "new")]
    assert FileOps.clean_folder(targets, clean=False) is targets
    assert below(tree) == ["a.txt", "sub/b.txt"]
    assert (tmp_path / "new").is_dir()
    FileOps.clean_folder([str(tree / "a.txt")], clean=False)
    assert below(tree) == ["a.txt", "sub/b.txt"]
    FileOps.clean_folder([str(tree / "a.txt")])
    assert below(tree) == ["sub/b.txt"]
    FileOps.clean_folder(str(tree))
    assert tree.is_dir()
    assert below(tree) == []


def test_clean_folder_leaves_remote_addresses_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FileOps.clean_folder(["s3://bucket/output/train/1", "", "https://host/x"], clean=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["/", "~"])
def test_clean_folder_refuses_root_and_home(folder):
    with pytest.raises(UserError, match="will not be emptied"):
        FileOps.clean_folder([str(Path(folder).expanduser())])


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("/a", "b", "/c"), "/a/b/c"),
        (("a", "b"), "a/b"),
        (("s3://bucket/x", "/y.pb"), "s3://bucket/x/y.pb"),
        (("only",), "only"),
    ],
)
def test_join_path(parts, joined):
    assert FileOps.join_path(*parts) == joined


@pytest.mark.parametrize(
    ("path", "prefix", "rest"),
    [
        ("/home/data/models/m.pb", "/home/data", "/models/m.pb"),
        ("/home/data/models/m.pb", "/home/data/", "/models/m.pb"),
        ("/home/database/m.pb", "/home/data", "/home/database/m.pb"),
        ("s3://b/m.pb", "/home/data", "s3://b/m.pb"),
        ("/m.pb", "", "/m.pb"),
        ("/home/data", "/home/data", ""),
    ],
)
def test_remove_path_prefix(path, prefix, rest):
    assert FileOps.remove_path_prefix(path, prefix) == rest


def test_questions(tree):
    assert FileOps.exists(str(tree))
    assert FileOps.exists(f"file://{tree}")
    assert not FileOps.exists("")
    assert FileOps.is_local(str(tree / "a.txt"))
    assert not FileOps.is_local("s3://bucket/key")
    assert [FileOps.is_remote(f"{s}://x/y") for s in ("s3", "gs", "http", "https", "file")] == [True] * 4 + [False]
    assert FileOps.get_file_hash(str(tree / "a.txt")) == "0cc175b9c0f1b6a831c399e269772661"
    assert FileOps.get_file_hash(str(tree / "none")) == ""


def test_copies(tree, tmp_path):
    FileOps.copy_file(str(tree / "a.txt"), str(tmp_path / "deep" / "er" / "c.txt"))
    FileOps.copy_file(str(tree / "a.txt"), str(tmp_path / "deep"))
    assert below(tmp_path / "deep") == ["a.txt", "er/c.txt"]
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "a.txt").write_text("old")
    FileOps.copy_folder(str(tree), str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "a.txt").read_text() == "a"
    FileOps.copy_file(str(tree / "a.txt"), str(tree / "a.txt"))
    with pytest.raises(NotFoundError):
        FileOps.copy_file(str(tmp_path / "none"), str(tmp_path / "x"))
    with pytest.raises(NotFoundError):
        FileOps.copy_folder(str(tmp_path / "none"), str(tmp_path / "x"))


def test_delete(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (tmp_path / "link").symlink_to(outside)
    for name in ("link", "source", "no-such-thing"):
        FileOps.delete(str(tmp_path / name))
    assert below(tmp_path) == ["outside/kept"]


def test_download_of_local_paths(tree, tmp_path):
    target = FileOps.download(f"file://{tree / 'a.txt'}", str(tmp_path / "x" / "a"))
    assert Path(target).read_text() == "a"
    assert Path(FileOps.download(str(tree / "a.txt"))).read_text() == "a"
    assert below(Path(FileOps.download(str(tree), str(tmp_path / "y")))) == ["a.txt", "sub/b.txt"]
    with pytest.raises(NotFoundError, match=r"none\.txt"):
        FileOps.download(str(tmp_path / "none.txt"))


def test_download_unpacks_checked_archives(tmp_path):
    good, evil = tmp_path / "good.zip", tmp_path / "evil.tar.gz"
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("model/m.pb", b"weights")
    with tarfile.open(evil, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"))
    FileOps.download(str(good), str(tmp_path / "in" / "good.zip"), unzip=True)
    assert below(tmp_path / "in") == ["good.zip", "model/m.pb"]
    with pytest.raises(DataError):
        FileOps.download(str(evil), str(tmp_path / "in" / "evil.tar.gz"), unzip=True)
    assert not (tmp_path / "outside").exists()
    assert (tmp_path / "in" / "model" / "m.pb").read_bytes() == b"weights"
    assert set(below(tmp_path / "in")) <= {"good.zip", "model/m.pb", "evil.tar.gz"}


def test_upload_of_local_paths(tree, tmp_path):
    assert FileOps.upload(str(tree / "a.txt"), str(tmp_path / "to" / "a.txt")) == str(tmp_path / "to" / "a.txt")
    assert below(tree) == ["sub/b.txt"]
    FileOps.upload(str(tree), str(tmp_path / "all"), clean=False)
    assert below(tmp_path / "all") == ["sub/b.txt"]
    FileOps.upload(str(tree), str(tmp_path / "all.tar.gz"), tar=True)
    assert not tree.exists()
    assert below(tmp_path) == ["all.tar.gz", "all/sub/b.txt", "to/a.txt"]


def test_upload_to_itself_keeps_the_file(tree):
    path = str(tree / "a.txt")
    FileOps.upload(path, path)
    assert Path(path).read_text() == "a"


def test_upload_errors(tmp_path, tree):
    with pytest.raises(NotFoundError):
        FileOps.upload(str(tmp_path / "none"), str(tmp_path / "x"))
    for address in ("gs://bucket/x", "http://host/x"):
        with pytest.raises(UserError, match="cannot upload"):
            FileOps.upload(str(tree), address)
    with pytest.raises(UserError, match="not supported"):
        FileOps.download("gs://bucket/x")
    assert below(tree) == ["a.txt", "sub/b.txt"]


def test_objects(tmp_path):
    path = FileOps.dump({"a": [1, 2]}, str(tmp_path / "new" / "o.joblib"))
    assert FileOps.load(path) == {"a": [1, 2]}
    assert FileOps.load(FileOps.dump("x")) == "x"
    FileOps.dump_pickle((1, 2), str(tmp_path / "deep" / "p.pkl"))
    assert FileOps.load_pickle(str(tmp_path / "deep" / "p.pkl")) == (1, 2)
    assert FileOps.load_pickle(str(tmp_path / "none.pkl")) is None
    assert FileOps.pickle_string_to_obj(FileOps.obj_to_pickle_string({"k": 1})) == {"k": 1}


class _Web(BaseHTTPRequestHandler):
    failures = 0

    def do_GET(self):
        status = int(self.path.split("/")[1])
        if status == 503 and type(self).failures:
            type(self).failures -= 1
        elif status == 503:
            status = 200
        self.send_response(status)
        body = b"model" if status == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Web)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_http_download(web, tmp_path):
    target = tmp_path / "m.pb"
    assert FileOps.download(f"{web}/200/m.pb", str(tmp_path)) == str(target)
    assert target.read_bytes() == b"model"
    _Web.failures = 2
    assert Path(FileOps.download(f"{web}/503/m.pb")).read_bytes() == b"model"


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (403, AuthError), (400, PermanentError)])
def test_http_errors_leave_nothing(web, tmp_path, status, kind):
    with pytest.raises(kind):
        FileOps.download(f"{web}/{status}/m.pb", str(tmp_path / "m.pb"))
    assert list(tmp_path.iterdir()) == []


def test_http_server_that_is_not_there(tmp_path):
    with pytest.raises(StoreUnavailableError):
        FileOps.download("http://127.0.0.1:1/m.pb", str(tmp_path / "m.pb"))


S3_ERROR = "<Error><Code>{code}</Code><Message>as asked</Message><RequestId>1</RequestId><HostId>1</HostId></Error>"


class _FaultyS3(_Web):
    status, body = 503, ""

    def do_GET(self):
        content = type(self).body.encode()
        self.send_response(type(self).status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, S3_ERROR.format(code="ServiceUnavailable"), StoreUnavailableError),
        (503, S3_ERROR.format(code="SlowDown"), StoreUnavailableError),
        (503, "", StoreUnavailableError),
        (400, S3_ERROR.format(code="InvalidArgument"), PermanentError),
        (403, S3_ERROR.format(code="AccessDenied"), AuthError),
        (404, S3_ERROR.format(code="NoSuchBucket"), NotFoundError),
        (200, "<html>a proxy's greeting</html>", StoreUnavailableError),
        (200, "no XML", StoreUnavailableError),
    ],
)
def test_what_a_faulty_s3_answers_becomes_an_error_of_the_tree(monkeypatch, tmp_path, status, body, kind):
    handler = type("Handler", (_FaultyS3,), {"status": status, "body": body})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("S3_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(kind):
            FileOps.download("s3://bucket/key", str(tmp_path / "x"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def bucket(s3_server, monkeypatch):
    monkeypatch.setenv("S3_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("SECRET_ACCESS_KEY", s3_server.secret_key)
    return f"s3://{s3_server.bucket}"


@pytest.mark.s3
def test_s3_folder_keeps_its_names(bucket, tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FileOps.upload(str(tree), f"{bucket}/file-ops/out", clean=False)
    FileOps.download(f"{bucket}/file-ops/out", str(tmp_path / "back"))
    assert below(tmp_path / "back") == ["a.txt", "sub/b.txt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back", "source"]  # no folder named "s3:"


@pytest.mark.s3
def test_s3_file(bucket, tree, tmp_path):
    FileOps.s3_upload(str(tree / "a.txt"), f"{bucket}/file-ops/one.txt")
    FileOps.upload(str(tree / "sub" / "b.txt"), f"{bucket}/file-ops/in/")
    assert below(tree) == ["a.txt"]
    assert Path(FileOps.download(f"{bucket}/file-ops/one.txt")).read_text() == "a"
    FileOps.s3_download(f"{bucket}/file-ops/in/b.txt", str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "b"
    with pytest.raises(NotFoundError):  # a prefix is a folder, not a beginning of a name
        FileOps.download(f"{bucket}/file-ops/on")
    with pytest.raises(NotFoundError):
        FileOps.download("s3://no-such-bucket/x")
    for wrong in ("s3://b/x", "s3:///x"):
        with pytest.raises(SpecError, match="s3://bucket/key"):
            FileOps.download(wrong)
    assert FileOps.load(FileOps.dump({"a": 1}, f"{bucket}/file-ops/o.joblib")) == {"a": 1}


@pytest.mark.s3
def test_s3_refusals(bucket, tree, monkeypatch):
    monkeypatch.setenv("SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(AuthError):
        FileOps.upload(str(tree), f"{bucket}/x")
    assert below(tree) == ["a.txt", "sub/b.txt"]
    monkeypatch.setenv("S3_ENDPOINT_URL", "127.0.0.1:1")
    with pytest.raises(SpecError, match="S3_ENDPOINT_URL"):
        FileOps.download(f"{bucket}/x")
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreUnavailableError):
        FileOps.download(f"{bucket}/x")
