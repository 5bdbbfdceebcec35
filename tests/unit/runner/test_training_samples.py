"""Every sample of a training, and every documented estimator, trains as it stands."""

import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.unit.runner.packages import assert_onnx_agrees, served, unpack
from tests.unit.runner.workshop import Workshop

from tidemill.api.v1alpha1.training_run import TrainingRunSpec

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests" / "samples" / "training"
RUNS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "dataset")
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sample(name: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return body


@pytest.fixture
def ingested(workshop: Workshop) -> dict[str, Any]:
    workshop.deliver(data_csv=sample("dataset")["spec"]["source"]["inline"]["data"])
    return workshop.ingest()


def spec_of(name: str) -> dict[str, Any]:
    """The spec as the operator hands it to the Job."""
    spec = TrainingRunSpec.model_validate(sample(name)["spec"])
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize("name", RUNS)
def test_a_sample_trains_and_the_server_predicts_the_same(
    workshop: Workshop, ingested: dict[str, Any], name: str
) -> None:
    result = workshop.train(ingested, spec_of(name))
    folder = unpack(workshop, result)
    served(folder).assert_the_same()
    assert_onnx_agrees(folder)


@pytest.mark.parametrize("name", RUNS)
def test_a_sample_twice_is_one_package(
    workshop: Workshop, ingested: dict[str, Any], name: str
) -> None:
    first, second = (workshop.train(ingested, spec_of(name))["artifact"] for _ in range(2))
    assert first["digest"] == second["digest"]


def test_the_column_transformer_answers_for_what_is_missing_and_new(
    workshop: Workshop, ingested: dict[str, Any]
) -> None:
    both = served(unpack(workshop, workshop.train(ingested, spec_of("columns"))))
    row = {
        "distance": None,
        "weight": 2.5,
        "stops": 3,
        "express": True,
        "carrier": "drone",
        "region": None,
        "note": "fragile",
    }
    model, server = both.answers([row])
    assert model.tolist() == server.tolist()
    assert np.isfinite(server).all()


def test_every_example_of_an_estimator_is_a_sample() -> None:
    sections = (ROOT / "docs" / "training.md").read_text().split("\n## ")
    text = "\n".join(one for one in sections if one.startswith(("A first run", "Estimators")))
    samples = [path.read_text() for path in FOLDER.glob("*.yaml")]
    examples = [textwrap.dedent(block) for block in BLOCK.findall(text)]
    assert examples
    for example in examples:
        indents = [textwrap.indent(example, " " * depth) for depth in range(0, 20, 2)]
        assert any(each in one for each in indents for one in samples), example
