"""The judgement as parts of a report."""

from collections.abc import Iterable
from html import escape

from tidemill.pages import page, svg
from tidemill.pages.interval import interval
from tidemill.stats import catalog
from tidemill.stats.calibration import Calibration
from tidemill.stats.curves import Curves
from tidemill.stats.estimate import Estimate
from tidemill.stats.residuals import Residuals
from tidemill_runner.judgement import explain, fairness, slices
from tidemill_runner.judgement.baselines import Against
from tidemill_runner.judgement.explain import Dependence, Explained
from tidemill_runner.judgement.findings import Finding, findings, number
from tidemill_runner.judgement.judge import Judged
from tidemill_runner.judgement.plots import Frame, kind_of, scale
from tidemill_runner.profile.groups import MIN_ROWS

_NAME = 80
MOST_FEATURES = 30


def summary(judged: Judged) -> str:
    """What the judgement says, in sentences."""
    found = findings(judged)
    if not found:
        return ""
    return f"<h2>In short</h2><ul>{''.join(map(_sentence, found))}</ul>"


def _sentence(one: Finding) -> str:
    return f'<li class="{one.kind}">{escape(one.words)}</li>'


def baselines(judged: Judged) -> str:
    """Each baseline by each metric, and the model's difference to it."""
    if not judged.baselines:
        return ""
    rows = [
        [page.cell(one.name), *_against(against)]
        for one in judged.baselines
        for against in one.against
    ]
    heads = ("Baseline", "Metric", "#Baseline", "#Model less it", "95 % interval", "", "Model is")
    notes = [f"{one.name}: {one.note}" for one in judged.baselines if one.note]
    words = "Simple models on the same rows; intervals are paired, row by row."
    return (
        f"<h2>Beside simple models</h2><p>{words}</p>"
        + page.table(heads, rows)
        + "".join(f"<p>{escape(note)}</p>" for note in notes)
    )


def _against(one: Against) -> list[str]:
    kind = {"Better": "good", "Worse": "bad"}.get(one.verdict, "warn")
    return [
        page.cell(one.metric),
        page.cell(number(one.baseline.value), number=True),
        page.cell(number(one.difference.value), number=True),
        page.cell(_ends(one.difference)),
        f"<td>{_around_zero(one.difference)}</td>",
        f'<td class="{kind}">{one.verdict.lower()}</td>',
    ]


def parts(judged: Judged, whole: Estimate | None) -> str:
    """The first metric by the values of each column asked for."""
    if not judged.slices or whole is None:
        return ""
    words = (
        f"{whole.name} of all rows is {number(whole.value)}. “Worse”: beyond what chance explains "
        "when all parts are looked at."
    )
    return f"<h2>Parts of the data</h2><p>{escape(words)}</p>" + "".join(
        _slice(one, whole) for one in judged.slices
    )


def _slice(one: slices.Parts, whole: Estimate) -> str:
    measured = [part.estimate for part in one.parts if part.estimate is not None]
    ends = [whole.value, *(end for part in measured for end in (part.low, part.high))]
    rows = (
        [
            page.cell(part.name),
            page.cell(f"{part.n:,}", number=True),
            *_estimate(part.estimate, scale(ends)),
            '<td class="warn">worse</td>' if part.worse else "<td></td>",
        ]
        for part in one.parts
    )
    left = []
    if one.small:
        left.append(f"{one.small:,} rows are in parts too small to judge")
    if one.rest:
        left.append(f"{one.rest:,} rows are beyond the {slices.MOST_VALUES} largest parts")
    note = f"<p>{'; '.join(left)}.</p>" if left else ""
    heads = (svg.short(one.column, _NAME), "#Rows", f"#{one.metric}", "95 % interval", "", "")
    return page.table(heads, rows) + note


def _estimate(one: Estimate | None, ends: tuple[float, float]) -> list[str]:
    if one is None:
        return [page.cell("not defined", number=True), "<td></td>", "<td></td>"]
    return [
        page.cell(number(one.value), number=True),
        page.cell(_ends(one)),
        f"<td>{interval(one.value, one.low, one.high, ends)}</td>",
    ]


def fair(judged: Judged) -> str:
    """Differences between groups, and the rates that they are of."""
    if not judged.fairness:
        return ""
    rows = (_fairness(one) for one in judged.fairness)
    heads = ("Groups by", "Difference", "Positive", "#Value", "95 % interval", "#Wanted", "Verdict")
    words = (
        "The largest difference between two groups; intervals hold for all pairs at once. Rates of "
        f"fewer than {MIN_ROWS} rows are not shown."
    )
    rates = "".join(_rates(one) for one in judged.fairness)
    return f"<h2>Fairness</h2><p>{words}</p>" + page.table(heads, rows) + rates


