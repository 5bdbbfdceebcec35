"""Which model a run is to import, as its input document says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIELD = "spec.estimator.import"


@dataclass(frozen=True)
class Import:
    """A file (`key`) or a folder of MLflow's (`prefix`); `keys` is a folder with what opens it."""

    endpoint: str
    region: str
    bucket: str
    path_style: bool
    key: str | None
    prefix: str | None
    digest: str | None
    format: str
    classes: tuple[str, ...] | None
    keys: Path | None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key or self.prefix}"

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> "Import | None":
        if not document:
            return None
        return cls(
            endpoint=document["endpoint"],
            region=document.get("region") or "us-east-1",
            bucket=document["bucket"],
            path_style=document.get("pathStyle") is not False,
            key=document.get("key"),
            prefix=document.get("prefix"),
            digest=document.get("digest"),
            format=document.get("format") or "Auto",
            classes=tuple(document["classes"]) if document.get("classes") else None,
            keys=Path(document["keys"]) if document.get("keys") else None,
        )
