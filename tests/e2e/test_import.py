"""Models that were fitted elsewhere, imported on a cluster: judged, packed, served; or refused."""

import csv
import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from tests.e2e import specs
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import rows
from tests.e2e.world import World

SMALL = {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}
CLASSES = ["down", "up"]


def fitted(folder: Path) -> bytes:
    """A model of the rows that the data set has, with their names."""
    table = list(csv.DictReader(io.StringIO(rows(200))))
    features = np.array([[float(row["a"]), float(row["b"])] for row in table])
    target = np.array([CLASSES.index(row["label"]) for row in table])
    data = xgboost.DMatrix(features, target, feature_names=["a", "b"])
    asked = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1}
    booster = xgboost.train(asked, data, num_boost_round=10)
    booster.save_model(folder / "model.ubj")
    return (folder / "model.ubj").read_bytes()


def imported(key: str, **more: Any) -> dict[str, Any]:
    place = {"bucket": specs.RAW_BUCKET, "key": key}
    place |= {"credentialsRef": {"name": specs.RAW_SECRET}, **more.pop("s3", {})}
    return specs.training_run("data", estimator={"import": {"s3": place, **more}}, cache="Use")


@pytest.fixture(scope="module")
def models(common: World, raw: RawStore, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A data set and models in the raw bucket: one good, others not."""
    ns = common.namespace
    data = fitted(tmp_path_factory.mktemp("model"))
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    raw.put(f"{ns}-models/good.ubj", data)
    raw.put(f"{ns}-models/cut.ubj", data[: len(data) // 2])
    raw.put(f"{ns}-models/disguised.ubj", pickle.dumps({"a": 1}))
    common.apply("Dataset", "data", {"source": {"inline": {"format": "CSV", "data": rows(200)}}})
    good = {"classes": CLASSES, "s3": {"digest": digest}}
    common.apply_all(
        "TrainingRun",
        {
            "good": imported(f"{ns}-models/good.ubj", **good),
            "unnamed": imported(f"{ns}-models/good.ubj"),
            "cut": imported(f"{ns}-models/cut.ubj", classes=CLASSES),
            "disguised": imported(f"{ns}-models/disguised.ubj"),
            "gone": imported(f"{ns}-models/gone.ubj"),
            "other": imported(f"{ns}-models/good.ubj", s3={"digest": f"sha256:{'0' * 64}"}),
        },
    )
    common.apply("ModelDeployment", "web", {"model": {"run": "good"}, "template": SMALL})
    return common


def test_it_is_judged_packed_and_served(models: World) -> None:
    status = models.wait_ready("TrainingRun", "good")["status"]
    assert status["artifact"]["trees"] == "xgboost"
    assert status["metrics"]
    assert status["report"]
    assert status["cacheKey"]
    models.wait_ready("ModelDeployment", "web")
    assert infer(models, "web", "web", {"a": [1], "b": [0.0]})["predict"] == ["down"]


def test_the_same_file_again_makes_no_job(models: World) -> None:
    models.wait_ready("TrainingRun", "good")
    spec = models.read("TrainingRun", "good")["spec"]
    models.apply("TrainingRun", "again", spec)
    status = models.wait_ready("TrainingRun", "again")["status"]
    assert status["cachedFrom"]["name"] == "good"


@pytest.mark.parametrize(
    ("name", "reason", "says"),
    [
        ("unnamed", "TargetInvalid", "spec.estimator.import.classes"),
        ("cut", "ModelUnloadable", "cut.ubj"),
        ("disguised", "PickleRefused", "disguised.ubj is a pickle"),
        ("gone", "SourceMissing", "gone.ubj does not exist"),
        ("other", "DigestMismatch", "spec.estimator.import.s3.digest"),
    ],
)
def test_what_cannot_be_imported(models: World, name: str, reason: str, says: str) -> None:
    assert_refused(models, "TrainingRun", name, reason, (says,))
