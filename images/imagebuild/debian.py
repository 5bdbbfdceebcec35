"""The base image: pulled where public images are reachable, else made from Debian's archive.

Both have the same name and the same content: Debian's smallest installation, with the archive's
updates. The second one is made by debootstrap from the mirror that this machine itself uses.
"""

import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .catalog import BASE, ROOT
from .engines import Build, Engine
from .failure import BuildError
from .paths import LOGS
from .progress import step

SUITE = "trixie"
SOURCES = Path("/etc/apt")
# As in the public image: nothing that only a person at a terminal would read.
LEFT_OUT = (
    "dev",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)
NEEDED_FOLDERS = ("dev", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/log")
NO_DOCUMENTATION = "".join(
    f"path-exclude /{folder}/*\n" for folder in LEFT_OUT if folder.startswith("usr/share")
)


@dataclass(frozen=True)
class Mirrors:
    """The addresses of the archive and of its security updates."""

    archive: str
    security: str | None

    def sources(self) -> str:
        lines = [f"deb {self.archive} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
        if self.security is not None:
            lines.append(f"deb {self.security} {SUITE}-security main")
        return "\n".join(lines) + "\n"


def ensure(engine: Engine, cache: Path) -> None:
    """Puts the base image into the engine's storage, unless it is there."""
    if engine.has(BASE):
        return
    with step(f"pull {BASE}", about=10):
        pulled = engine.pull(BASE)
    if not pulled:
        with step(f"make {BASE} from Debian's archive, since it cannot be pulled", about=45):
            _bootstrap(engine, cache)


def _bootstrap(engine: Engine, cache: Path) -> None:
    mirrors = find_mirrors(read_sources(SOURCES))
    root, context = cache / "debian-root", cache / "debian"
    for folder in (root, context):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    _debootstrap(root, mirrors.archive)
    (root / "etc/apt/sources.list").write_text(mirrors.sources())
    (root / "etc/dpkg/dpkg.cfg.d/no-documentation").write_text(NO_DOCUMENTATION)
    pack(root, context / "rootfs.tar")
    shutil.copyfile(ROOT / "images/debian/Dockerfile", context / "Dockerfile")
    engine.build(Build(BASE, context, "Dockerfile", LOGS / "images-debian.log"))
    shutil.rmtree(root)
    shutil.rmtree(context)


def _debootstrap(root: Path, mirror: str) -> None:
    if not shutil.which("debootstrap"):
        raise BuildError(f"{BASE} cannot be pulled, and there is no debootstrap to make it")
    log = LOGS / "images-debootstrap.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["debootstrap", "--variant=minbase", SUITE, str(root), mirror]
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise BuildError(f"debootstrap failed; all of its output: {log}")


def pack(root: Path, target: Path) -> None:
    """Writes the tree as one layer without what is left out."""

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        out = any(
            entry.name == f"./{path}" or entry.name.startswith(f"./{path}/") for path in LEFT_OUT
        )
        return None if out else entry

    with tarfile.open(target, "w") as archive:
        archive.add(root, arcname=".", filter=wanted)
        for folder in NEEDED_FOLDERS:
            entry = tarfile.TarInfo(f"./{folder}")
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)


def read_sources(folder: Path) -> list[str]:
    """The lines of apt's own configuration, of both of its formats."""
    single = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]
    found = [*single, *sorted(folder.glob("sources.list.d/*.sources"))]
    return [line for path in found if path.is_file() for line in path.read_text().splitlines()]


def find_mirrors(lines: Iterable[str]) -> Mirrors:
    addresses = list(_addresses(lines))
    archive = next((one for one in addresses if one.endswith("/debian")), None)
    if archive is None:
        raise BuildError(f"{BASE} cannot be pulled, and {SOURCES} names no mirror of Debian")
    security = (one for one in addresses if one.endswith("/debian-security"))
    return Mirrors(archive, next(security, None))


def _addresses(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith(("deb ", "URIs:")):
            words = line.split()
            yield from (word.rstrip("/") for word in words if word.startswith(("http:", "https:")))
