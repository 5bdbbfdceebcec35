"""What is to be installed, from the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .kubectl import Kubectl
from .store import MINIO, Place

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Options:
    """The choices of one installation."""

    kubectl: Kubectl
    images: Path
    minio: bool
    place: Place | None
    namespaces: tuple[str, ...]
    closed: tuple[str, ...] | None
    uninstall: bool
    purge: bool
    timeout: int


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; exits with a usage line on a mistake."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.purge and not given.uninstall:
        parser.error("--purge goes with --uninstall")
    if not given.uninstall and given.minio == bool(given.store_endpoint):
        parser.error("give either --minio or --store-endpoint URL")
    return Options(
        kubectl=_kubectl(given),
        images=given.images,
        minio=given.minio,
        place=_place(given),
        namespaces=_names(given.namespaces),
        closed=_closed(given.network_policies),
        uninstall=given.uninstall,
        purge=given.purge,
        timeout=given.timeout,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _closed(text: str | None) -> tuple[str, ...] | None:
    """Give the namespaces with network policies; None where nothing was said."""
    if text is None:
        return None
    return () if text == "none" else _names(text)


def _kubectl(given: argparse.Namespace) -> Kubectl:
    flags = [f"--{name}={v}" for name in ("kubeconfig", "context") if (v := getattr(given, name))]
    return Kubectl(given.kubectl, tuple(flags))


def _place(given: argparse.Namespace) -> Place | None:
    if given.minio:
        return MINIO
    if not given.store_endpoint:
        return None
    certificate = given.store_ca.read_text(encoding="utf-8") if given.store_ca else None
    return Place(
        endpoint=given.store_endpoint,
        region=given.store_region,
        bucket=given.store_bucket,
        path_style=given.store_path_style == "true",
        certificate=certificate,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="install.py",
        description="Installs Tidemill with kubectl, or removes it. It can be repeated.",
    )
    parser.add_argument("--images", type=Path, default=ROOT / "build/images.json", metavar="FILE")
    parser.add_argument("--namespaces", default="", metavar="A,B", help="default: all of them")
    parser.add_argument(
        "--network-policies",
        metavar="A,B",
        help="limit what Tidemill's pods of these namespaces reach, and who reaches its own; "
        "`none` lifts it; default: as it is",
    )
    parser.add_argument("--timeout", type=int, default=300, metavar="SECONDS", help="of each wait")
    cluster = parser.add_argument_group("cluster")
    cluster.add_argument("--kubectl", default="kubectl", metavar="PROGRAM")
    cluster.add_argument("--kubeconfig", default="", metavar="FILE")
    cluster.add_argument("--context", default="", metavar="NAME")
    store = parser.add_argument_group(
        "object store",
        "The keys are taken from TIDEMILL_STORE_ACCESS_KEY and TIDEMILL_STORE_SECRET_KEY, or stand "
        "already in the Secret tidemill-store of the namespace tidemill-system.",
    )
    store.add_argument("--minio", action="store_true", help="install MinIO too: demo and tests")
    store.add_argument("--store-endpoint", default="", metavar="URL")
    store.add_argument("--store-region", default="us-east-1", metavar="NAME")
    store.add_argument("--store-bucket", default="tidemill", metavar="NAME")
    store.add_argument("--store-path-style", choices=["true", "false"], default="true")
    store.add_argument("--store-ca", type=Path, metavar="FILE", help="certificate, PEM")
    removal = parser.add_argument_group("removal")
    removal.add_argument("--uninstall", action="store_true", help="keeps objects and data")
    removal.add_argument("--purge", action="store_true", help="with --uninstall: keeps nothing")
    return parser
