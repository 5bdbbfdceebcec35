"""Where an ingest reads: one module for each kind of source, all alike behind `Origin`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidemill_runner import keys
from tidemill_runner.inputs import (
    DatasetVersion,
    HttpSource,
    IngestInput,
    InlineSource,
    PvcSource,
    S3Source,
    SqlSource,
)
from tidemill_runner.sources.inline import InlineOrigin
from tidemill_runner.sources.origin import Origin
from tidemill_runner.sources.pvc import PvcOrigin
from tidemill_runner.sources.s3 import S3Origin
from tidemill_runner.sources.sql import SqlOrigin
from tidemill_runner.sources.upstream import UpstreamOrigin
from tidemill_runner.sources.web import WebOrigin
from tidemill_runner.storage import Storage

__all__ = ["Origin", "opened"]


@contextmanager
def opened(document: IngestInput, store: Storage, secret: Path) -> Iterator[Origin]:
    """The source of an ingest; `secret` is the folder of the keys or headers that open it."""
    source, fingerprint = document.source, document.fingerprint
    match source:
        case InlineSource():
            yield InlineOrigin(source, fingerprint)
        case HttpSource():
            yield WebOrigin.of(source, fingerprint, secret)
        case DatasetVersion():
            yield UpstreamOrigin(store, source)
        case SqlSource():
            yield SqlOrigin.of(source, secret)
        case PvcSource():
            yield PvcOrigin(source)
        case S3Source():
            with Storage(keys.config(source, secret, store.config.ca_file)) as storage:
                yield S3Origin(storage, source, fingerprint)
