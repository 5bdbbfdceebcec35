"""The kubectl plugin as a program of its own, run with somebody's kubeconfig."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.apiserver.kubectl import Kubectl
from tests.e2e.world import World

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    code: int
    out: str
    err: str


def plugin(world: World, kubeconfig: Path, *arguments: str, group: str = "dataset") -> Ended:
    """Run `kubectl tidemill GROUP …` in a namespace."""
    command = [sys.executable, "-m", "tidemill.cli", group, *arguments]
    command += ["--kubeconfig", str(kubeconfig), "-n", world.namespace]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), "COLUMNS": "80"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def user(world: World, name: str, role: str | None, folder: Path) -> Path:
    """Make a user with one of Kubernetes' own roles in the namespace; gives the kubeconfig."""
    where = ("-n", world.namespace)
    world.kubectl("create", "serviceaccount", name, *where)
    if role is not None:
        account = f"{world.namespace}:{name}"
        flags = (f"--clusterrole={role}", f"--serviceaccount={account}")
        world.kubectl("create", "rolebinding", name, *flags, *where)
    token = world.kubectl("create", "token", name, *where).strip()
    file = folder / f"{name}.kubeconfig"
    file.touch(mode=0o600)
    text = world.kubectl("config", "view", "--raw", "--flatten", "--minify")
    file.write_text(text)
    theirs = Kubectl(world.kubectl.program, file)
    theirs("config", "set-credentials", name, f"--token={token}")
    theirs("config", "set-context", "--current", f"--user={name}")
    return file
