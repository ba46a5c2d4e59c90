"""Labels by people, who are told what to look at next and settle it together, or by an oracle."""

from globalmanager.labelling.answering import AnswerResult, GivenAnswer, answer, withdraw
from globalmanager.labelling.claiming import Claims, ClaimWish, claim, draft_of, give_back, save_draft
from globalmanager.labelling.oracle import Oracle
from globalmanager.labelling.queue import Order, QueuedSample, labelling_queue
from globalmanager.labelling.service import label_sample

__all__ = [
    "AnswerResult",
    "ClaimWish",
    "Claims",
    "GivenAnswer",
    "Oracle",
    "Order",
    "QueuedSample",
    "answer",
    "claim",
    "draft_of",
    "give_back",
    "label_sample",
    "labelling_queue",
    "save_draft",
    "withdraw",
]
