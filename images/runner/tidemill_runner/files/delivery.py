"""How the objects of a source are written, as far as its spec says."""

from dataclasses import dataclass

from tidemill_runner.files.dialect import OPEN, Dialect


@dataclass(frozen=True)
class Delivery:
    """What all objects under a prefix have in common."""

    format: str
    # What of a key is not a part of the delivery.
    prefix: str = ""
    csv: Dialect = OPEN
    # Whether folders of the form key=value are columns.
    hive: bool = False
    # Where the spec says so.
    field: str = "spec.source.s3"
