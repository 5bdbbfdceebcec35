"""kubectl as a test uses it: manifests in, answers out, a refusal as an exception."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Body = dict[str, Any]


class RefusedError(Exception):
    """The API server, or kubectl before it, said no."""


@dataclass(frozen=True)
class Kubectl:
    """One kubectl against one API server."""

    program: str
    kubeconfig: Path

    def __call__(self, *arguments: str, body: Body | None = None) -> str:
        """Run a command; raises RefusedError with what it wrote to its standard error."""
        command = [self.program, f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(
            command,
            input=json.dumps(body) if body else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        if done.returncode:
            raise RefusedError(done.stderr.strip())
        return done.stdout

    def apply(self, body: Body, *flags: str) -> Body:
        """Apply a manifest; gives the object as the API server has it then."""
        return self._json("apply", "-f", "-", "-o", "json", *flags, body=body)

    def try_apply(self, body: Body, *flags: str) -> Body:
        """Apply a manifest without keeping anything."""
        return self.apply(body, "--dry-run=server", *flags)

    def get(self, *arguments: str) -> Body:
        """Read objects as JSON."""
        return self._json("get", *arguments, "-o", "json")

    def _json(self, *arguments: str, body: Body | None = None) -> Body:
        found: Body = json.loads(self(*arguments, body=body))
        return found
