"""The report of a run: one HTML file, nothing from elsewhere, for light and dark screens."""

import json
from html import escape

import numpy as np

from tidemill.pages import page
from tidemill.pages.interval import interval
from tidemill.stats.classification import Classified
from tidemill.stats.estimate import Estimate
from tidemill_runner import charts
from tidemill_runner.fit import name_of
from tidemill_runner.judgement import learned, sections, swarm
from tidemill_runner.package import Artifact, Trained, environment
from tidemill_runner.search import searched
from tidemill_runner.split import Parts


def render(trained: Trained, parts: Parts, artifact: Artifact) -> str:
    document = trained.document
    title = f"{document.identity.namespace}/{document.identity.name}"
    judged = trained.judged
    parts_of_page = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(_summary(trained, parts))}</p>",
        sections.summary(judged) if judged else "",
        _metrics(trained),
        *_judged(trained),
        _picture(trained),
        searched.section(trained.found) if trained.found else "",
        page.facts("Data", _data(trained, parts)),
        page.facts("Estimator", _estimator(trained)),
        _logged(trained),
        page.facts(
            "Package",
            {
                "Digest": artifact.digest,
                "Bytes": f"{artifact.bytes:,}",
                "ONNX": trained.graph.words(),
            },
        ),
        page.facts("Environment", _environment(document.image)),
    ]
    return page.document(title, parts_of_page, (page.STYLE, page.JUDGEMENT))


def _summary(trained: Trained, parts: Parts) -> str:
    training = trained.document.training
    return (
        f"{training.task} of {training.target}: trained on {len(parts.train):,} rows, "
        f"measured on {len(parts.holdout):,} held out."
    )


def _metrics(trained: Trained) -> str:
    rows = [_metric(estimate) for estimate in trained.evaluation.metrics]
    for name in trained.evaluation.absent:
        undefined = page.cell("not defined on these rows", number=True)
        rows.append([page.cell(name), undefined, "<td></td>", "<td></td>"])
    groups = trained.judged.groups if trained.judged else None
    words = "Intervals count rows."
    if groups is not None:
        named = ", ".join(groups.columns)
        words = f"Intervals count groups, {groups.count:,} of them by {named}, not rows."
    table = page.table(("Metric", "#Value", "#95 % interval", ""), rows)
    return f"<h2>Metrics</h2><p>{escape(words)}</p>{table}"


def _metric(estimate: Estimate) -> list[str]:
    scale = sections.shares_scale(estimate)
    return [
        page.cell(estimate.name),
        page.cell(f"{estimate.value:.5g}", number=True),
        page.cell(f"{estimate.low:.5g} – {estimate.high:.5g}", number=True),
        f"<td>{interval(estimate.value, estimate.low, estimate.high, scale)}</td>",
    ]


def _judged(trained: Trained) -> list[str]:
    judged, evaluation = trained.judged, trained.evaluation
    if judged is None:
        return []
    first = next(iter(evaluation.metrics), None)
    return [
        sections.baselines(judged),
        sections.parts(judged, first),
        sections.fair(judged),
        sections.probabilities(judged, binary=len(evaluation.classes) == 2),
        sections.errors(judged),
        sections.explained(judged),
        swarm.section(judged),
        learned.section(judged),
    ]


def _picture(trained: Trained) -> str:
    rows = trained.evaluation.rows
    if not isinstance(rows, Classified):
        picture = charts.residuals(rows.truth, rows.predicted)
        caption = "Each dot is a row held out; on the diagonal the prediction is right."
        return _figure("Predictions", picture, caption)
    if rows.classes > charts.MAX_CLASSES:
        worst = np.bincount(rows.truth[rows.truth != rows.predicted], minlength=rows.classes)
        names = ", ".join(str(trained.evaluation.classes[i]) for i in np.argsort(-worst)[:5])
        return f"<h2>Confusion</h2><p>{rows.classes} classes; most errors in {escape(names)}.</p>"
    picture = charts.confusion(rows.table(), trained.evaluation.classes)
    return _figure("Confusion", picture, "True classes down, predicted classes across.")


def _figure(title: str, picture: str, caption: str) -> str:
    return f"<h2>{title}</h2>{sections.figure(picture, caption)}"


def _data(trained: Trained, parts: Parts) -> dict[str, str]:
    document = trained.document
    split = document.training.split
    how = f"by {split.by}" + (f" of {split.column}" if split.column else "")
    names = ", ".join(column.name for column in trained.roles.features[:100])
    return {
        "Data set": document.dataset.name,
        "Version": document.dataset.version,
        **{
            f"Joined ({place})": f"{one.table.dataset.name}, {one.table.dataset.version}: "
            + ", ".join(list(one.columns)[:100])
            for place, one in enumerate(trained.joined, start=1)
        },
        "Target": f"{trained.roles.target.name} ({trained.roles.target.type})",
        "Split": f"{how}, {split.holdout} held out, seed {document.training.seed}",
        **({"Weights": document.training.weights} if document.training.weights else {}),
        "Rows": f"{len(parts.train):,} to train, {len(parts.holdout):,} held out",
        f"Features ({len(trained.roles.features)})": names,
    }


def _estimator(trained: Trained) -> dict[str, str]:
    code = trained.document.training.code
    if code is not None:
        model = {"model": name_of(trained.pipeline)}
        return {**model, **code.facts(trained.code.get("digest"))}
    return {
        step.name: f"{step.class_path} {json.dumps(dict(step.params), sort_keys=True)}"
        for step in trained.document.training.steps
    }


def _logged(trained: Trained) -> str:
    """The last of each of the numbers that the code has told."""
    logged = trained.code.get("logged") or {}
    if not logged:
        return ""
    last = {name: f"{values[-1]:.6g} (of {len(values):,})" for name, values in logged.items()}
    return page.facts("What the code has told of itself", last)


def _environment(image: str) -> dict[str, str]:
    found = environment(image)
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return {"Image": image or "not given", "Python": found["python"], "Packages": packages}
