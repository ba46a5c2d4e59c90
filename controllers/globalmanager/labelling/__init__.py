"""Labels by people, who are told what to look at next and settle it together, or by an oracle."""

from globalmanager.labelling.oracle import Oracle
from globalmanager.labelling.queue import Order, QueuedSample, labelling_queue
from globalmanager.labelling.service import label_sample

__all__ = [
    "Oracle",
    "Order",
    "QueuedSample",
    "label_sample",
    "labelling_queue",
]
