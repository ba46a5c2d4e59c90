"""Label samples one by one: people, who are told what to look at next, or an oracle."""

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
