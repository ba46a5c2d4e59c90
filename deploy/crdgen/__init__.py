"""`deploy/crds` out of the pydantic models, by ``make crds``. A tool of this repository, and no part of the wheel."""
