"""The definitions of the kinds: applied, and taken up by the API server.

One that was made a moment ago has `conditions: null`, over which `kubectl wait` stumbles in place
of waiting, so they are asked for here.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .failure import InstallError
from .kubectl import Kubectl

POLL_SECONDS = 0.3


def establish(kubectl: Kubectl, folder: Path, seconds: float) -> None:
    """Apply all definitions of a folder and wait until objects of them are taken."""
    kubectl.apply_files(folder)
    deadline = time.monotonic() + seconds
    while waiting := _not_established(kubectl, folder):
        if time.monotonic() > deadline:
            names = ", ".join(waiting)
            raise InstallError(
                f"not Established after {seconds:.0f} s: {names}; `kubectl describe crd` says why"
            )
        time.sleep(POLL_SECONDS)


def _not_established(kubectl: Kubectl, folder: Path) -> list[str]:
    found = json.loads(kubectl.run("get", "-f", str(folder), "-o", "json"))
    return [body["metadata"]["name"] for body in found["items"] if not _established(body)]


def _established(body: Mapping[str, Any]) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
