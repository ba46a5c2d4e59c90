"""Labels: one by one from people, from other tools' files, or from an oracle that knows the truth."""

from globalmanager.labelling.importer import ImportReport, import_labels
from globalmanager.labelling.oracle import Oracle
from globalmanager.labelling.service import label_sample

__all__ = ["ImportReport", "Oracle", "import_labels", "label_sample"]
