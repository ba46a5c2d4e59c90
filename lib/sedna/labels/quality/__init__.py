"""How good labels are: agreement between people, what most of them say, and labels that look wrong.

Pure functions on numbers: who asked whom, and what becomes of a sample, is the service's.
"""

from sedna.labels.quality.box_errors import LabelQuality, box_label_quality, least_similarity, scaled_boxes
from sedna.labels.quality.boxes import BoxAgreement, BoxCluster, box_agreement, consensus_boxes
from sedna.labels.quality.dawid_skene import Consensus, class_consensus, dawid_skene
from sedna.labels.quality.errors import ClassErrors, find_class_errors
from sedna.labels.quality.kappa import cohen_kappa, fleiss_kappa

__all__ = [
    "BoxAgreement",
    "BoxCluster",
    "ClassErrors",
    "Consensus",
    "LabelQuality",
    "box_agreement",
    "box_label_quality",
    "class_consensus",
    "cohen_kappa",
    "consensus_boxes",
    "dawid_skene",
    "find_class_errors",
    "fleiss_kappa",
    "least_similarity",
    "scaled_boxes",
]
