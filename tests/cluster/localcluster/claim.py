"""One cluster per machine: pod addresses, the bridge and kube-proxy's tables can have one owner.

The claim names the owner. It is void when the state that it names is gone.
"""

import json
from pathlib import Path

from .failure import ClusterError
from .layout import RUN, Layout

CLAIM = RUN / "claim.json"


def take(layout: Layout, claim: Path = CLAIM) -> None:
    """Makes this cluster the machine's, or says which one is."""
    wanted = {"name": layout.name, "state": str(layout.state.parent)}
    found = read(claim)
    if found is not None and found != wanted:
        raise ClusterError(refusal(found))
    claim.parent.mkdir(parents=True, exist_ok=True)
    claim.write_text(json.dumps(wanted))


def release(layout: Layout, claim: Path = CLAIM) -> None:
    if read(claim) == {"name": layout.name, "state": str(layout.state.parent)}:
        claim.unlink()


def read(claim: Path = CLAIM) -> dict[str, str] | None:
    try:
        found: dict[str, str] = json.loads(claim.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return found if Path(found["state"], found["name"]).is_dir() else None


def refusal(found: dict[str, str]) -> str:
    stop = f"TIDEMILL_STATE={found['state']} python3 tests/cluster/down.py --name {found['name']}"
    return (
        f"the cluster {found['name']!r} (state in {found['state']}) has this machine, and a "
        f"machine can have one. Use it, or end it first with: {stop}"
    )
