"""The generated CRDs on a real API server: taken, explained, strict about what they do not know."""

import json
import re
import subprocess
from typing import Any

import pytest
from tests.apiserver import shelf_rules
from tests.apiserver.crd_objects import KINDS, PLURALS, minimal
from tests.apiserver.kubectl import Kubectl, RefusedError

each_kind = pytest.mark.parametrize("kind", KINDS)
server_side = pytest.mark.parametrize(
    "flags",
    [
        pytest.param((), id="apply"),
        pytest.param(("--server-side",), id="server-side apply"),
    ],
)
IMAGE = "registry.example/peaks@sha256:" + "0a" * 32
LONGEST_NAME = ".".join(["a" * 63] * 3 + ["b" * 61])


@each_kind
def test_definition_is_established(kubectl: Kubectl, kind: str) -> None:
    body = kubectl.get("crd", PLURALS[kind])
    conditions = {c["type"]: c["status"] for c in body["status"]["conditions"]}
    assert conditions == {"Established": "True", "NamesAccepted": "True"}


@each_kind
@server_side
def test_minimal_object_is_taken(kubectl: Kubectl, kind: str, flags: tuple[str, ...]) -> None:
    assert kubectl.try_apply(minimal(kind), *flags)["kind"] == kind


@each_kind
def test_longest_name_is_taken(kubectl: Kubectl, kind: str) -> None:
    assert len(LONGEST_NAME) == 253
    assert kubectl.try_apply(minimal(kind, LONGEST_NAME))["metadata"]["name"] == LONGEST_NAME


@each_kind
def test_spec_is_required(kubectl: Kubectl, kind: str) -> None:
    body = minimal(kind)
    del body["spec"]
    with pytest.raises(RefusedError, match="spec: Required value"):
        kubectl.try_apply(body)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        pytest.param("Dataset", "spec.refresh.schedule", id="later field"),
        pytest.param("Dataset", "spec.source.ftp", id="no source"),
        pytest.param("Dataset", "spec.source.s3.buckets", id="typing error, deep"),
        pytest.param("TrainingRun", "spec.search", id="later part"),
        pytest.param("TrainingRun", "spec.estimator.script", id="later estimator"),
        pytest.param("ModelDeployment", "spec.capture", id="later feature"),
        pytest.param("ModelDeployment", "spec.rollout.steps", id="later strategy's field"),
    ],
)
@server_side
def test_unknown_field_is_refused_by_name(
    kubectl: Kubectl, kind: str, path: str, flags: tuple[str, ...]
) -> None:
    body = minimal(kind, changes={path.removeprefix("spec."): {"x": "y"}})
    with pytest.raises(RefusedError, match=rf"{re.escape(path)}\b"):
        kubectl.try_apply(body, *flags)


@each_kind
def test_unknown_field_is_refused_whatever_a_server_side_client_wants(
    kubectl: Kubectl, kind: str
) -> None:
    body = minimal(kind, changes={"lather": 1})
    with pytest.raises(RefusedError, match=r"spec\.lather: field not declared in schema"):
        kubectl.try_apply(body, "--server-side", "--validate=ignore")


