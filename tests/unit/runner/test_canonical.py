"""The canonical model file: equal models, equal bytes; and still the same model."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from tidemill.store import trusted
from tidemill_runner import canonical

X = np.random.default_rng(0).normal(size=(80, 4))
Y = (X[:, 0] > 0).astype(int)


def fitted(model: BaseEstimator) -> BaseEstimator:
    return model.fit(X, Y)


def written(model: BaseEstimator, folder: Path, name: str) -> Path:
    raw, target = folder / f"{name}.raw", folder / f"{name}.skops"
    skops.io.dump(model, raw)
    canonical.rewrite(raw, target)
    return target


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(5, random_state=1),
        make_pipeline(StandardScaler(), SVC(random_state=1)),
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
    ],
    ids=["forest", "scaled-svc", "sparse"],
)
def test_equal_models_have_equal_bytes_and_equal_answers(
    model: BaseEstimator, tmp_path: Path
) -> None:
    first = written(fitted(model), tmp_path, "first")
    answers = model.predict(X)
    padding = [object() for _ in range(1000)]  # other addresses for the second fit
    second = written(fitted(clone(model)), tmp_path, "second")
    assert first.read_bytes() == second.read_bytes()
    assert (trusted.load(first).predict(X) == answers).all()
    assert len(padding) == 1000


def test_no_time_and_no_address_is_in_the_file(tmp_path: Path) -> None:
    path = written(fitted(RandomForestClassifier(2, random_state=1)), tmp_path, "m")
    with zipfile.ZipFile(path) as archive:
        assert {member.date_time for member in archive.infolist()} == {canonical.STAMP}
        names = [member.filename for member in archive.infolist()]
    assert names[0] == "schema.json"
    assert names[1:] == [f"{number}.npy" for number in range(len(names) - 1)]
