"""Where bytes are kept: object stores, dataset versions, model versions."""

from sedna.store.base import ObjectInfo, ObjectStore, Source, check_key
from sedna.store.local import FolderStore
from sedna.store.s3_settings import S3Settings
from sedna.store.urls import open_store

__all__ = ["FolderStore", "ObjectInfo", "ObjectStore", "S3Settings", "Source", "check_key", "open_store"]
