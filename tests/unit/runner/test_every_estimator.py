"""Every estimator of scikit-learn: it trains, is packed, is loaded by the server and predicts the
same; or it is refused with the reason, which `docs/training.md` has as well. In ONNX it predicts
the same or is left out with the reason, never anything else.
"""

import random
from pathlib import Path
from typing import Any

import pytest
from sklearn.base import ClassifierMixin, RegressorMixin
from tests.unit.runner.packages import assert_onnx_agrees, served, unpack
from tests.unit.runner.workshop import LOGISTIC, RIDGE, Workshop, classification, estimator

from tidemill_runner import catalogue
from tidemill_runner.failures import Failure

DOCUMENT = Path(__file__).parents[3] / "docs" / "training.md"
LINE, SLOPE = {"class": LOGISTIC}, {"class": RIDGE}
TREE = {"class": "sklearn.tree.DecisionTreeClassifier"}
SCALER = {"class": "sklearn.preprocessing.StandardScaler"}
FEW, COMPONENT, ONE = {"n_estimators": 4}, {"n_components": 1}, {"estimator": LINE}
RADIUS = {"radius": 9.0}


def listed(*members: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": f"m{place}", **each} for place, each in enumerate(members)]


# What a class needs, or makes it quick; the others are taken as they come.
PARAMS: dict[str, dict[str, Any]] = {
    "ColumnTransformer": {"transformers": [{"name": "n", "columns": "numeric", **SCALER}]},
    "FeatureUnion": {"transformer_list": listed(SCALER, SCALER)},
    "Pipeline": {"steps": listed(SCALER, SCALER)},
    "StackingClassifier": {"estimators": listed(LINE, TREE), "cv": 2},
    "StackingRegressor": {"estimators": listed(SLOPE, SLOPE), "cv": 2},
    "VotingClassifier": {"estimators": listed(LINE, TREE)},
    "VotingRegressor": {"estimators": listed(SLOPE, SLOPE)},
    **dict.fromkeys(
        (
            *("FixedThresholdClassifier", "OneVsOneClassifier", "OneVsRestClassifier"),
            *("OutputCodeClassifier", "RFE", "RFECV", "SelectFromModel"),
            *("SelfTrainingClassifier", "SequentialFeatureSelector"),
        ),
        ONE,
    ),
    **dict.fromkeys(
        (
            *("BaggingClassifier", "BaggingRegressor", "ExtraTreesClassifier"),
            *("ExtraTreesRegressor", "GradientBoostingClassifier", "GradientBoostingRegressor"),
            *("RandomForestClassifier", "RandomForestRegressor", "RandomTreesEmbedding"),
            *("AdaBoostClassifier", "AdaBoostRegressor"),
        ),
        FEW,
    ),
    **dict.fromkeys(("CCA", "PLSCanonical", "PLSRegression"), COMPONENT),
    **dict.fromkeys(("GaussianRandomProjection", "SparseRandomProjection"), COMPONENT),
    "GenericUnivariateSelect": {"mode": "k_best", "param": 2},
    "IsotonicRegression": {"out_of_bounds": "clip"},
    "CategoricalNB": {"min_categories": 10},
    **dict.fromkeys(("RadiusNeighborsClassifier", "RadiusNeighborsRegressor"), RADIUS),
    "MissingIndicator": {"features": "all"},
    "OneHotEncoder": {"handle_unknown": "ignore"},
    "OrdinalEncoder": {"handle_unknown": "use_encoded_value", "unknown_value": -1},
}
TEXTS = ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer")
# Those that neither transform nor predict a target: what they do is done to the rows given alone.
NO_PLACE = {
    path
    for path, cls in catalogue.estimators().items()
    if not issubclass(cls, ClassifierMixin | RegressorMixin) and not hasattr(cls, "transform")
}


def data() -> str:
    chance = random.Random(5)
    lines = ["a,b,c,t,y,z"]
    for i in range(60):
        a, b, c = chance.random(), chance.randrange(10), 2 * chance.random()
        word = ("red car", "blue car", "red bike")[i % 3]
        lines.append(f"{a},{b},{c},{word},{int(a + c > 1.4)},{a * 3 + b}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, dict[str, Any]]:
    workshop = Workshop(tmp_path_factory.mktemp("every"))
    workshop.deliver(data_csv=data())
    return workshop, workshop.ingest()


def spec_of(path: str) -> dict[str, Any]:
    """The class as the last step where it predicts, before a model where it transforms."""
    cls = catalogue.estimators()[path]
    name = cls.__name__
    params = PARAMS.get(name, {})
    left_out = {"t", "y", "z"}
    regresses = issubclass(cls, RegressorMixin)
    steps: list[Any] = [(path, params)]
    if not regresses and not issubclass(cls, ClassifierMixin):
        steps.append(LOGISTIC)
    if name in TEXTS:
        part = {"name": "t", "columns": "t", "class": path}
        steps[0] = ("sklearn.compose.ColumnTransformer", {"transformers": [part]})
        left_out = {"a", "b", "c", "z"}
    if name == "IsotonicRegression":
        left_out = {"b", "c", "t", "y"}
    target = "z" if regresses else "y"
    return classification(
        task="Regression" if regresses else "Classification",
        target=target,
        features={"exclude": sorted(left_out - {target})},
        estimator=estimator(*steps),
    )


@pytest.mark.parametrize("path", sorted(set(catalogue.estimators()) - NO_PLACE))
def test_it_trains_and_the_server_predicts_the_same(
    place: tuple[Workshop, dict[str, Any]], path: str
) -> None:
    workshop, ingested = place
    folder = unpack(workshop, workshop.train(ingested, spec_of(path)))
    served(folder).assert_the_same()
    assert_onnx_agrees(folder)


@pytest.mark.parametrize("path", sorted(NO_PLACE))
def test_one_that_has_no_place_is_refused(
    place: tuple[Workshop, dict[str, Any]], path: str
) -> None:
    workshop, ingested = place
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, spec_of(path))
    assert caught.value.reason == "EstimatorRefused"
    assert "transforms nothing" in caught.value.message


@pytest.mark.parametrize("path", sorted(catalogue.REFUSED))
def test_one_that_cannot_be_honoured_is_refused(
    place: tuple[Workshop, dict[str, Any]], path: str
) -> None:
    workshop, ingested = place
    with pytest.raises(Failure) as caught:
        workshop.train(ingested, classification(estimator=estimator(path)))
    assert caught.value.reason == "EstimatorRefused"
    assert catalogue.REFUSED[path] in caught.value.message


def test_the_document_has_those_refused_with_their_reasons() -> None:
    by_reason: dict[str, list[str]] = {}
    for path, reason in catalogue.REFUSED.items():
        by_reason.setdefault(reason, []).append(path.rsplit(".", 1)[-1])
    by_reason["it transforms nothing and predicts no target"] = [
        path.rsplit(".", 1)[-1] for path in NO_PLACE
    ]
    text = DOCUMENT.read_text()
    for reason, names in by_reason.items():
        row = f"| {', '.join(f'`{name}`' for name in sorted(names))} | {reason} |"
        assert row in text, row
