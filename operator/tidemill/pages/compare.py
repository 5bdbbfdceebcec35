"""Runs beside each other: one HTML file made from their results, nothing from elsewhere.

Only what the results hold is known here, not the predictions: each number has its own interval, and
no difference is paired. On other data or other rows held out numbers do not compare, which is said.
"""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from tidemill.pages import page, svg
from tidemill.pages.interval import interval
from tidemill.pages.overlap import overlap, worth_telling

MOST_RUNS = 12
MOST_FEATURES = 20
MOST_PARTS = 200
MOST_DIFFERENCES = 100
_NAME = 60

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A run by its name, its `result.json`, and its spec where that is at hand."""

    name: str
    result: Document
    spec: Document = field(default_factory=dict)


def compare(runs: Sequence[Run]) -> str:
    """The page; raises ValueError for fewer than two runs, or more than `MOST_RUNS`."""
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"from 2 to {MOST_RUNS} runs can be compared, not {len(runs)}")
    title = " · ".join(svg.short(run.name, _NAME) for run in runs)
    return page.document(
        title,
        [
            f"<h1>{escape(title)}</h1>",
            _comparable(runs),
            _metrics(runs),
            _baselines(runs),
            _parts(runs),
            _fairness(runs),
            _importance(runs),
            _warnings(runs),
            _differences(runs),
            _facts(runs),
        ],
        (page.STYLE, page.JUDGEMENT),
    )


def _comparable(runs: Sequence[Run]) -> str:
    doubts = []
    if len({run.result.get("datasetVersion") for run in runs}) > 1:
        doubts.append("They were trained and measured on different versions of data.")
    if len({_held(run) for run in runs}) > 1:
        doubts.append("Different numbers of rows were held out.")
    splits = {json.dumps([run.spec.get(k) for k in ("split", "seed")]) for run in runs if run.spec}
    if len(splits) > 1:
        doubts.append("Rows were held out in different ways.")
    doubts.extend(_shared(runs))
    note = (
        "Each interval is of 95 % confidence and stands for itself: where two overlap, this page "
        "does not tell which run is better."
    )
    items = "".join(f'<li class="warn">{escape(one)}</li>' for one in doubts)
    return (f"<ul>{items}</ul>" if items else "") + f"<p>{note}</p>"


def _shared(runs: Sequence[Run]) -> Iterable[str]:
    """Say whose rows held out another run was trained on: there it looks better than it is."""
    for trained, held in itertools.permutations(runs, 2):
        found = overlap(trained.result, held.result)
        if found is not None and worth_telling(found):
            yield (
                f"{trained.name} was trained on rows that {held.name} holds out: "
                f"{found.known:,} of {found.looked:,} looked at."
            )


def _metrics(runs: Sequence[Run]) -> str:
    names = _union([m["name"] for m in run.result["metrics"]] for run in runs)
    rows = []
    for name in names:
        found = [(run, m) for run in runs for m in run.result["metrics"] if m["name"] == name]
        scale = _scale([end for _, m in found for end in (m["low"], m["high"])])
        rows += [_measured(name, run.name, one, scale) for run, one in found]
    heads = ("Metric", "Run", "#Value", "95 % interval", "")
    return "<h2>Metrics</h2>" + page.table(heads, rows)


def _measured(name: str, run: str, one: Document, scale: tuple[float, float]) -> list[str]:
    return [
        page.cell(name),
        page.cell(svg.short(run, _NAME)),
        page.cell(_number(one["value"]), number=True),
        page.cell(f"{_number(one['low'])} – {_number(one['high'])}"),
        f"<td>{interval(one['value'], one['low'], one['high'], scale)}</td>",
    ]


def _baselines(runs: Sequence[Run]) -> str:
    names = _union([one["name"] for one in _judged(run, "baselines")] for run in runs)
    rows = [
        _against(name, run.name, one["against"][0])
        for name in names
        for run in runs
        for one in _judged(run, "baselines")
        if one["name"] == name and one["against"]
    ]
    if not rows:
        return ""
    heads = ("Baseline", "Run", "Metric", "#Baseline", "#Model less it", "Model is")
    return "<h2>Beside simple models</h2>" + page.table(heads, rows)


def _against(name: str, run: str, one: Document) -> list[str]:
    kind = {"Better": "good", "Worse": "bad"}.get(one["verdict"], "warn")
    return [
        page.cell(name),
        page.cell(svg.short(run, _NAME)),
        page.cell(one["metric"]),
        page.cell(_number(one["baseline"]["value"]), number=True),
        page.cell(_number(one["difference"]["value"]), number=True),
        f'<td class="{kind}">{escape(one["verdict"].lower())}</td>',
    ]


def _parts(runs: Sequence[Run]) -> str:
    """The parts that several runs judged, one below the other."""
    rows = []
    columns = _union([one["column"] for one in _judged(run, "slices")] for run in runs)
    for column in columns:
        found = [
            (run.name, one["metric"], part)
            for run in runs
            for one in _judged(run, "slices")
            if one["column"] == column
            for part in one["parts"]
        ]
        for name in _union([[part["name"]] for _, _, part in found]):
            rows += [
                _part(f"{column}: {name}", run, metric, part)
                for run, metric, part in found
                if part["name"] == name
            ]
    if not rows:
        return ""
    heads = ("Part", "Run", "#Rows", "Metric", "#Value", "95 % interval", "")
    left = len(rows) - MOST_PARTS
    more = f"<p>{left:,} lines are left out.</p>" if left > 0 else ""
    return "<h2>Parts of the data</h2>" + page.table(heads, rows[:MOST_PARTS]) + more


def _part(name: str, run: str, metric: str, part: Document) -> list[str]:
    one = part["estimate"]
    return [
        page.cell(svg.short(name, 2 * _NAME)),
        page.cell(svg.short(run, _NAME)),
        page.cell(f"{part['n']:,}", number=True),
        page.cell(metric),
        page.cell(_number(one["value"]) if one else "not defined", number=True),
        page.cell(f"{_number(one['low'])} – {_number(one['high'])}" if one else ""),
        '<td class="warn">worse</td>' if part["worse"] else "<td></td>",
    ]


def _fairness(runs: Sequence[Run]) -> str:
    rows = []
    for key in _union([[_key(one) for one in _judged(run, "fairness")] for run in runs]):
        for run in runs:
            rows += [_fair(run.name, one) for one in _judged(run, "fairness") if _key(one) == key]
    if not rows:
        return ""
    heads = ("Groups by", "Difference", "Run", "#Value", "95 % interval", "#Wanted", "Verdict")
    return "<h2>Fairness</h2>" + page.table(heads, rows)


def _key(one: Document) -> str:
    return json.dumps([one["sensitive"], one["metric"]])


def _fair(run: str, one: Document) -> list[str]:
    kind = {"Successful": "good", "Failed": "bad"}.get(one["verdict"], "warn")
    known = one["value"] is not None
    return [
        page.cell(svg.short(one["sensitive"], _NAME)),
        page.cell(one["metric"]),
        page.cell(svg.short(run, _NAME)),
        page.cell(_number(one["value"]) if known else "", number=True),
        page.cell(f"{_number(one['low'])} – {_number(one['high'])}" if known else one["note"]),
        page.cell(f"≤ {one['max']}", number=True),
        f'<td class="{kind}">{escape(one["verdict"])}</td>',
    ]


def _importance(runs: Sequence[Run]) -> str:
    """By feature, the most important ones of any run."""
    known: dict[str, dict[str, float]] = {}
    for run in runs:
        explained = (run.result.get("judgement") or {}).get("explained") or {}
        for one in explained.get("importance", ()):
            known.setdefault(one["feature"], {})[run.name] = one["mean"]
    if not known:
        return ""
    order = sorted(known, key=lambda feature: (-max(known[feature].values()), feature))
    rows = (
        [
            page.cell(svg.short(feature, _NAME)),
            *(_mean(known[feature].get(run.name)) for run in runs),
        ]
        for feature in order[:MOST_FEATURES]
    )
    heads = ["Feature", *(f"#{svg.short(run.name, 30)}" for run in runs)]
    words = "By how much the first metric of each run worsens where the feature is shuffled."
    return f"<h2>What they go by</h2><p>{words}</p>" + page.table(heads, rows)


def _mean(value: float | None) -> str:
    return page.cell("" if value is None else _number(value), number=True)


def _warnings(runs: Sequence[Run]) -> str:
    rows = [
        [page.cell(svg.short(run.name, _NAME)), page.cell(str(words))]
        for run in runs
        for words in _judged(run, "warnings")
    ]
    return "<h2>Warnings</h2>" + page.table(("Run", "Warning"), rows) if rows else ""


def _differences(runs: Sequence[Run]) -> str:
    """What the specs do not have in common."""
    flat = [dict(_flat(run.spec)) for run in runs]
    names = [
        name
        for name in _union([list(one) for one in flat])
        if len({one.get(name, "") for one in flat}) > 1
    ]
    if not names:
        return ""
    rows = (
        [_code(name), *(_code(svg.short(one.get(name, ""), 200)) for one in flat)]
        for name in names[:MOST_DIFFERENCES]
    )
    heads = ["Field", *(svg.short(run.name, 30) for run in runs)]
    return "<h2>What was asked differently</h2>" + page.table(heads, rows)


def _code(text: str) -> str:
    return f"<td><code>{escape(text)}</code></td>"


def _flat(value: object, path: str = "spec") -> Iterable[tuple[str, str]]:
    """The leaves of a spec by their paths; what is in lists goes by its name, if it has one."""
    if isinstance(value, Mapping):
        for name in sorted(value):
            yield from _flat(value[name], f"{path}.{name}")
    elif isinstance(value, Sequence) and not isinstance(value, str) and _named(value):
        for one in value:
            yield from _flat(one, f"{path}[{one['name']}]")
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _named(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(one, Mapping) and "name" in one for one in values)


def _facts(runs: Sequence[Run]) -> str:
    heads = ["", *(svg.short(run.name, 30) for run in runs)]
    lines = {
        "Data version": [str(run.result.get("datasetVersion", ""))[:19] for run in runs],
        "Model": [str(run.result["artifact"]["digest"])[:19] for run in runs],
        "Model's bytes": [f"{run.result['artifact']['bytes']:,}" for run in runs],
        "Rows held out": [f"{_held(run):,}" for run in runs],
        "Features": [f"{len(run.result.get('features', ())):,}" for run in runs],
        "Seconds of fitting": [
            f"{run.result.get('seconds', {}).get('fit', 0):,.1f}" for run in runs
        ],
    }
    rows = ([page.cell(name), *map(page.cell, values)] for name, values in lines.items())
    return "<h2>Facts</h2>" + page.table(heads, rows)


def _judged(run: Run, part: str) -> Sequence[Any]:
    return (run.result.get("judgement") or {}).get(part) or ()


def _held(run: Run) -> int:
    return int(run.result.get("rows", {}).get("holdout", 0))


def _union(lists: Iterable[Iterable[str]]) -> list[str]:
    """All names once, in the order in which they come."""
    return list(dict.fromkeys(name for names in lists for name in names))


def _scale(values: Sequence[float]) -> tuple[float, float]:
    air = (max(values) - min(values)) * 0.1
    return min(values) - air, max(values) + air


def _number(value: float) -> str:
    return f"{value:.4g}"
