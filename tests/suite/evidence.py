"""Keeps what a failed test leaves in the cluster, before the cluster goes."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

KINDS = "datasets,trainingruns,modeldeployments,jobs,pods,deployments,services,events"
SYSTEM = "tidemill-system"
OPERATOR = ("logs", "-n", SYSTEM, "deployment/tidemill-operator", "--tail=2000")
COMMANDS = {
    "objects.txt": ("get", KINDS, "--all-namespaces", "-o", "wide"),
    "objects.yaml": ("get", "datasets,trainingruns,modeldeployments", "-A", "-o", "yaml"),
    "events.txt": ("get", "events", "-A", "--sort-by=.lastTimestamp"),
    "operator.log": OPERATOR,
    "operator-previous.log": (*OPERATOR, "--previous"),
    "pods.txt": ("describe", "pods", "-A"),
}
LIMIT_SECONDS = 30


def collect(kubectl: Sequence[str], folder: Path) -> list[Path]:
    """Writes one file per question; a question that fails leaves its error in the file."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, arguments in COMMANDS.items():
        target = folder / name
        with target.open("wb") as stream:
            try:
                subprocess.run(
                    [*kubectl, *arguments],
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    check=False,
                    timeout=LIMIT_SECONDS,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                stream.write(str(error).encode())
        written.append(target)
    return written
