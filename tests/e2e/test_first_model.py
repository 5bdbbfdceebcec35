"""The first page that a new user reads, typed in as it stands: from a CSV to a judged model."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.world import World

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "first-model.md"
SECONDS = 800.0  # the page promises ten minutes, to somebody who reads as well


def test_what_the_page_says_ends_in_an_answer(world: World, tmp_path: Path) -> None:
    typed = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert "/namespaces/default/" in typed
    typed = typed.replace("/namespaces/default/", f"/namespaces/{world.namespace}/")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", typed],
        cwd=tmp_path,
        env=_environment(world, tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    (answer,) = json.loads(done.stdout.splitlines()[-1])["predictions"]
    assert answer["label"] in ("yes", "no")
    report = (tmp_path / "report.html").read_text()
    assert "Majority" in report
    (baseline,) = [
        one
        for one in world.read("TrainingRun", "mine-1")["status"]["judgement"]["baselines"]
        if one["name"] == "Majority"
    ]
    assert baseline["verdict"] == "Better"


def _environment(world: World, folder: Path) -> dict[str, str]:
    """A shell whose kubectl is in the namespace, and has the plugin."""
    file = folder / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(world.kubectl("config", "view", "--raw", "--flatten", "--minify"))
    here = (str(Path(world.kubectl.program).parent), str(Path(sys.executable).parent))
    path = os.pathsep.join((*here, os.environ["PATH"]))
    environment = {**os.environ, "KUBECONFIG": str(file), "PATH": path}
    command = ["kubectl", "config", "set-context", "--current", f"--namespace={world.namespace}"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return environment
