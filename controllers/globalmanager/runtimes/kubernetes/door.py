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
        identity = review_token(self._api, token, self._audience)
        pod = self._pod(identity)
        if pod is None or WORKER_LABEL not in (pod["metadata"].get("labels") or {}):
            raise AuthError(
                "this Pod is no worker, or not any more",
                where=f"Pod {identity.namespace}/{identity.pod}",
                hint="a token is worth as much as its Pod",
                forbidden=True,
            )
        handle = handle_of(pod)
        if handle.place["pod"] != pod["metadata"]["name"] and not self._belongs(pod, handle):
            raise AuthError(
                "this Pod does not belong to the first one of its training, or that one is gone",
                where=f"Pod {identity.namespace}/{identity.pod}",
                hint=f"it would be owned by Pod {handle.place['pod']}",
                forbidden=True,
            )
        return handle

    def program(self, worker: WorkerHandle) -> ProgramState:
        """How the program of a worker is."""
        body = self._view.get(PODS, worker.place.get("namespace", ""), worker.place.get("pod", ""))
        ended = None if body is None else Pod(body).ended
        return ProgramState() if ended is None else ProgramState(ended=True, exit_code=int(ended.get("exitCode", -1)))

    def _belongs(self, pod: Body, handle: WorkerHandle) -> bool:
        """Whether the first Pod of a training is the owner of this one."""
        owners = {one.get("uid") for one in pod["metadata"].get("ownerReferences") or ()}
        place = handle.place["namespace"], handle.place["pod"]
        # What this replica has seen may be old; its refusal would be the end of the attempt.
        for first in (self._view.get(PODS, *place), self._api.get(PODS, *place)):
            if first is not None and first["metadata"].get("uid") in owners:
                return True
        return False

    def _pod(self, identity: PodIdentity) -> Body | None:
        """The Pod of this very uid. A token outlives its Pod by moments, and another one may have the name."""
        seen = self._view.get(PODS, identity.namespace, identity.pod)
        if seen is None or seen["metadata"].get("uid") != identity.uid:
            seen = self._api.get(PODS, identity.namespace, identity.pod)
        return seen if seen is not None and seen["metadata"].get("uid") == identity.uid else None
