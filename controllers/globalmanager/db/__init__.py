"""The database: tables, migrations, and repository functions by subject.

Use a module per subject inside a transaction of `Database`::

    with db.write() as session:
        job = jobs.get(session, key)
        samples.insert(session, job.id, record, clock.now())

Functions return frozen values; nothing of the database leaves the block.
"""

import globalmanager.db.label_tables  # noqa: F401  (its tables belong to the schema)
from globalmanager.db.database import Database

__all__ = ["Database"]
