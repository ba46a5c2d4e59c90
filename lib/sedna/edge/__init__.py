"""The inference worker of an edge device: serve a model, keep what it is bad at, take over better models.

    frame -> EdgeServer -> MinerPipeline (predict, mine, pick) -> Spool -> Uploader -> EdgeLink -> cloud
    cloud -> EdgeLink -> EdgeWorker (heartbeat) -> ModelSlot (fetch, verify, warm up, swap) -> frame

Needs the extra ``edge``. Importing it loads neither torch nor an inference engine: a runtime is chosen when a model
is opened.
"""

from sedna.common.extras import extra_needed

with extra_needed("edge", "sedna.edge"):
    from sedna.edge.http_link import HttpEdgeLink
    from sedna.edge.link import EdgeLink
    from sedna.edge.protocol import (
        DesiredJob,
        DesiredMiner,
        EdgeCounters,
        EdgeDesired,
        EdgeHeartbeat,
        EdgeJobStatus,
    )
    from sedna.edge.runtime import ModelRuntime, open_runtime
    from sedna.edge.serving import EdgeServer, serve
    from sedna.edge.settings import EdgeSettings, ServerLimits
    from sedna.edge.slot import ModelSlot, SlotStatus
    from sedna.edge.spool import DropPolicy, Spool
    from sedna.edge.uploader import Uploader, UploaderSettings
    from sedna.edge.worker import EdgeWorker

__all__ = [
    "DesiredJob",
    "DesiredMiner",
    "DropPolicy",
    "EdgeCounters",
    "EdgeDesired",
    "EdgeHeartbeat",
    "EdgeJobStatus",
    "EdgeLink",
    "EdgeServer",
    "EdgeSettings",
    "EdgeWorker",
    "HttpEdgeLink",
    "ModelRuntime",
    "ModelSlot",
    "ServerLimits",
    "SlotStatus",
    "Spool",
    "Uploader",
    "UploaderSettings",
    "open_runtime",
    "serve",
]
