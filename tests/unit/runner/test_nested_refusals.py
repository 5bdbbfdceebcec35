"""Estimators within estimators that cannot be: each refused with its field and the way out."""

from typing import Any

import pytest
from tests.unit.runner.nested import (
    COLUMNS,
    KERNELS,
    LINE,
    NUMBERS,
    SCALER,
    WORDS,
    columns,
    delivered,
)
from tests.unit.runner.workshop import LOGISTIC, Workshop, estimator

from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure


def within(levels: int) -> tuple[str, dict[str, Any]]:
    """A bag of bags of bags."""
    bag = "sklearn.ensemble.BaggingClassifier"
    if not levels:
        return LOGISTIC, {}
    path, params = within(levels - 1)
    return bag, {"estimator": {"class": path, "params": params}}


MANY = {"name": "m", **LINE}
REFUSED: dict[str, tuple[list[Any], str, tuple[str, ...]]] = {
    "no columns": (
        [columns({"name": "n", "class": SCALER}), LOGISTIC],
        "ParameterInvalid",
        ("steps[0].params.transformers[0].columns", "numeric or categorical", "names"),
    ),
    "a kind misspelt": (
        [columns({"name": "n", "columns": "numerical", "class": SCALER}), LOGISTIC],
        "FeaturesInvalid",
        ("transformers[0].columns", "'numerical'", "numeric, categorical"),
    ),
    "a column misspelt": (
        [columns({"name": "n", "columns": ["flg"], "class": SCALER}), LOGISTIC],
        "FeaturesInvalid",
        ("transformers[0].columns", "'flg'", "did you mean 'flag'"),
    ),
    "the target among the columns": (
        [columns({"name": "n", "columns": ["b", "y"], "class": SCALER}), LOGISTIC],
        "FeaturesInvalid",
        ("transformers[0].columns", "'y' is spec.target", "take it out"),
    ),
    "a column twice": (
        [columns({"name": "n", "columns": ["b", "b"], "class": SCALER}), LOGISTIC],
        "ParameterInvalid",
        ("transformers[0].columns", "twice"),
    ),
    "a name twice": (
        [columns(NUMBERS, {**WORDS, "name": "numbers"}), LOGISTIC],
        "ParameterInvalid",
        ("transformers[1].name", "'numbers' is there already"),
    ),
    "no name": (
        [("sklearn.ensemble.VotingClassifier", {"estimators": [LINE]})],
        "ParameterInvalid",
        ("estimators[0]", "give each a name"),
    ),
    "a name that scikit-learn would take apart": (
        [("sklearn.ensemble.VotingClassifier", {"estimators": [{**MANY, "name": "a__b"}]})],
        "ParameterInvalid",
        ("estimators[0]", "'a__b'", "single underscores"),
    ),
    "no class": (
        [columns({"name": "n", "columns": "numeric"}), LOGISTIC],
        "ParameterInvalid",
        ("transformers[0]", "neither class nor steps"),
    ),
    "a word too many": (
        [columns({**NUMBERS, "colour": "red"}), LOGISTIC],
        "ParameterInvalid",
        ("transformers[0]", "'colour'", "class and params, or steps"),
    ),
    "no list": (
        [("sklearn.ensemble.VotingClassifier", {"estimators": 3})],
        "ParameterInvalid",
        ("params.estimators", "list of named ones"),
    ),
    "columns of what takes none": (
        [("sklearn.ensemble.VotingClassifier", {"estimators": [{**MANY, "columns": ["b"]}]})],
        "ParameterInvalid",
        ("estimators[0].columns", "only a ColumnTransformer"),
    ),
    "columns after a step that makes others": (
        [SCALER, columns(NUMBERS), LOGISTIC],
        "ParameterInvalid",
        ("steps[1].params.transformers[0].columns", "the first step"),
    ),
    "columns after a step that makes others, within": (
        [
            (
                "sklearn.ensemble.VotingClassifier",
                {
                    "estimators": [
                        {
                            "name": "v",
                            "steps": [
                                {"name": "s", "class": SCALER},
                                {
                                    "name": "c",
                                    "class": COLUMNS,
                                    "params": {"transformers": [NUMBERS]},
                                },
                                MANY,
                            ],
                        }
                    ]
                },
            )
        ],
        "ParameterInvalid",
        ("estimators[0].steps[1].params.transformers[0].columns", "the first step"),
    ),
    "columns within a bag of some columns": (
        [
            (
                "sklearn.ensemble.BaggingClassifier",
                {
                    "max_features": 0.5,
                    "estimator": {
                        "steps": [
                            {"name": "c", "class": COLUMNS, "params": {"transformers": [NUMBERS]}},
                            MANY,
                        ]
                    },
                },
            )
        ],
        "ParameterInvalid",
        ("the columns of the data set do not reach here",),
    ),
    "none of the columns there": (
        [columns({**WORDS, "steps": WORDS["steps"]}), LOGISTIC],
        "FeaturesInvalid",
        ("none of the columns", "remainder: passthrough"),
    ),
    "a class misspelt within": (
        [
            (
                "sklearn.ensemble.BaggingClassifier",
                {"estimator": {"class": "sklearn.tree.DecisionTree"}},
            )
        ],
        "EstimatorRefused",
        ("steps[0].params.estimator.class", "DecisionTreeClassifier"),
    ),
    "a function within": (
        [columns({"name": "f", "columns": "numeric", "class": "os.system"}), LOGISTIC],
        "EstimatorRefused",
        ("transformers[0].class", "'os.system'"),
    ),
    "what calls functions within": (
        [
            columns(
                {
                    "name": "f",
                    "columns": "numeric",
                    "class": "sklearn.preprocessing.FunctionTransformer",
                }
            ),
            LOGISTIC,
        ],
        "EstimatorRefused",
        ("transformers[0].class", "calls a function"),
    ),
    "files within": (
        [
            columns(
                {
                    "name": "f",
                    "columns": "kind",
                    "class": "sklearn.feature_extraction.text.CountVectorizer",
                    "params": {"input": "filename"},
                }
            ),
            LOGISTIC,
        ],
        "ParameterInvalid",
        ("transformers[0].params.input", "files"),
    ),
    "a parameter misspelt within": (
        [
            columns(
                {"name": "s", "columns": "numeric", "class": SCALER, "params": {"with_men": 1}}
            ),
            LOGISTIC,
        ],
        "ParameterInvalid",
        ("transformers[0].params", "'with_men'", "did you mean 'with_mean'", "copy, with_mean"),
    ),
    "a kernel for an estimator": (
        [KERNELS + "RBF"],
        "EstimatorRefused",
        ("steps[0].class", "not an estimator"),
    ),
    "folds that cannot be": (
        [
            (
                "sklearn.linear_model.LogisticRegressionCV",
                {"cv": {"class": "sklearn.model_selection.KFold", "params": {"n_splits": 1}}},
            )
        ],
        "ParameterInvalid",
        ("params.cv.params", "n_splits=1"),
    ),
    "an estimator where a number is wanted": (
        [("sklearn.linear_model.LogisticRegression", {"C": LINE})],
        "ParameterInvalid",
        ("steps[0].params", "'C'", "float"),
    ),
    "no end of estimators": (
        [
            within(20),
        ],
        "ParameterInvalid",
        ("deeper than 16",),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(workshop: Workshop, name: str) -> None:
    steps, reason, tells = REFUSED[name]
    data = delivered()
    if name == "none of the columns there":
        data = "a,b,y\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(40))
    with pytest.raises(Failure) as caught:
        workshop.learn(data, estimator=estimator(*steps))
    assert (caught.value.reason, caught.value.exit_code) == (reason, Exit.USER)
    for words in tells:
        assert words in caught.value.message
