"""The commands about models: prove a package and its signature, show what it tells of itself."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tidemill.cli.data import Data
from tidemill.cli.failure import Exit, Failure
from tidemill.cli.flags import with_data
from tidemill.cli.models import Address, Package, Proved
from tidemill.cli.run_commands import complete_run
from tidemill.cli.runs import Runs
from tidemill.cli.tables import console, styled, table
from tidemill.cli.words import plain, short, size
from tidemill.store import signed
from tidemill.store.errors import PackageError
from tidemill.store.package import PackageManifest

NAME = 28
model_argument = click.argument("model", metavar="URI|RUN", shell_complete=complete_run)


@click.group()
def model() -> None:
    """Models: prove a package, show what it tells of itself."""


@dataclass(frozen=True)
class Signature:
    """Who signed a package, as far as that is known; `right` is None where no key was given."""

    key_id: str | None
    right: bool | None
    words: str


@model.command()
@model_argument
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key (PEM); one of those given must have signed the package.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
@with_data
def verify(data: Data, model: str, *, keys: tuple[Path, ...], output: str) -> None:
    """Prove each file of the package at URI, or that of RUN, and its signature: 1 where not."""
    found = _package(data, model)
    # Before anything large is read.
    believed = [_key(file) for file in keys]
    manifest = found.manifest()
    signature = _signature(found, manifest, believed)
    proved = list(found.prove(manifest, _progress(manifest)))
    if sys.stderr.isatty():
        click.echo("\r\x1b[2K", nl=False, err=True)
    right = signature.right is not False and not any(one.wrong for one in proved)
    if output == "json":
        click.echo(json.dumps(_told(found, proved, signature, right=right), indent=2))
    else:
        _show(found, proved, signature, right=right)
    click.get_current_context().exit(int(Exit.OK if right else Exit.REFUSED))


@model.command()
@model_argument
@click.option(
    "--part",
    type=click.Choice(["card", "metrics", "lineage", "signature", "environment"]),
    default="card",
    show_default=True,
    help="What is shown: the model card, or one of the package's documents as JSON.",
)
@with_data
def show(data: Data, model: str, *, part: str) -> None:
    """Show what the package at URI, or that of RUN, tells of itself, proved by its digest."""
    found = _package(data, model)
    name = "card.md" if part == "card" else f"{part}.json"
    content = found.proved(name, found.manifest())
    if part == "card":
        for line in content.decode(errors="replace").splitlines():
            click.echo(plain(line))
    else:
        click.echo(json.dumps(json.loads(content), indent=2))


def _package(data: Data, named: str) -> Package:
    """Find the package that is meant: by its address, or by the run that left it."""
    if "://" in named:
        address = Address.of(named)
    else:
        artifact = (Runs(data).run(named).get("status") or {}).get("artifact")
        if not artifact:
            raise Failure(Exit.REFUSED, f"run {named} has left no package: see `kubectl get tmrun`")
        address = Address.of(str(artifact["uri"]))
    if address.namespace != data.namespace:
        why = f"the package is of namespace {address.namespace}: add -n {address.namespace}"
        raise Failure(Exit.REFUSED, why)
    return Package(data, address)


def _key(file: Path) -> Any:  # noqa: ANN401 - imported where it is used: help must be quick
    from tidemill.store import signing  # noqa: PLC0415

    try:
        return signing.public_key(file.read_text(encoding="utf-8", errors="replace"))
    except signing.KeyRefused as error:
        raise Failure(Exit.REFUSED, f"{file}: {error}") from None


def _signature(found: Package, manifest: PackageManifest, keys: list[Any]) -> Signature:
    data = found.signature()
    if data is None:
        return Signature(None, False if keys else None, "not signed")
    if keys:
        from tidemill.store import signing  # noqa: PLC0415

        try:
            key = signing.verify(data, manifest, keys)
        except PackageError as error:
            return Signature(None, False, error.message)
        return Signature(key, True, f"signed by the key {short(key)}")
    try:
        hint = signed.parse(data).hint
    except PackageError as error:
        return Signature(None, False, error.message)
    words = f"says that the key {(hint or 'unknown')[:12]} signed it: prove it with --key"
    return Signature(f"sha256:{hint}" if hint else None, None, words)


def _progress(manifest: PackageManifest) -> Any:  # noqa: ANN401 - what is told of bytes as they come
    done = 0

    def seen(amount: int) -> None:
        nonlocal done
        done += amount
        if sys.stderr.isatty():
            told = f"{size(done)} of {size(manifest.total_bytes)}"
            click.echo(f"\r\x1b[2K{told}", nl=False, err=True)

    return seen


def _show(found: Package, proved: list[Proved], signature: Signature, *, right: bool) -> None:
    screen = console()
    screen.print(styled(f"{found.address.model} {short(found.address.digest)}", "bold"))
    shown = table("FILE", ">SIZE", "DIGEST", "WHAT")
    for one in proved:
        shown.add_row(
            plain(one.file.path, NAME),
            size(one.file.size) if one.file.digest else "",
            short(one.file.digest),
            styled(plain(one.wrong, 60) or "right", "red" if one.wrong else ""),
        )
    screen.print(shown)
    styles: dict[bool | None, str] = {True: "green", False: "red"}
    screen.print(styled(plain(signature.words), styles.get(signature.right, "")))
    verdict = "The package is what its digest says." if right else "Do not use it."
    screen.print(styled(verdict, "" if right else "red"))


def _told(
    found: Package, proved: list[Proved], signature: Signature, *, right: bool
) -> dict[str, Any]:
    return {
        "uri": found.address.uri,
        "digest": found.address.digest,
        "verified": right,
        "signature": {
            "keyId": signature.key_id,
            "verified": signature.right,
            "message": signature.words,
        },
        "files": [
            {
                "path": one.file.path,
                "digest": one.file.digest or None,
                "bytes": one.file.size,
                "verified": not one.wrong,
                **({"message": one.wrong} if one.wrong else {}),
            }
            for one in proved
        ],
    }
