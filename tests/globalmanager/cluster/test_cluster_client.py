"""The client against a server that answers as 1.20.2 did, word for word."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kubernetes.client import Configuration

from globalmanager.cluster.api import ClusterUnavailableError, NamespaceTerminatingError, QuotaExceededError
from globalmanager.cluster.client import KubernetesApi
from globalmanager.cluster.kinds import JOBS, PODS, TOKEN_REVIEWS
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SpecError

NAMED = "/apis/sedna.io/v1alpha1/namespaces/shop/incrementallearningjobs/boards"


class Server:
    """Answers what a test put in, in this order, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict] = []
        self.answers: list[tuple[int, object, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                outer.asked.append(
                    {"method": self.command, "path": self.path, "body": body, "headers": dict(self.headers)}
                )
                status, said, headers = outer.answers.pop(0)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def says(self, status: int, body: object, **headers: str) -> None:
        self.answers.append((status, body, headers))

    def refuses(self, code: int, reason: str, message: str, details: dict | None = None) -> None:
        body = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code}
        self.says(code, body | ({} if details is None else {"details": details}))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def api(server: Server) -> Iterator[KubernetesApi]:
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{server.http.server_port}"
    configuration.api_key = {"authorization": "Bearer secret"}
    api = KubernetesApi(configuration)
    yield api
    api.close()


def test_an_object_is_asked_for_with_the_token(api, server):
    server.says(200, {"metadata": {"name": "boards"}})
    assert api.get(JOBS, "shop", "boards") == {"metadata": {"name": "boards"}}
    (asked,) = server.asked
    assert (asked["method"], asked["path"]) == ("GET", NAMED)
    assert asked["headers"]["authorization"] == "Bearer secret"


def test_what_is_not_there_is_none(api, server):
    server.refuses(404, "NotFound", 'incrementallearningjobs.sedna.io "boards" not found')
    assert api.get(JOBS, "shop", "boards") is None


def test_a_list_is_read_to_its_last_page(api, server):
    server.says(200, {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]})
    server.says(200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]})
    found = api.list(PODS, labels={"app": "x", "a": "y"})
    assert [(one["kind"], one["metadata"]["name"]) for one in found] == [("Pod", "a"), ("Pod", "b")]
    assert [one["path"] for one in server.asked] == [
        "/api/v1/pods?limit=500&labelSelector=a%3Dy%2Capp%3Dx",
        "/api/v1/pods?limit=500&labelSelector=a%3Dy%2Capp%3Dx&continue=more",
    ]


def test_a_create_says_what_it_makes(api, server):
    server.says(201, {"metadata": {"name": "boards", "uid": "1"}})
    assert api.create(JOBS, "shop", {"metadata": {"name": "boards"}}, dry_run=True)["metadata"]["uid"] == "1"
    (asked,) = server.asked
    assert asked["path"] == NAMED.removesuffix("/boards") + "?dryRun=All&fieldValidation=Strict"
    assert asked["body"] == {
        "apiVersion": "sedna.io/v1alpha1",
        "kind": "IncrementalLearningJob",
        "metadata": {"name": "boards"},
    }


def test_a_review_has_no_namespace(api, server):
    server.says(201, {"status": {"authenticated": True}})
    assert api.create(TOKEN_REVIEWS, None, {"spec": {"token": "t"}})["status"] == {"authenticated": True}
    assert server.asked[0]["path"] == "/apis/authentication.k8s.io/v1/tokenreviews"


def test_patches_go_to_their_subresource_with_their_type(api, server):
    server.says(200, {})
    server.says(200, {})
    api.merge(JOBS, "shop", "boards", {"status": {"phase": None}}, subresource="status")
    api.patch(JOBS, "shop", "boards", [{"op": "test", "path": "/metadata/finalizers", "value": []}])
    first, second = server.asked
    assert (first["method"], first["path"], first["body"]) == ("PATCH", NAMED + "/status", {"status": {"phase": None}})
    assert first["headers"]["Content-Type"] == "application/merge-patch+json"
    assert second["headers"]["Content-Type"] == "application/json-patch+json"
    assert second["body"][0]["op"] == "test"


def test_a_delete_carries_grace_and_uid(api, server):
    server.says(200, {"kind": "Status", "status": "Success"})
    assert api.delete(PODS, "shop", "p", grace_seconds=5, uid="u")
    sent = server.asked[0]["body"]
    assert (sent["gracePeriodSeconds"], sent["preconditions"]) == (5, {"uid": "u"})
    server.refuses(404, "NotFound", 'pods "p" not found')
    assert not api.delete(PODS, "shop", "p")


