"""kubectl: the only way in which the installation touches a cluster."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .failure import InstallError

Body = dict[str, Any]
FIELD_MANAGER = "tidemill-install"
SERVER_SIDE = ("--server-side", "--force-conflicts", f"--field-manager={FIELD_MANAGER}")


@dataclass(frozen=True)
class Kubectl:
    """One kubectl for one cluster."""

    program: str = "kubectl"
    flags: tuple[str, ...] = ()

    def run(self, *arguments: str, body: Body | None = None) -> str:
        """Run a command; what it writes to its standard error becomes the error."""
        done = self._start(arguments, body)
        if done.returncode:
            command = " ".join(("kubectl", *arguments))
            raise InstallError(f"`{command}` failed:\n{done.stderr.strip()}")
        return done.stdout

    def try_run(self, *arguments: str) -> str:
        """Run a command for what it tells, be it an error."""
        done = self._start(arguments, None)
        return (done.stdout + done.stderr).strip()

    def apply_folder(self, folder: Path) -> None:
        """Apply a kustomization."""
        self.run("apply", *SERVER_SIDE, "-k", str(folder))

    def apply_files(self, folder: Path) -> None:
        """Apply every manifest of a folder."""
        self.run("apply", *SERVER_SIDE, "-f", str(folder))

    def apply(self, body: Body) -> None:
        """Apply one object that stands in no file."""
        self.run("apply", *SERVER_SIDE, "-f", "-", body=body)

    def get(self, *arguments: str) -> Body | None:
        """Read an object, or None when there is none."""
        text = self.run("get", *arguments, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def delete(self, *arguments: str) -> None:
        """Delete what is there."""
        self.run("delete", "--ignore-not-found", *arguments)

    def _start(
        self, arguments: Sequence[str], body: Body | None
    ) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self.program, *self.flags, *arguments],
                input=json.dumps(body) if body else None,
                stdin=None if body else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise InstallError(f"{self.program} is not there: install kubectl") from error
