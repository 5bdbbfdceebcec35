"""Other model servers, started with the same model: MLServer, and KServe's around a few lines.

They are installed into environments beside this tree's, once, and so is what ours needs: in the
environment of the tree lie pandas, pytest and more, which scikit-learn and skops import where they
find them, and which no image has.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from tests.support.children import with_parent

ENVIRONMENTS = Path("build/peer-servers")
ELSEWHERE = Path(__file__).with_name("elsewhere")
SKLEARN = "scikit-learn==1.9.1"
REQUIREMENTS = {
    "MLServer": ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", SKLEARN),
    "KServe": ("kserve==0.21.0", "joblib", SKLEARN),
}


@dataclass(frozen=True)
class Peer:
    """One of them, and the folder with its models."""

    name: str
    python: Path
    models: Path

    def fitted(self, folder: str, name: str, write_rows: Callable[[Path], None]) -> "Peer":
        """The same with one model of these rows, in a folder of its own."""
        models = self.models / folder
        models.mkdir(exist_ok=True)
        write_rows(models / "rows.npz")
        program = str(ELSEWHERE / "peer_models.py")
        subprocess.run([str(self.python), program, str(models), name], check=True)
        return replace(self, models=models)

    def command(self, model: str, port: int) -> list[str]:
        """What starts it with one model."""
        folder = self.models / model
        if self.name == "KServe":
            program = str(ELSEWHERE / "kserve_server.py")
            return [str(self.python), program, model, str(folder / "model.joblib"), str(port)]
        ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        # With workers of its own it does not start on a fresh install of this version.
        settings = {**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False}
        (folder / "settings.json").write_text(json.dumps(settings))
        told = {
            "name": model,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "./model.joblib"},
        }
        (folder / "model-settings.json").write_text(json.dumps(told))
        return [str(self.python.with_name("mlserver")), "start", str(folder)]

    @contextmanager
    def running(self, model: str, port: int) -> Iterator[int]:
        """Start it; gives the process, which may not answer yet."""
        log = self.models / model / f"{self.name}.log"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        with log.open("wb") as out:
            process = subprocess.Popen(
                with_parent(*self.command(model, port)), env=environment, stdout=out, stderr=out
            )
        try:
            yield process.pid
        finally:
            process.kill()
            process.wait()


def installed(name: str, write_rows: Callable[[Path], None]) -> Peer | None:
    """Make its environment and its models; None where it cannot be had."""
    python = environment(name, REQUIREMENTS[name])
    if python is None:
        return None
    models = python.parents[1] / "models"
    models.mkdir(exist_ok=True)
    write_rows(models / "rows.npz")
    command = [str(python), str(ELSEWHERE / "peer_models.py"), str(models)]
    if subprocess.run(command, check=False).returncode:
        return None
    return Peer(name, python, models)


def environment(name: str, requirements: Iterable[str]) -> Path | None:
    """The Python of an environment that has these and nothing else; None where it cannot be had."""
    place = (ENVIRONMENTS / name).absolute()
    python, done = place / "bin" / "python", place / "installed"
    wanted = "\n".join(requirements)
    if not done.exists() or done.read_text() != wanted:
        listed = place.with_suffix(".txt")
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text(wanted)
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(place)],
            [str(python), "-m", "pip", "install", "--quiet", "-r", str(listed)],
        ):
            if subprocess.run(command, check=False).returncode:
                return None
        done.write_text(wanted)
    return python


def our_python() -> str:
    """One that has what the server's image has, in the releases of this environment.

    Raises SystemExit where it cannot be had: other figures would be those of another server.
    """
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = map(Requirement, project["optional-dependencies"]["server"])
    names = [one.name for one in asked if one.marker is None or one.marker.evaluate()]
    python = environment("Tidemill", [f"{name}=={version(name)}" for name in names])
    if python is None:
        raise SystemExit("what the server needs cannot be installed: is there a package index?")
    return str(python)
