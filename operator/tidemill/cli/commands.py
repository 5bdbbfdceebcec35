"""The commands: arguments in, one question each, an answer for people or for programs."""

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tidemill.cli import columns, difference, proposal, tables, versions
from tidemill.cli.data import Data
from tidemill.cli.download import Download, places
from tidemill.cli.failure import Exit, Failure
from tidemill.cli.files import written
from tidemill.cli.flags import complete_name, complete_version, with_data, with_page
from tidemill.cli.words import plain, short, size
from tidemill.store.manifest import Manifest, ManifestError
from tidemill.store.manifest import parse as parse_manifest

MAX_HISTORY = 20_000
name_argument = click.argument("name", shell_complete=complete_name)
version_argument = click.argument(
    "version", default=versions.LATEST, shell_complete=complete_version
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="tidemill", message="%(version)s")
def root() -> None:
    """Look into what Tidemill keeps and does: data sets, their versions, training runs."""


@root.group()
def dataset() -> None:
    """Versions of data sets: list, fetch, compare, read.

    VERSION is a digest or its first digits (at least 6), `latest` (the version in use), or
    `rejected` (the newest delivery, where it was not let in).
    """


@dataset.command()
@name_argument
@click.option("--limit", type=click.IntRange(1, MAX_HISTORY), default=20, show_default=True)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
@with_data
def history(data: Data, name: str, limit: int, output: str) -> None:
    """List the versions of NAME, newest first."""
    status = data.dataset(name).get("status") or {}
    items, more = data.versions(name, limit)
    created = {item["version"]: item["createdAt"] for item in status.get("versions") or ()}
    for item in items:
        if item["version"] in created:
            item["createdAt"] = created[item["version"]]
    if output == "json":
        told = [{**item, "verdict": versions.verdict(item, status)} for item in items]
        _print_json({"items": told, "remaining": more})
        return
    tables.history(name, items, status)
    if more:
        click.echo(f"{more} older ones are not shown: see --limit", err=True)


@dataset.command()
@name_argument
@version_argument
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory; it is made where it is not there.",
)
@with_data
def get(data: Data, name: str, version: str, directory: Path) -> None:
    """Download the objects of VERSION into DIR, under their keys.

    Each is proved by its digest. What is there already and right is not fetched again, so that a
    download that was cut off is continued by the same command.
    """
    manifest = _manifest(data, name, versions.named(data, name, version))
    places(manifest.entries)
    watched = sys.stderr if sys.stderr.isatty() else io.StringIO()
    label = f"{plain(name)} {short(manifest.digest)}"
    with click.progressbar(length=manifest.total_bytes, label=label, file=watched) as bar:
        fetched = Download(data, name, directory, bar.update).run(manifest)
    objects = f"{len(manifest.entries)} objects, {size(fetched.bytes)}"
    known = f" ({fetched.kept} were there)" if fetched.kept else ""
    click.echo(f"{name} {short(manifest.digest)}: {objects}{known} in {directory}")
    if fetched.others:
        other = f"{fetched.others} other files lie in {directory}"
        click.echo(f"warning: {other}: they are not part of this version", err=True)


@dataset.command()
@name_argument
@click.argument("before", shell_complete=complete_version)
@click.argument("after", default=versions.LATEST, shell_complete=complete_version)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
@click.option("--exit-code", is_flag=True, help="End with 1 where a change is breaking.")
@with_data
def diff(data: Data, name: str, before: str, after: str, **flags: object) -> None:
    """Show what is different in AFTER (default: latest) against BEFORE, by importance."""
    names = versions.named(data, name, before), versions.named(data, name, after)
    old, new = (_profile(data, name, version) for version in names)
    changes = difference.compare(old, new)
    types = [
        {
            str(column["name"]): str(column["type"])
            for column in _columns(data, name, version)
            if column["name"] not in profile.columns
        }
        for version, profile in zip(names, (old, new), strict=True)
    ]
    known = {change.column for change in changes}
    changes += [one for one in difference.structure(*types) if one.column not in known]
    changes.sort(key=lambda one: (-one.importance, one.kind, one.column or ""))
    breaking = any(change.breaking for change in changes)
    if flags["output"] == "json":
        told = {
            "before": {"version": names[0], "rows": old.rows},
            "after": {"version": names[1], "rows": new.rows},
            "breaking": breaking,
            "changes": [change.to_dict() for change in changes],
        }
        _print_json(told)
    else:
        tables.diff((short(names[0]), short(names[1])), (old.rows, new.rows), changes)
    if flags["exit_code"] and breaking:
        click.get_current_context().exit(int(Exit.REFUSED))


@dataset.command()
@name_argument
@version_argument
@with_page("NAME-VERSION.html")
@with_data
def report(data: Data, name: str, version: str, *, file: Path | None, show: bool) -> None:
    """Write the report of VERSION: what is in it, its checks, what changed. One file of HTML."""
    digest = versions.named(data, name, version)
    page = data.document(name, digest, "report")
    written(file or Path(f"{name}-{short(digest)}.html"), page, show=show)


@dataset.command()
@name_argument
@version_argument
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml")
@with_data
def schema(data: Data, name: str, version: str, output: str) -> None:
    """Propose a spec.schema for the data of VERSION, to be pasted into the Dataset.

    Ranges have a margin of a tenth. Of sensitive columns no value is told.
    """
    digest = versions.named(data, name, version)
    try:
        found = proposal.propose(_columns(data, name, digest), _profile(data, name, digest))
    except ValueError as error:
        raise Failure(Exit.REFUSED, str(error)) from None
    if output == "json":
        _print_json(found)
    else:
        click.echo(proposal.to_yaml(found), nl=False)


def _manifest(data: Data, name: str, version: str) -> Manifest:
    """Read a manifest and prove that it is the version asked for."""
    text = data.document(name, version, "manifest")
    try:
        manifest = parse_manifest(text)
    except ManifestError as error:
        raise Failure(Exit.REFUSED, f"version {short(version)} of {name}: {error}") from None
    if not manifest.digest.startswith(f"sha256:{version.removeprefix('sha256:')}"):
        what = f"what arrived is version {short(manifest.digest)}, not {short(version)}"
        raise Failure(Exit.REFUSED, f"{name}: {what}: nothing is kept")
    return manifest


def _profile(data: Data, name: str, version: str) -> columns.Profile:
    try:
        return columns.parse(data.document(name, version, "profile"))
    except ValueError as error:
        raise Failure(Exit.REFUSED, f"version {short(version)} of {name}: {error}") from None


def _columns(data: Data, name: str, version: str) -> list[Mapping[str, Any]]:
    try:
        found: list[Mapping[str, Any]] = json.loads(data.document(name, version, "schema"))[
            "columns"
        ]
    except (ValueError, KeyError, TypeError) as error:
        why = f"the schema of version {short(version)} of {name} cannot be read"
        raise Failure(Exit.REFUSED, f"{why}: {error!r}") from None
    return found


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))
