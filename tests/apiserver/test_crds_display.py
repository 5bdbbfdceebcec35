"""What a person sees of the kinds in kubectl: names, columns, explanations."""

import re
from collections.abc import Iterator

import pytest
from tests.apiserver.crd_objects import DIGEST, KINDS, Body, minimal
from tests.apiserver.kubectl import Kubectl

NOW = "2026-01-02T03:04:05Z"
SHORT_NAMES = {"Dataset": "tmds", "TrainingRun": "tmrun", "ModelDeployment": "tmdep"}
MESSAGE = "as it should be"


def condition(kind: str) -> Body:
    return {
        "type": "Succeeded" if kind == "TrainingRun" else "Ready",
        "status": "True",
        "reason": "Ready",
        "message": MESSAGE,
        "observedGeneration": 1,
        "lastTransitionTime": NOW,
    }


STATUSES: dict[str, Body] = {
    "Dataset": {"rows": 45312, "shortVersion": "0a0a0a0a0a0a", "objects": 1, "version": DIGEST},
    "TrainingRun": {
        "progress": {"percent": 40, "message": "fits", "eta": "20s"},
        "score": "error_rate=0.265",
    },
    "ModelDeployment": {
        "url": "http://example.default.svc:80",
        "replicas": "2/2",
        "stable": {
            "version": "0a0a0a0a0a0a",
            "digest": DIGEST,
            "uri": "s3://tidemill/models/default/elec2/0a/",
            "deployment": "example-0a",
            "replicas": 2,
            "ready": 2,
        },
        "models": [{"name": "a", "ready": "2/2", "reason": "Ready"}],
        "modelsReady": "1/1",
    },
}


@pytest.fixture(scope="module", autouse=True)
def _objects(kubectl: Kubectl) -> Iterator[None]:
    for kind in KINDS:
        body = minimal(kind, "shown")
        kubectl.apply(body, "--server-side")
        status = {"conditions": [condition(kind)], "observedGeneration": 1, **STATUSES[kind]}
        flags = ("--server-side", "--subresource=status", "--field-manager=tidemill-status")
        kubectl.apply(
            {k: body[k] for k in ("apiVersion", "kind", "metadata")} | {"status": status}, *flags
        )
    yield
    for kind in KINDS:
        kubectl("delete", kind, "shown")


def table(kubectl: Kubectl, kind: str, *flags: str) -> dict[str, str]:
    """Give the row of the object, by column."""
    header, row = kubectl("get", kind, "shown", *flags).splitlines()
    names = re.findall(r"\S+\s*", header)
    starts = [sum(map(len, names[:i])) for i in range(len(names))]
    ends = [*starts[1:], None]
    return {n.strip(): row[s:e].strip() for n, s, e in zip(names, starts, ends, strict=True)}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "Dataset",
            {"READY": "True", "REASON": "Ready", "ROWS": "45312", "VERSION": "0a0a0a0a0a0a"},
        ),
        (
            "TrainingRun",
            {
                "SUCCEEDED": "True",
                "REASON": "Ready",
                "PROGRESS": "40",
                "ETA": "20s",
                "SCORE": "error_rate=0.265",
            },
        ),
        (
            "ModelDeployment",
            {
                "READY": "True",
                "REASON": "Ready",
                "VERSION": "0a0a0a0a0a0a",
                "MODELS": "1/1",
                "REPLICAS": "2/2",
            },
        ),
    ],
    ids=KINDS,
)
def test_columns(kubectl: Kubectl, kind: str, expected: dict[str, str]) -> None:
    shown = table(kubectl, kind)
    assert list(shown) == ["NAME", *expected, "AGE"]
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_wide_columns_end_with_the_message(kubectl: Kubectl, kind: str) -> None:
    shown = table(kubectl, kind, "-o", "wide")
    assert list(shown)[-1] == "MESSAGE"
    assert shown["MESSAGE"] == MESSAGE


@pytest.mark.parametrize("kind", KINDS)
def test_short_name(kubectl: Kubectl, kind: str) -> None:
    assert kubectl.get(SHORT_NAMES[kind], "shown")["kind"] == kind


def test_category_lists_all_kinds(kubectl: Kubectl) -> None:
    shown = kubectl("get", "tidemill", "-o", "name")
    assert {line.partition(".")[0] for line in shown.split()} >= {k.lower() for k in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_status_is_not_written_with_the_object(kubectl: Kubectl, kind: str) -> None:
    body = minimal(kind, "shown") | {"status": {"observedGeneration": 99}}
    assert kubectl.try_apply(body, "--server-side")["status"]["observedGeneration"] == 1


def test_conditions_of_two_managers_merge_by_type(kubectl: Kubectl) -> None:
    body = minimal("Dataset", "shown")
    del body["spec"]
    body["status"] = {"conditions": [condition("Dataset") | {"type": "Audited"}]}
    flags = ("--server-side", "--subresource=status", "--field-manager=auditor")
    found = kubectl.try_apply(body, *flags)["status"]["conditions"]
    assert [c["type"] for c in found] == ["Ready", "Audited"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "dataset",
            [
                "Data of one source, versioned by content",
                "spec <Object> -required- What the data set is to be.",
            ],
        ),
        (
            "dataset.spec.source.s3",
            [
                "bucket <string> -required- Bucket that holds the data.",
                "format <string> -required- enum: CSV, JSONLines, Parquet Format of the objects",
                "Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
            ],
        ),
        (
            "trainingrun.spec",
            [
                "What is trained on what; immutable but for `suspend`.",
                "deadline <string> How long its Job may take",
                "task <string> -required- enum: Classification, Regression",
            ],
        ),
        (
            "trainingrun.spec.estimator.sklearn.steps",
            [
                "Transformers in their order, then the estimator.",
                "params <Object> Its parameters, as its constructor takes them;",
            ],
        ),
        (
            "modeldeployment.spec.model",
            [
                "uri <string> Address of a model package in Tidemill's store",
                "run <string> A TrainingRun in the same namespace.",
            ],
        ),
        (
            "modeldeployment.spec.models",
            [
                "Several models in one server, instead of model: one process in each pod serves",
                "name <string> -required- It answers below /v2/models/NAME/ and /models/NAME/.",
                "limits <Object> Limits of this model alone.",
            ],
        ),
        (
            "modeldeployment.status.conditions",
            [
                "reason <string> -required- Why, as one of the documented reasons.",
                "lastTransitionTime <string> -required- When the status last became what it is.",
            ],
        ),
    ],
)
def test_explanation_reads_well(kubectl: Kubectl, path: str, expected: list[str]) -> None:
    shown = " ".join(kubectl("explain", path).split())
    for words in expected:
        assert words in shown
    assert "<no description>" not in shown
