import sedna.edge


def test_public_names():
    assert sedna.edge.__all__ == [
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
    assert all(hasattr(sedna.edge, name) for name in sedna.edge.__all__)
