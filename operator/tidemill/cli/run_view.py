"""What people see of runs: a line while one works, tables when it has ended."""

from collections.abc import Mapping
from typing import Any

import click

from tidemill.cli.comparison import Comparison, Measured
from tidemill.cli.tables import console, table
from tidemill.cli.words import plain

BAR = 24
VALUE = 28
Body = Mapping[str, Any]


def summary(run: Body) -> Body:
    """Give the condition that says how it stands; empty before there is one."""
    conditions = (run.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == "Succeeded"), {})


def outcome(run: Body) -> bool | None:
    """Tell whether the run has ended, and how: True, False, or None while it has not."""
    status = run.get("status") or {}
    if status.get("observedGeneration") != run["metadata"].get("generation"):
        return None
    if not status.get("completedAt"):
        return None
    return "failure" not in status


def line(run: Body) -> str:
    """Say in one line how far a run is: a bar, the share, what it does, for how long yet."""
    progress = (run.get("status") or {}).get("progress")
    found = summary(run)
    if not progress or found.get("reason") not in ("Training", None):
        return f"{plain(found.get('reason', 'Waiting'))}: {plain(found.get('message', ''))}"
    percent = int(progress["percent"])
    filled = BAR * percent // 100
    told = [f"[{'#' * filled}{'-' * (BAR - filled)}] {percent:3d} %"]
    told += [plain(progress[name]) for name in ("step", "message", "metric") if progress.get(name)]
    if progress.get("eta"):
        told.append(f"about {plain(progress['eta'])} left")
    attempt = (run.get("status") or {}).get("attempt")
    if attempt:
        told.append(f"attempt {attempt['number']} after {plain(attempt['reason'])}")
    return "  ".join(told)


def ended(run: Body) -> None:
    """Say how a run has ended, with its metrics."""
    click.echo(f"{summary(run).get('reason', '')}: {plain(summary(run).get('message', ''))}")
    metrics = (run.get("status") or {}).get("metrics") or ()
    if not metrics:
        return
    shown = table("METRIC", ">VALUE", "95 %", ">ROWS")
    for one in metrics:
        shown.add_row(
            plain(one["name"]), plain(one["value"]), _interval(one), f"{int(one['rows']):,}"
        )
    console().print(shown)


def compared(names: tuple[str, str], found: Comparison, *, everything: bool) -> None:
    """Show two runs side by side: what differs, and how good they are."""
    shown = table("PARAMETER", *(plain(name) for name in names))
    rows = [one for one in found.parameters if everything or not one.same]
    for one in rows:
        values = ("" if v is None else plain(v, VALUE) for v in (one.before, one.after))
        shown.add_row(plain(one.name), *values)
    if rows:
        console().print(shown)
    rest = sum(one.same for one in found.parameters)
    if not everything:
        click.echo(f"{rest} parameters are the same: see --all" if rest else "")
    measured = table("METRIC", *(f">{plain(name)}" for name in names), ">CHANGE")
    for metric in found.metrics:
        change = "" if metric.change is None else f"{metric.change:+.3g}"
        measured.add_row(plain(metric.name), *_values(metric), change)
    if found.metrics:
        console().print(measured)
    if not found.same_rows:
        click.echo("They were not measured on the same rows: the metrics do not compare.")


def _values(metric: Measured) -> list[str]:
    return [
        "" if one is None else f"{plain(one['value'])} {_interval(one)}".strip()
        for one in (metric.before, metric.after)
    ]


def _interval(metric: Body) -> str:
    low, high = (metric.get(end) for end in ("low", "high"))
    return f"({_short(low)} … {_short(high)})" if low and high else ""


def _short(value: object) -> str:
    return f"{float(str(value)):.3g}"