def test_a_log_is_bytes_and_empty_where_nothing_runs(api, server):
    server.says(200, b"\xff line\n")
    assert api.read_log("shop", "p", "main", max_bytes=100) == b"\xff line\n"
    assert server.asked[0]["path"] == "/api/v1/namespaces/shop/pods/p/log?container=main&limitBytes=100"
    server.refuses(400, "BadRequest", 'container "main" in pod "p" is waiting to start: PodInitializing')
    server.refuses(404, "NotFound", 'pods "p" not found')
    assert [api.read_log("shop", "p", "main"), api.read_log("shop", "p", "main")] == [b"", b""]


REFUSALS = [
    (409, "AlreadyExists", 'pods "p" already exists', ConflictError),
    (409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "q"', ClusterUnavailableError),
    (403, "Forbidden", 'pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1', QuotaExceededError),
    (403, "Forbidden", 'pods "p" is forbidden: User "x" cannot create resource "pods"', AuthError),
    (
        403,
        "Forbidden",
        "unable to create new content in namespace shop because it is being terminated",
        NamespaceTerminatingError,
    ),
    (401, "Unauthorized", "Unauthorized", AuthError),
    (404, "NotFound", 'namespaces "shop" not found', NotFoundError),
    (422, "Invalid", 'Pod "p" is invalid: spec.containers: Required value', SpecError),
    (400, "BadRequest", "v1.Pod.Spec: expect { or n, but found 5", SpecError),
    (429, "TooManyRequests", "too many requests", ClusterUnavailableError),
    (500, "InternalError", "etcdserver: request timed out", ClusterUnavailableError),
    (503, "ServiceUnavailable", "the server is starting", ClusterUnavailableError),
]


@pytest.mark.parametrize(("code", "reason", "message", "error"), REFUSALS)
def test_a_refusal_keeps_the_servers_words(api, server, code, reason, message, error):
    server.refuses(code, reason, message)
    with pytest.raises(error) as raised:
        api.create(PODS, "shop", {"metadata": {"name": "p"}})
    assert message in raised.value.message


def test_the_server_says_when_to_come_again(api, server):
    server.says(429, b"slow down", **{"Retry-After": "7"})
    with pytest.raises(ClusterUnavailableError) as raised:
        api.create(PODS, "shop", {"metadata": {"name": "p"}})
    assert raised.value.retry_after == 7


def test_a_patch_that_fits_no_more_is_a_conflict_and_an_invalid_result_is_not(api, server):
    server.refuses(422, "Invalid", "the server rejected our request due to an error in our request", {})
    with pytest.raises(ConflictError):
        api.patch(JOBS, "shop", "boards", [{"op": "test", "path": "/a", "value": 1}])
    causes = {"causes": [{"reason": "FieldValueInvalid", "field": "metadata.labels"}]}
    server.refuses(422, "Invalid", 'ConfigMap "x" is invalid: metadata.labels: Invalid value: "_!"', causes)
    with pytest.raises(SpecError, match=r"metadata\.labels"):
        api.patch(JOBS, "shop", "boards", [{"op": "add", "path": "/metadata/labels", "value": {"a": "_!"}}])


def test_a_merge_for_another_version_is_a_conflict(api, server):
    server.refuses(409, "Conflict", "the object has been modified")
    with pytest.raises(ConflictError):
        api.merge(JOBS, "shop", "boards", {"metadata": {"resourceVersion": "1"}})


def test_a_delete_of_another_one_is_a_conflict(api, server):
    server.refuses(409, "Conflict", "the UID in the precondition (u) does not match the UID in record (v)")
    with pytest.raises(ConflictError):
        api.delete(PODS, "shop", "p", uid="u")


def test_nobody_there_is_temporary(server):
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{server.http.server_port}"
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(ClusterUnavailableError):
        KubernetesApi(configuration).get(JOBS, "shop", "boards")


def test_something_else_that_answers_is_temporary(api, server):
    server.says(200, b"<html>captive portal</html>")
    with pytest.raises(ClusterUnavailableError, match="no JSON"):
        api.list(JOBS)


def test_without_a_kubeconfig_it_says_what_would_be_right(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(SpecError, match="name a kubeconfig in KUBECONFIG"):
        KubernetesApi.connect()
    (tmp_path / "config").write_text("apiVersion: v1\nkind: Config\n")
    with pytest.raises(SpecError):
        KubernetesApi.connect(tmp_path / "config")


def test_a_read_that_is_put_off_is_not_slept_over_here(api, server):
    server.says(503, b"starting", **{"Retry-After": "600"})
    with pytest.raises(ClusterUnavailableError) as raised:
        api.list(JOBS)
    assert raised.value.retry_after == 600
    assert len(server.asked) == 1
