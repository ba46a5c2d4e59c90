"""Taking a sample from an edge; the in-process edge link comes this way as well."""

from __future__ import annotations

from globalmanager.api.lookup import get_job
from globalmanager.api.services import ApiServices
from globalmanager.auth.principal import Principal
from globalmanager.ingest.images import inspect_image
from globalmanager.ingest.intake import accept_sample
from sedna.common.errors import DataError
from sedna.common.types import SampleRecord

__all__ = ["receive_sample"]


def receive_sample(services: ApiServices, caller: Principal, record: SampleRecord, image: bytes) -> bool:
    """Check who sends it and what the pixels say, then store one sample; it is safe when this returns.

    Returns:
        True if it is new, False if the job had it already.

    Raises:
        AuthError: the caller speaks for another edge.
        NotFoundError: there is no such job.
        DataError: record and bytes do not belong together, or the bytes are not a whole image.
        TooLargeError: too many pixels.
        TemporaryError: store or database are away, or full.
    """
    # In the order of their cost: the token, one query, and only then the decoding of the image.
    caller.require_edge(record.edge)
    with services.db.read() as session:
        get_job(session, record.job)
    facts = inspect_image(image, f"sample {record.sample_id}")
    if (facts.width, facts.height) != (record.width, record.height):
        raise DataError(
            f"the record says {record.width} x {record.height} pixels, the image has {facts.width} x {facts.height}",
            where="record.width, record.height",
        )
    return accept_sample(services.db, services.store, record, image, services.clock.now())
