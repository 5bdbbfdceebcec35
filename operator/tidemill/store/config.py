"""Where the object store is and with which keys: one file per field, as Kubernetes mounts them.

A ConfigMap holds the place and a Secret the keys; a Job or a server gets one Secret with both.
Directories given later win, field by field. No key ever appears in a repr or a message.
"""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FIELDS = (
    "endpoint",
    "region",
    "bucket",
    "path-style",
    "access-key",
    "secret-key",
    "session-token",
)
REQUIRED = ("endpoint", "bucket", "access-key", "secret-key")
CA_FILE = "ca.crt"
DEFAULT_REGION = "us-east-1"


class StoreConfigError(Exception):
    """The store's configuration is incomplete or wrong; the message names the file."""


@dataclass(frozen=True)
class StoreConfig:
    """A bucket and the right to use it."""

    endpoint: str
    region: str
    bucket: str
    path_style: bool = True
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @property
    def anonymous(self) -> bool:
        return not self.access_key

    @property
    def secure(self) -> bool:
        return self.endpoint.startswith("https://")

    @property
    def host(self) -> str:
        """The endpoint without its scheme, as minio wants it."""
        return urllib.parse.urlsplit(self.endpoint).netloc

    @classmethod
    def from_dirs(cls, *paths: str | Path) -> "StoreConfig":
        """Read the fields from mounted directories; raises StoreConfigError."""
        values: dict[str, str] = {}
        ca_file: str | None = None
        for directory in map(Path, paths):
            for name in FIELDS:
                file = directory / name
                if file.is_file():
                    values[name] = file.read_text(encoding="utf-8").strip()
            certificate = directory / CA_FILE
            if certificate.is_file() and certificate.stat().st_size > 0:
                ca_file = str(certificate)
        return cls.from_values(values, ca_file=ca_file, where=" or ".join(map(str, paths)))

    @classmethod
    def from_values(
        cls, values: Mapping[str, str], *, ca_file: str | None = None, where: str
    ) -> "StoreConfig":
        """Build from fields by their file names; `where` tells a reader where to correct them."""
        for name in REQUIRED:
            if not values.get(name):
                raise StoreConfigError(f"the store's configuration lacks {name!r} in {where}")
        return cls(
            endpoint=_endpoint(values["endpoint"], where),
            region=values.get("region") or DEFAULT_REGION,
            bucket=values["bucket"],
            path_style=_flag(values.get("path-style", ""), where),
            access_key=values["access-key"],
            secret_key=values["secret-key"],
            session_token=values.get("session-token") or None,
            ca_file=ca_file,
        )

    def to_values(self) -> dict[str, str]:
        """The fields by file name, as a Secret for a Job or a server holds them."""
        values = {
            "endpoint": self.endpoint,
            "region": self.region,
            "bucket": self.bucket,
            "path-style": "true" if self.path_style else "false",
            "access-key": self.access_key,
            "secret-key": self.secret_key,
        }
        if self.session_token:
            values["session-token"] = self.session_token
        if self.ca_file:
            values[CA_FILE] = Path(self.ca_file).read_text(encoding="utf-8")
        return values


def _endpoint(text: str, where: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise StoreConfigError(
            f"'endpoint' in {where} is {text!r}: it must be http://host[:port] or https://host[:port]"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _flag(text: str, where: str) -> bool:
    if text.lower() in ("", "true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise StoreConfigError(f"'path-style' in {where} is {text!r}: it must be true or false")
