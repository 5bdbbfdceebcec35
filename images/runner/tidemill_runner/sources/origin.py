"""What an ingest needs of a source, whatever its kind."""

from pathlib import Path
from typing import Protocol

from tidemill.store.objects import ObjectInfo
from tidemill_runner.failures import Failure
from tidemill_runner.files.delivery import Delivery
from tidemill_runner.storage import Seen


class Origin(Protocol):
    """A source, open for reading."""

    @property
    def where(self) -> str:
        """What is read, for a message."""
        ...

    @property
    def delivery(self) -> Delivery:
        """How the objects are written; keys in the manifest are relative to its prefix."""
        ...

    def objects(self) -> list[ObjectInfo]:
        """The data; SourceChanged unless it is what the operator has seen.

        A size is 0 where the source does not tell it before it is read.
        """
        ...

    def fetch(self, info: ObjectInfo, path: Path, seen: Seen) -> str:
        """Copy an object to a file and give its digest; SourceChanged where it is another one."""
        ...


def changed(detail: str) -> Failure:
    return Failure("SourceChanged", f"{detail}: it is read again once the source settles")
