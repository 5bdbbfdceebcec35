"""The input document: what the operator writes is understood, anything else is our fault."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.workshop import LOGISTIC, estimator

from tidemill_runner import document as documents
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.train_input import Split, Step, TrainInput

TRAIN: dict[str, Any] = {
    "apiVersion": "runner.tidemill.dev/v1",
    "verb": "train",
    "namespace": "ns",
    "name": "run",
    "uid": "u",
    "dataset": {"name": "d", "version": "sha256:0", "manifest": "m", "cas": "cas/ns/sha256"},
    "spec": {"task": "Classification", "target": "y", "estimator": estimator(LOGISTIC)},
    "output": "runs/ns/u/job",
    "models": "models/ns/run/",
    "image": "i",
    "progress": {"url": "http://operator:8080"},
}


def load(tmp_path: Path, document: Any, verb: str = "train") -> Any:
    path = tmp_path / "input.json"
    path.write_text(json.dumps(document))
    return documents.load(path, verb)


def test_defaults_are_resolved(tmp_path: Path) -> None:
    document = load(tmp_path, TRAIN)
    assert isinstance(document, TrainInput)
    assert document.training.split == Split("Random", Decimal("0.2"), None)
    assert document.training.steps == (Step("s0", LOGISTIC, {}),)
    assert (document.training.seed, document.training.exclude) == (0, ())
    assert document.identity.output == "runs/ns/u/job/"
    assert document.identity.progress_url == "http://operator:8080"
    assert document.dataset.cas == "cas/ns/sha256/"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="empty"),
        pytest.param([], id="a-list"),
        pytest.param({**TRAIN, "apiVersion": "runner.tidemill.dev/v2"}, id="another-version"),
        pytest.param({**TRAIN, "verb": "ingest"}, id="another-verb"),
        pytest.param({k: v for k, v in TRAIN.items() if k != "dataset"}, id="no-dataset"),
        pytest.param({**TRAIN, "spec": {"task": "Classification"}}, id="no-target"),
        pytest.param({**TRAIN, "output": None}, id="no-output"),
        pytest.param(
            {**TRAIN, "spec": {**TRAIN["spec"], "split": {"holdout": "much"}}}, id="no-number"
        ),
    ],
)
def test_a_malformed_document_is_a_fault_of_ours(tmp_path: Path, document: Any) -> None:
    with pytest.raises(Failure) as caught:
        load(tmp_path, document)
    assert (caught.value.reason, caught.value.exit_code) == ("InternalError", Exit.BUG)


def test_an_unknown_task_is_the_users(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        load(tmp_path, {**TRAIN, "spec": {**TRAIN["spec"], "task": "Custom"}})
    assert (caught.value.reason, caught.value.exit_code) == ("SpecInvalid", Exit.USER)


def test_a_missing_document_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="malformed"):
        documents.load(tmp_path / "nothing", "train")
