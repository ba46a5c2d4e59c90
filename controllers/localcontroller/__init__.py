"""The edge node's helper of upstream-style workers: keeps their reports until the cloud has them, brings them models.

Run it with ``python -m localcontroller``, or in-process through `LocalController`. It needs ``sedna`` only, not the
global manager.
"""

from sedna.common.extras import extra_needed

with extra_needed("edge", "localcontroller"):
    from localcontroller.controller import LocalController
    from localcontroller.settings import HotUpdate, LocalControllerSettings
    from localcontroller.sink import HttpReportSink, ReportSink
    from sedna.core.report import WorkerReport

__all__ = [
    "HotUpdate",
    "HttpReportSink",
    "LocalController",
    "LocalControllerSettings",
    "ReportSink",
    "WorkerReport",
]
