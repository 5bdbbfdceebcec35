"""A small tree to build from, and an engine that remembers what it was asked."""

from pathlib import Path

from images.imagebuild.building import Workshop
from images.imagebuild.catalog import BASE, IMAGES
from images.imagebuild.engines import Build
from images.imagebuild.inputs import Sources

DIGEST = f"sha256:{'1' * 64}"


class FakeEngine:
    """Has what was built, pulled or given; answers every push with one digest."""

    def __init__(self, *present: str, reachable: bool = True) -> None:
        self.present = set(present)
        self.reachable = reachable
        self.builds: list[Build] = []
        self.staged: dict[str, set[str]] = {}
        self.pushed: list[str] = []

    def has(self, name: str) -> bool:
        return name in self.present

    def pull(self, name: str) -> bool:
        if self.reachable:
            self.present.add(name)
        return self.reachable

    def build(self, build: Build) -> None:
        self.builds.append(build)
        self.present.add(build.name)
        files = (path for path in build.context.rglob("*") if path.is_file())
        self.staged[build.name] = {str(path.relative_to(build.context)) for path in files}

    def size(self, name: str) -> str:
        assert name in self.present
        return "12 MB"

    def push(self, name: str, target: str, log: Path) -> str:
        assert name in self.present
        assert log.suffix == ".log"
        self.pushed.append(target)
        return DIGEST


def tree(root: Path) -> Path:
    """Every Dockerfile and lock of the catalog, and a little code."""
    content = {
        "pyproject.toml": '[project]\nname = "tidemill"\nversion = "1.2.3"\n',
        "operator/tidemill/__init__.py": "",
        "operator/tidemill/store/objects.py": "",
        "operator/tidemill/stats/metrics.py": "",
        "operator/tidemill/wiring.py": "",
        "operator/tidemill/__pycache__/wiring.cpython-311.pyc": "",
        "images/installer/install_locked.py": "",
        "images/runner/tidemill_runner/__main__.py": "",
        "images/server/tidemill_server/__main__.py": "",
        "bin/minio": "the server",
    }
    for image in IMAGES:
        content[image.dockerfile] = f"FROM {BASE}\n"
        content[f"images/{image.name}/requirements.lock"] = "a==1\n"
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def workshop(root: Path, engine: FakeEngine) -> Workshop:
    sources = Sources(tree(root / "tree"), "1.2.3", {"minio": root / "tree/bin/minio"})
    return Workshop(engine, sources, root / "cache")