def _fairness(one: fairness.Judged) -> list[str]:
    kinds = {fairness.SUCCESSFUL: "good", fairness.FAILED: "bad"}
    known = one.value is not None and one.low is not None and one.high is not None
    return [
        page.cell(svg.short(one.sensitive, _NAME)),
        page.cell(one.metric),
        page.cell(svg.short(one.positive, _NAME)),
        page.cell(number(one.value) if one.value is not None else "", number=True),
        page.cell(f"{number(one.low or 0)} – {number(one.high or 0)}" if known else one.note),
        page.cell(f"≤ {one.max}", number=True),
        f'<td class="{kinds.get(one.verdict, "warn")}">{one.verdict}</td>',
    ]


def _rates(one: fairness.Judged) -> str:
    rows = [
        [
            page.cell(rate.group),
            page.cell(among),
            page.cell(f"{rate.n:,}", number=True),
            page.cell(number(rate.rate), number=True),
        ]
        for among, rates in one.rates.items()
        for rate in rates
    ]
    if not rows:
        return ""
    heads = (svg.short(one.sensitive, _NAME), "Among rows", "#Rows", "#Predicted positive")
    hidden = f"<p>{one.suppressed:,} rates are not shown.</p>" if one.suppressed else ""
    return f"<h3>{escape(one.metric)}</h3>" + page.table(heads, rows) + hidden


def probabilities(judged: Judged, *, binary: bool) -> str:
    """Whether probabilities come true, and what thresholds do."""
    pictures = []
    if judged.calibration is not None:
        pictures.append(_reliability(judged.calibration, binary=binary))
    if judged.curves is not None:
        pictures += _curves(judged.curves)
    if not pictures:
        return ""
    words = _brier(judged.calibration) if judged.calibration is not None else ""
    return f'<h2>Probabilities</h2><div class="row">{"".join(pictures)}</div>{words}'


def _reliability(found: Calibration, *, binary: bool) -> str:
    what = "the second class" if binary else "the predicted class"
    frame = Frame("Reliability", f"probability given of {what}", "share", (0, 1), (0, 1))
    picture = frame.draw(
        frame.line([(0, 0), (1, 1)], "dash"),
        *(frame.upright(one.given, one.low, one.high) for one in found.bins),
        frame.line([(one.given, one.happened) for one in found.bins]),
        frame.dots([(one.given, one.happened) for one in found.bins]),
    )
    caption = f"How often it came true, in {len(found.bins)} bins of about as many rows each."
    return figure(picture, caption)


def _brier(found: Calibration) -> str:
    known = {
        "Calibration error": f"{number(found.ece)}; of a perfect model below "
        f"{number(found.chance)} by chance, in 95 of 100 cases",
        "Brier score": f"{found.brier:.4f} = reliability {found.reliability:.4f} − resolution "
        f"{found.resolution:.4f} + uncertainty {found.uncertainty:.4f} + within bins "
        f"{found.within:.4f}",
    }
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in known.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _curves(found: Curves) -> list[str]:
    roc = Frame("ROC curve", "false positive rate", "true positive rate", (0, 1), (0, 1))
    recall = Frame("Precision and recall", "recall", "precision", (0, 1), (0, 1))
    share = found.positive
    return [
        figure(
            roc.draw(roc.line([(0, 0), (1, 1)], "dash"), roc.line(found.roc)),
            "At each threshold; the dashes are chance.",
        ),
        figure(
            recall.draw(
                recall.line([(0, share), (1, share)], "dash"), recall.line(found.precision)
            ),
            f"Average precision {number(found.average)}; by chance {number(share)}.",
        ),
    ]


def errors(judged: Judged) -> str:
    """How far off a regression is, to which side, and where."""
    found = judged.residuals
    if found is None:
        return ""
    bias = found.bias
    words = (
        f"Predicted less true: {number(bias.value)} on average ({_ends(bias)}); half of all rows "
        f"between {number(found.quantiles[2])} and {number(found.quantiles[4])}, nine of ten "
        f"between {number(found.quantiles[1])} and {number(found.quantiles[5])}."
    )
    pictures = f'<div class="row">{_spread(found)}{_where(found)}</div>'
    return f"<h2>Errors</h2><p>{escape(words)}</p>{pictures}"


def _spread(found: Residuals) -> str:
    ends = found.quantiles[0], found.quantiles[-1]
    frame = Frame("Errors", "predicted less true", "rows", ends, (0, max(found.bars, default=1)))
    return figure(frame.draw(frame.bars(found.bars)), "The middle 98 % of the errors.")


