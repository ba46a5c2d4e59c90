"""Taking things in: samples that edges upload, files that a Dataset names, labels that people bring."""

from globalmanager.ingest.intake import accept_sample, receive_sample
from globalmanager.ingest.label_import import ImportReport, ImportWish, import_labels

__all__ = ["ImportReport", "ImportWish", "accept_sample", "import_labels", "receive_sample"]
