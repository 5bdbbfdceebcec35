"""Where a pod has its input, its keys and its scratch space; the environment may say otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The files and folders of one run."""

    input: Path
    store: Path
    source: Path
    scratch: Path
    token: Path
    termination: Path
    work: Path
    state: Path
    code: Path = Path("/etc/tidemill/code")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Paths":
        def path(name: str, default: str) -> Path:
            return Path(environ.get(f"TIDEMILL_{name}") or default)

        return cls(
            input=path("INPUT", "/etc/tidemill/input/input.json"),
            store=path("STORE", "/etc/tidemill/store"),
            source=path("SOURCE", "/etc/tidemill/source"),
            scratch=path("SCRATCH", "/scratch"),
            token=path("TOKEN", "/var/run/tidemill/token"),
            termination=path("TERMINATION", "/dev/termination-log"),
            work=path("WORK", "/tidemill"),
            state=path("STATE", "/state"),
            code=path("CODE", "/etc/tidemill/code"),
        )
