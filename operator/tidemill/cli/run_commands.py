"""The commands about runs: watch one, read its log and report, put two side by side."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from tidemill.cli import comparison, run_view
from tidemill.cli.data import Broken, Data
from tidemill.cli.failure import Exit, Failure
from tidemill.cli.files import written
from tidemill.cli.flags import data_of, show_option, with_data, with_page
from tidemill.cli.runs import Runs
from tidemill.cli.words import plain
from tidemill.pages import compare as pages
from tidemill.pages.compare import MOST_RUNS

ERASED = "\r\x1b[2K"
WAITING = "Pending"


def complete_run(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the runs of the namespace; whatever fails, there is nothing to complete by."""
    try:
        found = Runs(data_of(context)).list()
    except Exception:
        return []
    names = [one["metadata"]["name"] for one in found]
    return [CompletionItem(name) for name in names if name.startswith(begun)]


run_argument = click.argument("name", shell_complete=complete_run)


@click.group()
def run() -> None:
    """Training runs: watch, read, compare."""


@run.command()
@run_argument
@with_data
def watch(data: Data, name: str) -> None:
    """Show how far NAME is until it has ended; ends with 1 where it has failed."""
    live, last = sys.stdout.isatty(), ""
    room = shutil.get_terminal_size().columns - 1 if live else 0
    for body in _states(Runs(data), name):
        told = plain(run_view.line(body), room)
        outcome = run_view.outcome(body)
        if outcome is not None:
            click.echo(ERASED if live else "", nl=False)
            run_view.ended(body)
            click.get_current_context().exit(int(Exit.OK if outcome else Exit.REFUSED))
        if told != last:
            # In a terminal one line is written over and over; elsewhere each stays.
            click.echo(f"{ERASED}{told}" if live else told, nl=not live)
            last = told


def _states(runs: Runs, name: str) -> Iterator[dict[str, Any]]:
    """Give the states of a run, going on where a connection breaks."""
    while True:
        try:
            yield from runs.states(name)
        except Broken:
            runs.data.pause(1.0)


@run.command()
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Go on while the pod works.")
@with_data
def logs(data: Data, name: str, *, follow: bool) -> None:
    """Write the log of NAME: its pod's while there is one, else the one that was kept."""
    runs = Runs(data)
    body = runs.run(name)
    status = body.get("status") or {}
    pod = runs.pod(str(status["job"])) if status.get("job") else None
    if pod is None:
        for line in runs.log_left(body):
            click.echo(plain(line))
        return
    if pod.get("status", {}).get("phase") == WAITING:
        why = f"the pod of {name} has not started: {plain(run_view.line(body))}"
        raise Failure(Exit.REFUSED, why)
    try:
        for line in runs.pod_log(pod["metadata"]["name"], follow=follow):
            click.echo(plain(line))
    except Broken:
        raise Failure(Exit.UNREACHABLE, "the connection broke: try again") from None


@run.command()
@run_argument
@with_page("NAME.html")
@with_data
def report(data: Data, name: str, *, file: Path | None, show: bool) -> None:
    """Write the report of NAME: what was trained, on what, how good it is. One file of HTML."""
    runs = Runs(data)
    body = runs.run(name)
    if not (body.get("status") or {}).get("report"):
        why = f"run {name} has no report: {run_view.line(body)}"
        raise Failure(Exit.REFUSED, why)
    written(file or Path(f"{name}.html"), runs.left(body, "report"), show=show)


@run.command()
@click.argument("names", metavar="A B [C]...", nargs=-1, required=True, shell_complete=complete_run)
@click.option("--all", "everything", is_flag=True, help="Show what is the same as well.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
@click.option(
    "--html",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with all that was judged, also of more than two runs.",
)
@show_option
@with_data
def compare(data: Data, names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - the options above
    """Put runs side by side: what they were asked for, and how good they are."""
    if file := flags["file"]:
        if not 2 <= len(names) <= MOST_RUNS:
            raise click.UsageError(f"from 2 to {MOST_RUNS} runs can be compared on a page")
        found = [_judged(Runs(data), name) for name in names]
        written(file, pages.compare(found).encode(), show=flags["show"])
        return
    if len(names) != 2:
        raise click.UsageError("two runs are put side by side here: give --html FILE for others")
    if flags["show"]:
        raise click.UsageError("--open shows a page: give --html FILE")
    _beside(Runs(data), *names, **flags)


def _beside(runs: Runs, a: str, b: str, **flags: Any) -> None:  # noqa: ANN401 - a command's options
    found = comparison.compare(runs.run(a), runs.run(b))
    if flags["output"] == "json":
        click.echo(json.dumps({"a": a, "b": b, **found.to_dict()}, indent=2))
    else:
        run_view.compared((a, b), found, everything=flags["everything"])


def _judged(runs: Runs, name: str) -> pages.Run:
    """Give a run with what was judged of it; raises Failure where it has no result."""
    body = runs.run(name)
    if not (body.get("status") or {}).get("metrics"):
        why = f"run {name} has no result to compare: {run_view.line(body)}"
        raise Failure(Exit.REFUSED, why)
    try:
        result = json.loads(runs.left(body, "result"))
    except ValueError:
        raise Failure(Exit.REFUSED, f"the result of run {name} is damaged") from None
    if not isinstance(result, dict) or not {"metrics", "artifact"} <= result.keys():
        raise Failure(Exit.REFUSED, f"the result of run {name} is damaged")
    return pages.Run(name, result, body.get("spec") or {})
