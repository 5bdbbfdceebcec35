"""Models in ONNX that exist: packed as they are, and served as they answered."""

import json
from typing import Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression
from tests.unit.runner.imported.foreign import Importing, mlmodel, table
from tests.unit.runner.packages import unpack
from tests.unit.runner.workshop import Workshop, rows

from tidemill.store import package
from tidemill_runner.failures import Failure
from tidemill_server.formats import onnx_format
from tidemill_server.package.signature import read_signature
from tidemill_server.probe.examine import examine


@pytest.fixture
def importing(workshop: Workshop) -> Importing:
    return Importing(workshop).data(rows(200))


def graph(estimator: Any = None, target: Any = None) -> bytes:
    """A fitted estimator as others write it: one input, no map of probabilities."""
    features, own = table()
    fitted = (estimator or LogisticRegression()).fit(features, own if target is None else target)
    options = {"zipmap": False} if hasattr(fitted, "predict_proba") else None
    made = to_onnx(fitted, features[:1].astype(np.float32), options=options)
    return bytes(made.SerializeToString())


def served(importing: Importing, result: dict[str, Any]) -> dict[str, Any]:
    """See that a server takes the package and says what the run did; gives the signature."""
    folder = unpack(importing.workshop, result)
    examine(folder, "Onnx")
    assert not (folder / package.MODEL).exists()
    signature = read_signature(folder / "signature.json")
    assert signature.onnx is not None
    model = onnx_format.load(folder, signature, signature.onnx)
    document: dict[str, Any] = json.loads((folder / "signature.json").read_text())
    asked = np.array(document["examples"], dtype=np.float64)
    onnx_format.check_answers(signature.onnx, model.predict(asked, signature.output_names))
    return document


def accuracy(result: dict[str, Any]) -> float:
    return float(next(one for one in result["metrics"] if one["name"] == "accuracy")["value"])


@pytest.mark.parametrize("form", ["Auto", "ONNX"])
def test_it_is_packed_and_served(importing: Importing, form: str) -> None:
    importing.put(graph())
    result = importing.run(format=form)
    signature = served(importing, result)
    assert [one["name"] for one in signature["outputs"]] == ["predict", "predict_proba"]
    assert signature["classes"] == [0, 1]
    assert accuracy(result) > 0.9
    assert result["artifact"]["onnx"] is True
    assert result["onnx"] == {"alone": True}
    assert result["import"]["kind"] == "ONNX"


def test_numbers(importing: Importing) -> None:
    features, _ = table()
    importing.put(graph(LinearRegression(), features[:, 0] * 2.0))
    served(importing, importing.run({"task": "Regression"}))


def test_texts_as_classes(workshop: Workshop) -> None:
    importing = Importing(workshop).data(rows(200, line="{a},{b},c{y}"))
    _, target = table()
    importing.put(graph(target=np.array([f"c{one}" for one in target])))
    result = importing.run()
    assert served(importing, result)["classes"] == ["c0", "c1"]
    assert accuracy(result) > 0.9


def test_of_mlflow(importing: Importing) -> None:
    importing.put(mlmodel("onnx", data="model.onnx"), "m/MLmodel")
    importing.put(graph(), "m/model.onnx")
    served(importing, importing.run(prefix="m", format="MLflow"))


def refused(importing: Importing, spec: dict[str, Any] | None = None, **asked: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        importing.run(spec, **asked)
    assert not [key for key in importing.workshop.store.objects if key.startswith("models/")]
    return caught.value


def test_another_number_of_features(importing: Importing) -> None:
    importing.put(graph())
    failure = refused(importing, {"features": {"exclude": ["b"]}})
    assert failure.reason == "FeaturesInvalid"
    assert "takes 2 features" in failure.message


def test_another_number_of_classes(workshop: Workshop) -> None:
    lines = "".join(f"{n % 7},{n % 5},{n % 3}\n" for n in range(200))
    importing = Importing(workshop).data(f"a,b,y\n{lines}")
    importing.put(graph())
    failure = refused(importing)
    assert failure.reason == "TargetInvalid"
    assert "tells 2 classes, and the target has 3" in failure.message


@pytest.mark.parametrize("data", [b"\x08\x07", b"\x08" + b"\xff" * 60], ids=["cut", "bent"])
def test_what_is_none(importing: Importing, data: bytes) -> None:
    importing.put(data)
    assert refused(importing).reason == "ModelUnloadable"
