import pytest

from fixtures_cluster import FakeCluster
from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.token_review import PodIdentity, review_token
from sedna.common.errors import AuthError


def test_a_projected_token_names_its_pod() -> None:
    cluster = FakeCluster()
    cluster.tokens["t"] = ("line", "default", "pcb-edge-1", "u-7")
    found = review_token(cluster, "t", "sedna")
    assert found == PodIdentity(namespace="line", pod="pcb-edge-1", uid="u-7", service_account="default")
    assert cluster.requests == [("create", "tokenreviews", None, cluster.requests[0][3])]


@pytest.mark.parametrize(("token", "audience"), [("other", "sedna"), ("t", "vault")])
def test_any_other_token_is_refused(token: str, audience: str) -> None:
    cluster = FakeCluster()
    cluster.tokens["t"] = ("line", "default", "pcb-edge-1", "u-7")
    with pytest.raises(AuthError, match="is not valid: invalid bearer token"):
        review_token(cluster, token, audience)


class Answering(FakeCluster):
    """An API server that says of any token what the test wants."""

    def __init__(self, status: dict) -> None:
        super().__init__()
        self.status = status

    def _review(self, token: str, audiences: object) -> dict:
        return self.status


POD = {"authentication.kubernetes.io/pod-name": ["p"], "authentication.kubernetes.io/pod-uid": ["u"]}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        # A server without audiences lets every token of the cluster through.
        ({"authenticated": True, "user": {"username": "system:serviceaccount:n:a", "extra": POD}}, "another audience"),
        ({"authenticated": True, "audiences": ["sedna"], "user": {"username": "jane"}}, "'?jane'? belongs to no Pod"),
        (
            {"authenticated": True, "audiences": ["sedna"], "user": {"username": "system:serviceaccount:n:a"}},
            "belongs to no Pod",
        ),
        ({"authenticated": True, "audiences": ["sedna"], "user": {"username": "jane", "extra": POD}}, "of jane"),
        ({}, "is not valid"),
    ],
)
def test_only_a_pod_is_somebody(status: dict, message: str) -> None:
    with pytest.raises(AuthError, match=message):
        review_token(Answering(status), "t", "sedna")


@pytest.mark.parametrize("forbidden", [True, False])
def test_a_review_that_the_service_may_not_ask_for_is_not_the_pods_fault(forbidden: bool) -> None:
    cluster = FakeCluster()

    def fail(*_: object) -> None:
        raise AuthError("tokenreviews is forbidden", forbidden=forbidden)

    cluster.fail = fail
    with pytest.raises(ClusterUnavailableError, match="may not review tokens"):
        review_token(cluster, "t", "sedna")
