"""What the service answers to worker Pods: who they are, and how their program is. Any replica can."""

from __future__ import annotations

from globalmanager.cluster.api import Body, ClusterView, KubeApi
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.token_review import PodIdentity, review_token
from globalmanager.runtimes.base import WorkerHandle
from globalmanager.runtimes.kubernetes.naming import WORKER_LABEL, handle_of
from globalmanager.runtimes.kubernetes.pod_state import Pod
from sedna.common.errors import AuthError
from sedna.core.staging.service_link import ProgramState

__all__ = ["PodDoor"]


class PodDoor:
    """Knows Pods by the token that Kubernetes has given them, and what the watch shows of them."""

    def __init__(self, api: KubeApi, view: ClusterView, audience: str) -> None:
        self._api = api
        self._view = view
        self._audience = audience

    def identify(self, token: str) -> WorkerHandle:
        """The worker whose Pod sends this token.

        Raises:
            AuthError: the token is not valid, or its Pod is no worker's or is gone.
            ClusterUnavailableError: the API server does not answer.
        """
        try:
            identity = review_token(self._api, token, self._audience)
        except AuthError as error:
            if error.forbidden:  # a right that the service lacks is not the Pod's fault
                raise AuthError(f"the service may not review tokens: {error.message}", forbidden=True) from error
            raise
        pod = self._pod(identity)
        if pod is None or WORKER_LABEL not in (pod["metadata"].get("labels") or {}):
            raise AuthError(
                "this Pod is no worker, or not any more",
                where=f"Pod {identity.namespace}/{identity.pod}",
                hint="a token is worth as much as its Pod",
                forbidden=True,
            )
        return handle_of(pod)

    def program(self, worker: WorkerHandle) -> ProgramState:
        """How the program of a worker is."""
        body = self._view.get(PODS, worker.place.get("namespace", ""), worker.place.get("pod", ""))
        ended = None if body is None else Pod(body).ended
        return ProgramState() if ended is None else ProgramState(ended=True, exit_code=int(ended.get("exitCode", -1)))

    def _pod(self, identity: PodIdentity) -> Body | None:
        """The Pod of this very uid. A token outlives its Pod by moments, and another one may have the name."""
        seen = self._view.get(PODS, identity.namespace, identity.pod)
        if seen is None or seen["metadata"].get("uid") != identity.uid:
            seen = self._api.get(PODS, identity.namespace, identity.pod)
        return seen if seen is not None and seen["metadata"].get("uid") == identity.uid else None
