"""Runs a command with the chosen cluster: its kubeconfig, its registry, and a kubectl on the path.

    python3 images/with_cluster.py kubectl get pods
    python3 images/with_cluster.py --print      the same as JSON

CLUSTER chooses: `local` (the default), `current` with REGISTRY, or `kind`.
"""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from imagebuild.failure import BuildError, run
from imagebuild.target import Target, find


def variables(target: Target) -> dict[str, str]:
    found = {"KUBECONFIG": str(target.kubeconfig)}
    if target.registry is not None:
        found["REGISTRY"] = target.registry
    return found


def main() -> int:
    command = sys.argv[1:]
    if not command:
        raise BuildError(f"a command is expected\n\n{__doc__}")
    target = find()
    if command != ["--print"]:
        become(command, target)
    running = {"running": target.running, "kubectl": target.kubectl}
    sys.stdout.write(json.dumps(variables(target) | running, indent=2) + "\n")
    return 0


def become(command: list[str], target: Target) -> NoReturn:
    """Replaces this program, so that signals reach the command."""
    path = os.pathsep.join([str(Path(target.kubectl).parent), os.environ.get("PATH", "")])
    environment = os.environ | variables(target) | {"PATH": path}
    os.execvpe(command[0], command, environment)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    run(main)
