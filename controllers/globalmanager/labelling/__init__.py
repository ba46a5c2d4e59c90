"""Labels: one by one from people, who are told what to look at next; from other tools' files; or from an oracle."""

from globalmanager.labelling.importer import ImportReport, import_labels
from globalmanager.labelling.oracle import Oracle
from globalmanager.labelling.queue import Order, QueuedSample, labelling_queue
from globalmanager.labelling.service import label_sample

__all__ = [
    "ImportReport",
    "Oracle",
    "Order",
    "QueuedSample",
    "import_labels",
    "label_sample",
    "labelling_queue",
]
