from fixtures_s3 import s3_server
from fixtures_web import warning_filters_entered

__all__ = ["s3_server", "warning_filters_entered"]
