"""What is not imported: by name, with the way out, and never by ending the run's own process."""

import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.preprocessing import StandardScaler
from tests.unit.runner.imported.foreign import (
    KEY,
    Importing,
    Make,
    lgb,
    mlmodel,
    sklearn,
    table,
    xgb,
)
from tests.unit.runner.workshop import Workshop, rows

from tidemill.store import errors
from tidemill_runner.failures import Failure
from tidemill_runner.imported import kinds, mlflow_model, trial
from tidemill_runner.imported.kinds import ModelFile


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never ends is cut off; a busy machine needs some seconds to import the libraries."""
    monkeypatch.setattr(trial, "SECONDS", 40.0)


@pytest.fixture
def importing(workshop: Workshop) -> Importing:
    return Importing(workshop).data(rows(200))


def zipped(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return made.getvalue()


def refused(importing: Importing, spec: dict[str, Any] | None = None, **asked: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        importing.run(spec, **asked)
    assert not [key for key in importing.workshop.store.objects if key.startswith("models/")]
    return caught.value


# Nothing here is ever unpickled: the test would end with this.
PICKLE = pickle.dumps({"a": 1})


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ("m.pkl", b""),
        ("m.joblib", b""),
        ("m.cloudpickle", b""),
        ("m.pt", b""),
        ("m.bin", PICKLE),
        ("m.skops", PICKLE),
        ("m.zip", zipped(archive__data_pkl=PICKLE, schema_json=b"{}")),
    ],
    ids=["pickle", "joblib", "cloudpickle", "torch", "another name", "called skops", "zipped"],
)
def test_a_pickle(importing: Importing, key: str, data: bytes) -> None:
    importing.put(data, key)
    failure = refused(importing, key=key)
    assert failure.reason == "PickleRefused"
    assert f"s3://b/{key}" in failure.message
    assert "skops" in failure.message


FILES: dict[str, tuple[Make, str, str]] = {
    "nothing": (lambda _: b"", "EstimatorRefused", "no model that can be imported"),
    "text": (lambda _: b"hello", "EstimatorRefused", "no model that can be imported"),
    "another zip": (lambda _: zipped(a_txt=b"x"), "ModelUnloadable", "no schema.json"),
    "an empty object": (lambda _: b'{"a": 1}', "ModelUnloadable", KEY),
    "a cut off ubj": (lambda f: xgb(f)[:400], "ModelUnloadable", KEY),
    "a cut off json": (lambda f: xgb(f, ".json")[:400], "ModelUnloadable", KEY),
    "a cut off text": (lambda _: lgb()[:300], "ModelUnloadable", KEY),
    "a child that points outside": (
        lambda _: re.sub(rb"left_child=-?\d+", b"left_child=1099511627776", lgb()),
        "ModelUnloadable",
        KEY,
    ),
    "a transformer": (lambda _: sklearn(StandardScaler()), "EstimatorRefused", "predicts nothing"),
    "numbers for classes": (
        lambda _: sklearn(RandomForestRegressor(n_estimators=2)),
        "EstimatorRefused",
        "tells numbers, and spec.task is Classification",
    ),
    "an objective of numbers": (
        lambda f: xgb(f, objective="reg:squarederror"),
        "EstimatorRefused",
        "'reg:squarederror', which gives no probabilities",
    ),
    "raw scores": (
        lambda f: xgb(f, objective="binary:logitraw"),
        "EstimatorRefused",
        "'binary:logitraw'",
    ),
    "a linear booster": (
        lambda f: xgb(f, booster="gblinear"),
        "EstimatorRefused",
        "only trees are kept",
    ),
}


@pytest.mark.parametrize(("make", "reason", "says"), FILES.values(), ids=FILES)
def test_a_file(importing: Importing, tmp_path: Path, make: Make, reason: str, says: str) -> None:
    importing.put(make(tmp_path))
    failure = refused(importing)
    assert failure.reason == reason, failure.message
    assert says in failure.message


def test_classes_for_numbers(importing: Importing, tmp_path: Path) -> None:
    importing.put(xgb(tmp_path))
    failure = refused(importing, {"task": "Regression"})
    assert "tells classes: use spec.task Classification" in failure.message


FEATURES: dict[str, tuple[Make, str]] = {
    "other names": (lambda f: xgb(f, names=["a", "c"]), "was fitted on c, which the run's"),
    "another order": (lambda f: xgb(f, names=["b", "a"]), "feature 1 is 'b', the run's is 'a'"),
    "another order, LightGBM": (lambda _: lgb(["b", "a"]), "in another order"),
    "other names, skops": (lambda _: sklearn(names=["x", "b"]), "was fitted on x"),
}


@pytest.mark.parametrize(("make", "says"), FEATURES.values(), ids=FEATURES)
def test_other_features(importing: Importing, tmp_path: Path, make: Make, says: str) -> None:
    importing.put(make(tmp_path))
    failure = refused(importing)
    assert failure.reason == "FeaturesInvalid"
    assert says in failure.message


@pytest.mark.parametrize("make", [xgb, lambda _: lgb(), lambda _: sklearn()])
def test_more_features_than_it_takes(workshop: Workshop, tmp_path: Path, make: Make) -> None:
    importing = Importing(workshop).data(rows(header="a,b,c,y", line="{a},{b},{b},{y}"))
    importing.put(make(tmp_path))
    assert "takes 2 features, which it does not name, and the run has 3" in (
        refused(importing).message
    )


def test_a_feature_that_it_does_not_know(workshop: Workshop, tmp_path: Path) -> None:
    importing = Importing(workshop).data(rows(header="a,b,c,y", line="{a},{b},{b},{y}"))
    importing.put(xgb(tmp_path, names=["a", "b"]))
    failure = refused(importing)
    assert "was not fitted on c: add them to spec.features.exclude" in failure.message
    assert importing.run({"features": {"exclude": ["c"]}})["metrics"]


def test_texts_for_trees(workshop: Workshop, tmp_path: Path) -> None:
    importing = Importing(workshop).data(rows(line="{a},t{b},{y}"))
    importing.put(xgb(tmp_path))
    assert "the columns b hold text" in refused(importing).message


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (None, "name them in spec.estimator.import.classes"),
        (["c0"], "names 1 classes, and the model tells 2"),
        (["c0", "c0"], "names 1 classes"),
        (["d0", "d1"], "has 'c0', 'c1'"),
    ],
)
def test_classes_that_the_target_has_not(
    workshop: Workshop, tmp_path: Path, classes: list[str] | None, says: str
) -> None:
    importing = Importing(workshop).data(rows(200, line="{a},{b},c{y}"))
    importing.put(xgb(tmp_path))
    failure = refused(importing, classes=classes)
    assert failure.reason == "TargetInvalid"
    assert says in failure.message


def test_classes_that_are_of_another_type(importing: Importing, tmp_path: Path) -> None:
    importing.put(xgb(tmp_path))
    assert "holds Integer" in refused(importing, classes=["no", "yes"]).message


def test_classes_for_a_file_that_has_its_own(importing: Importing) -> None:
    importing.put(sklearn())
    assert "has its own classes" in refused(importing, classes=["0", "1"]).message


def test_another_file_than_the_digest_says(importing: Importing, tmp_path: Path) -> None:
    importing.put(xgb(tmp_path))
    failure = refused(importing, digest="sha256:" + "0" * 64)
    assert failure.reason == "DigestMismatch"
    assert f"s3://b/{KEY} has digest sha256:" in failure.message


def test_another_format_than_is_said(importing: Importing) -> None:
    importing.put(lgb())
    failure = refused(importing, format="XGBoost")
    assert f"format is XGBoost, but s3://b/{KEY} is LightGBM's" in failure.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.NotFound("x"), "SourceMissing"),
        (errors.BucketMissing("x"), "BucketMissing"),
        (errors.AccessDenied("x"), "AccessDenied"),
        (errors.Unavailable("x"), "SourceUnavailable"),
    ],
)
def test_a_bucket_that_does_not_give_it(
    importing: Importing, error: Exception, reason: str
) -> None:
    def fail(_: str) -> None:
        raise error

    importing.put(b"")
    importing.workshop.source.before_download = fail
    failure = refused(importing)
    assert failure.reason == reason
    assert "spec.estimator.import" in failure.message or reason == "SourceUnavailable"


MLMODELS: dict[str, tuple[bytes, str, str]] = {
    "pickled": (
        mlmodel("sklearn", pickled_model="model.pkl", serialization_format="cloudpickle"),
        "PickleRefused",
        "is kept by cloudpickle",
    ),
    "of old": (mlmodel("sklearn", pickled_model="model.pkl"), "PickleRefused", "kept by pickle"),
    "pickled, called skops": (
        mlmodel("sklearn", pickled_model="model.pkl", serialization_format="skops"),
        "PickleRefused",
        "model.pkl is a pickle",
    ),
    "another library's": (mlmodel("pytorch", data="x"), "EstimatorRefused", "pytorch"),
    "a climber": (mlmodel("xgboost", data="../../other"), "ModelUnloadable", "not below it"),
    "no file": (mlmodel("xgboost"), "ModelUnloadable", "not below it"),
    "no YAML": (b"{", "ModelUnloadable", "cannot be read"),
    "no flavors": (b"a: 1", "ModelUnloadable", "cannot be read"),
    "code": (b"!!python/object/apply:os.system [x]", "ModelUnloadable", "cannot be read"),
    "gone": (mlmodel("xgboost", data="none.ubj"), "SourceMissing", "none.ubj does not exist"),
}


@pytest.mark.parametrize(("description", "reason", "says"), MLMODELS.values(), ids=MLMODELS)
def test_an_mlflow_model(importing: Importing, description: bytes, reason: str, says: str) -> None:
    importing.put(description, "runs/1/MLmodel")
    importing.put(PICKLE, "runs/1/model.pkl")
    failure = refused(importing, prefix="runs/1/")
    assert failure.reason == reason, failure.message
    assert says in failure.message


@given(data=st.binary(max_size=200))
def test_whatever_an_mlmodel_holds_it_is_read_or_refused(data: bytes) -> None:
    try:
        found = mlflow_model.read(data, "x")
    except Failure:
        return
    assert found.file


@given(data=st.binary(max_size=64))
def test_whatever_bytes_a_file_begins_with(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.mktemp("f") / "model"
    path.write_bytes(data)
    try:
        found = kinds.recognised(path, "x")
    except Failure:
        return
    assert found.kind in ("XGBoost", "LightGBM", "ONNX")


def test_a_model_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.01)
    (tmp_path / "model.txt").write_bytes(lgb())
    with pytest.raises(Failure, match="within"):
        trial.prove(ModelFile(tmp_path / "model.txt", "LightGBM", "m"), "Classification")


def test_a_model_that_ends_the_process_when_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.skops").write_bytes(sklearn())
    crash = (
        "import os\n"
        "from sklearn.ensemble import HistGradientBoostingClassifier as Model\n"
        "Model.predict = lambda *_: os.kill(os.getpid(), 11)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(crash)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(Failure, match=r"loaded and asked it first .SIGSEGV") as caught:
        trial.prove(ModelFile(tmp_path / "model.skops", "Skops", "m"), "Classification")
    assert caught.value.reason == "ModelUnloadable"


def test_a_model_whose_parts_do_not_fit(importing: Importing) -> None:
    model = GradientBoostingClassifier(n_estimators=3).fit(*table())
    model.estimators_ = np.repeat(model.estimators_, 3, axis=1)
    importing.put(bytes(skops.io.dumps(model)))
    failure = refused(importing)
    assert failure.reason == "ModelUnloadable"
    assert "stages of shape (3, 3)" in failure.message


def test_a_model_that_needs_more_memory_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.skops").write_bytes(
        sklearn(RandomForestRegressor(n_estimators=30, random_state=0))
    )
    monkeypatch.setattr(trial.loading, "budget_bytes", lambda _: 16 * 1024)
    with pytest.raises(Failure) as caught:
        trial.prove(ModelFile(tmp_path / "model.skops", "Skops", "m"), "Regression")
    assert caught.value.reason == "ModelUnloadable"
    assert "memory" in caught.value.message


def test_an_mlmodel_that_would_be_endless_when_written() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
    )
    for flavor in ("xgboost: {data: *l}", "sklearn: {serialization_format: *l}"):
        with pytest.raises(Failure) as caught:
            mlflow_model.read(f"{bomb}flavors: {{{flavor}}}".encode(), "m")
        assert len(caught.value.message) < 500


def test_a_class_that_the_model_does_not_tell(workshop: Workshop, tmp_path: Path) -> None:
    importing = Importing(workshop).data(rows(200) + "1,2,7\n3,4,7\n")
    importing.put(xgb(tmp_path))
    failure = refused(importing)
    assert failure.reason == "TargetInvalid"
    assert "'y' has 0, 1, 7" in failure.message