@each_kind
def test_client_that_posts_without_validation_is_warned_by_name(
    kubectl: Kubectl, kind: str
) -> None:
    """Kubernetes drops the field then, whatever a definition says; it must not do so in silence."""
    command = (kubectl.program, f"--kubeconfig={kubectl.kubeconfig}", "create", "--validate=warn")
    done = subprocess.run(
        [*command, "--dry-run=server", "-f", "-"],
        input=json.dumps(minimal(kind, changes={"lather": 1})),
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'Warning: unknown field "spec.lather"' in done.stderr


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        pytest.param(
            "Dataset",
            {"source.s3.format": "JSON"},
            'spec.source.s3.format: Unsupported value: "JSON": '
            'supported values: "CSV", "JSONLines", "Parquet"',
            id="format",
        ),
        pytest.param(
            "Dataset",
            {"source.s3.bucket": "Raw_Data"},
            "spec.source.s3.bucket: Invalid value",
            id="bucket's name",
        ),
        pytest.param(
            "Dataset",
            {"source.s3.endpoint": "store.example.org"},
            "spec.source.s3.endpoint: Invalid value",
            id="endpoint without a scheme",
        ),
        pytest.param(
            "Dataset",
            {"source": {"http": {"url": "https://me:hush@x.example/a", "format": "CSV"}}},
            "spec.source.http.url: Invalid value",
            id="credentials in a URL",
        ),
        pytest.param(
            "Dataset",
            {"source": {"http": {"url": "ftp://x.example/a", "format": "CSV"}}},
            "spec.source.http.url: Invalid value",
            id="scheme of a URL",
        ),
        pytest.param(
            "Dataset", {"pin": "Link"}, "spec.pin: Unsupported value", id="pin of no kind"
        ),
        pytest.param(
            "Dataset",
            {"refresh.pollInterval": "often"},
            "spec.refresh.pollInterval: Invalid value",
            id="duration",
        ),
        pytest.param(
            "Dataset",
            {"refresh.schedule": ""},
            "spec.refresh.schedule: Invalid value",
            id="empty schedule",
        ),
        pytest.param(
            "TrainingRun", {"split.holdout": 0.2}, "spec.split.holdout: Invalid value", id="float"
        ),
        pytest.param(
            "TrainingRun", {"split.holdout": "1.5"}, "spec.split.holdout", id="fraction over 1"
        ),
        pytest.param("TrainingRun", {"task": "Custom"}, "spec.task: Unsupported", id="task"),
        pytest.param(
            "TrainingRun", {"target": None}, "spec.target: Required value", id="target is needed"
        ),
        pytest.param(
            "TrainingRun",
            {"estimator.sklearn.steps": []},
            "spec.estimator.sklearn.steps",
            id="no steps",
        ),
        pytest.param(
            "TrainingRun",
            {"estimator.sklearn.steps.0.class": "os"},
            "spec.estimator.sklearn.steps[0].class: Invalid value",
            id="class without a module",
        ),
        pytest.param(
            "TrainingRun",
            {"evaluation.metrics": ["auc"]},
            'spec.evaluation.metrics[0]: Unsupported value: "auc"',
            id="metric",
        ),
        pytest.param(
            "TrainingRun",
            {"evaluation.metrics": ["rmse", "rmse"]},
            "spec.evaluation.metrics[1]: Duplicate value",
            id="metric twice",
        ),
        pytest.param(
            "TrainingRun",
            {"evaluation.baselines": ["Best"]},
            'spec.evaluation.baselines[0]: Unsupported value: "Best"',
            id="baseline",
        ),
        pytest.param(
            "TrainingRun",
            {"evaluation.slices": [{"column": "day", "minRows": 19}]},
            "spec.evaluation.slices[0].minRows: Invalid value",
            id="slices of few rows",
        ),
        pytest.param(
            "TrainingRun",
            {"template.resources.limits.memory": "2 GB"},
            "spec.template.resources.limits.memory: Invalid value",
            id="quantity",
        ),
        pytest.param("TrainingRun", {"seed": -1}, "spec.seed: Invalid value", id="seed"),
        pytest.param(
            "ModelDeployment", {"replicas": -1}, "spec.replicas: Invalid value", id="replicas"
        ),
        pytest.param(
            "ModelDeployment",
            {"rollout.strategy": "Canary"},
            "spec.rollout.strategy: Unsupported value",
            id="strategy of a later version",
        ),
        pytest.param(
            "ModelDeployment",
            {"model": {"uri": "https://example.org/model/", "digest": "sha256:" + "0" * 64}},
            "spec.model.uri: Invalid value",
            id="address that is not of S3",
        ),
        pytest.param(
            "ModelDeployment",
            {"model": {"container": {"image": IMAGE, "port": 0}}},
            "spec.model.container.port: Invalid value",
            id="port of a container",
        ),
        pytest.param(
            "ModelDeployment",
            {"model": {"container": {"image": IMAGE, "ready": "up"}}},
            "spec.model.container.ready: Invalid value",
            id="path that is none",
        ),
        pytest.param(
            "ModelDeployment",
            {"model": {"container": {"image": IMAGE, "protocol": "gRPC"}}},
            'spec.model.container.protocol: Unsupported value: "gRPC"',
            id="protocol of a container",
        ),
        *shelf_rules.WRONG,
    ],
)
def test_wrong_value_is_refused_by_field(
    kubectl: Kubectl, kind: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RefusedError, match=re.escape(message)):
        kubectl.try_apply(minimal(kind, changes=changes))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        pytest.param("Dataset", "pin", "Copy", id="pin"),
        pytest.param("TrainingRun", "deadline", "1h", id="deadline"),
        pytest.param("TrainingRun", "seed", 0, id="seed"),
        pytest.param("TrainingRun", "dataset", {"name": "elec2", "version": "latest"}, id="nested"),
        pytest.param("ModelDeployment", "replicas", 1, id="replicas"),
        pytest.param("ModelDeployment", "suspend", False, id="suspend"),
    ],
)
def test_default_is_written_into_the_object(
    kubectl: Kubectl, kind: str, path: str, value: object
) -> None:
    assert kubectl.try_apply(minimal(kind))["spec"][path] == value


def test_whole_number_is_a_quantity(kubectl: Kubectl) -> None:
    body = minimal("TrainingRun", changes={"template.resources.limits": {"cpu": 2}})
    limits = kubectl.try_apply(body)["spec"]["template"]["resources"]["limits"]
    assert limits == {"cpu": 2}


def test_parameters_are_kept_as_they_are(kubectl: Kubectl) -> None:
    params = {"max_iter": 60, "learning_rate": 0.1, "categories": [["a", "b"], []], "verbose": True}
    path = "estimator.sklearn.steps.0.params"
    found = kubectl.try_apply(minimal("TrainingRun", changes={path: params}))
    assert found["spec"]["estimator"]["sklearn"]["steps"][0]["params"] == params


def test_a_fraction_that_is_whole_comes_back_as_a_whole_number(kubectl: Kubectl) -> None:
    """Why the runner asks what a bare 1 means, where a share may be meant."""
    path = "estimator.sklearn.steps.0.params"
    found = kubectl.try_apply(minimal("TrainingRun", changes={path: {"max_features": 1.0}}))
    kept = found["spec"]["estimator"]["sklearn"]["steps"][0]["params"]["max_features"]
    assert (kept, type(kept)) == (1, int)