def _where(found: Residuals) -> str:
    across = scale([part.predicted for part in found.parts])
    up = scale([0.0, *(end for part in found.parts for end in (part.low, part.high))])
    frame = Frame("Errors by prediction", "predicted", "predicted less true", across, up)
    picture = frame.draw(
        frame.line([(across[0], 0), (across[1], 0)], "dash"),
        frame.steady(
            [(part.predicted, part.low) for part in found.parts],
            [(part.predicted, part.high) for part in found.parts],
        ),
        frame.line([(part.predicted, part.median) for part in found.parts]),
        frame.dots([(part.predicted, part.median) for part in found.parts]),
    )
    return figure(picture, "The median, and where nine of ten errors lie, by what was predicted.")


def explained(judged: Judged) -> str:
    """What the model goes by."""
    found = judged.explained
    if found is None:
        return ""
    if found.note:
        return f"<h2>What it goes by</h2><p>{escape(found.note)}.</p>"
    return f"<h2>What it goes by</h2>{_importance(found)}{_dependence(found.dependence)}"


def _importance(found: Explained) -> str:
    most = max((one.mean for one in found.importance), default=0.0)
    rows = (
        [
            page.cell(svg.short(one.feature, _NAME)),
            page.cell(number(one.mean), number=True),
            page.cell(f"{number(one.low)} – {number(one.high)}"),
            f"<td>{bar(one.mean, most)}</td>",
        ]
        for one in found.importance[:MOST_FEATURES]
    )
    left = len(found.importance) - MOST_FEATURES
    notes = [f"{left:,} less important ones are left out"] if left > 0 else []
    if found.skipped:
        notes.append(f"{found.skipped:,} features were not looked at")
    words = (
        f"By how much {found.metric} worsens where a feature is shuffled: the mean, least and most "
        f"of {explain.SHUFFLES} times, on a sample of {found.rows:,} rows held out. Features that "
        "tell the same share their importance."
    )
    more = f"<p>{'; '.join(notes)}.</p>" if notes else ""
    heads = ("Feature", f"#{found.metric} worsens by", "Least – most", "")
    return f"<p>{escape(words)}</p>" + page.table(heads, rows) + more


def bar(value: float, most: float) -> str:
    width = max(value / most * 150, 0) if most > 0 else 0
    return (
        '<svg width="154" height="10" viewBox="0 0 154 10" aria-hidden="true">'
        f'<rect class="cell" width="{width:.1f}" height="10"/></svg>'
    )


def _dependence(found: Iterable[Dependence]) -> str:
    pictures = "".join(_moved(one) for one in found)
    if not pictures:
        return ""
    words = "The mean prediction were all rows to have a value; other features stay as they are."
    return f'<h3>How it moves</h3><p>{words}</p><div class="row">{pictures}</div>'


def _moved(one: Dependence) -> str:
    places = one.numbers or tuple(float(place) for place in range(len(one.values)))
    shares = one.lines[0][0] != explain.PREDICTION
    low, high = scale([value for _, line in one.lines for value in line])
    frame = Frame(
        title=f"Dependence on {svg.short(one.feature, _NAME)}",
        across=svg.short(one.feature, 40),
        up="probability" if shares else explain.PREDICTION,
        x=(places[0], places[-1]),
        y=(max(low, 0.0), min(high, 1.0)) if shares else (low, high),
        height=180,
    )
    lines = [
        frame.line(list(zip(places, line, strict=True)), kind_of(place))
        for place, (_, line) in enumerate(one.lines)
    ]
    if one.numbers is None:
        lines = [frame.dots(list(zip(places, line, strict=True))) for _, line in one.lines]
    names = (
        f"Probability of {', '.join(svg.short(name, 30) for name, _ in one.lines)}"
        if shares
        else ""
    )
    at = "" if one.numbers else f"At {', '.join(one.values)}"
    caption = "; ".join(words for words in (names, at) if words)
    return figure(frame.draw(*lines), svg.short(caption, 200))


def figure(picture: str, caption: str) -> str:
    """A picture and what it shows."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def shares_scale(estimate: Estimate) -> tuple[float, float]:
    """The scale on which a metric's interval is drawn."""
    width = estimate.high - estimate.low
    if estimate.name in catalog.SHARES:
        return 0.0, 1.0
    return estimate.low - width, estimate.high + width


def _ends(one: Estimate) -> str:
    return f"{number(one.low)} – {number(one.high)}"


def _around_zero(one: Estimate) -> str:
    most = max(abs(one.low), abs(one.high)) * 1.2 or 1.0
    return interval(one.value, one.low, one.high, (-most, most), zero=True)
