"""No label may differ, and numbers by less than could matter."""

from typing import Any

import numpy as np
import pytest

from tidemill_runner.graph import agreement
from tidemill_runner.graph.agreement import Agreement
from tidemill_runner.graph.questions import Asked

ROWS = np.zeros((4, 1))
LABELS = np.array([0, 1, 1, 0])
SHARES = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
NUMBERS = np.array([0.0, 10.0, 20.0, 30.0])


class Said:
    """A graph that says what it was given to say."""

    def __init__(self, predict: Any, predict_proba: Any = None) -> None:
        self.answers = {"predict": np.asarray(predict), "predict_proba": np.asarray(predict_proba)}

    def answer(self, rows: Any, wanted: Any) -> dict[str, Any]:
        del rows
        return {name: self.answers[name] for name in wanted}


@pytest.mark.parametrize(
    ("asked", "said", "flips", "holds"),
    [
        (Asked(ROWS, LABELS, SHARES), Said(LABELS, SHARES), 0, True),
        (Asked(ROWS, LABELS, SHARES), Said(LABELS, SHARES + 9e-5), 0, True),
        (Asked(ROWS, LABELS, SHARES), Said(LABELS, SHARES + 2e-4), 0, False),
        (Asked(ROWS, LABELS, SHARES), Said([1, 1, 1, 0], SHARES), 1, False),
        (Asked(ROWS, LABELS, SHARES), Said(LABELS, SHARES[:, :1]), 0, False),
        (Asked(ROWS, LABELS, None), Said(1 - LABELS), 4, False),
        (Asked(ROWS, NUMBERS, None), Said(NUMBERS + 1e-3), 0, True),
        (Asked(ROWS, NUMBERS, None), Said(NUMBERS + 2e-3), 0, False),
        (Asked(ROWS, np.full(4, 1e6), None), Said(np.full(4, 1e6 + 0.9)), 0, True),
        (Asked(ROWS, np.full(4, 1e6), None), Said(np.full(4, 1e6 + 1.1)), 0, False),
    ],
    ids=[
        *("the-same", "a-little", "shares-too-far", "a-label", "other-shape", "all-labels"),
        *("numbers-a-little", "numbers-too-far", "constant-a-little", "constant-too-far"),
    ],
)
def test_what_agrees(asked: Asked, said: Any, flips: int, holds: bool) -> None:
    found = agreement.compare(said, asked, agreement.tolerance(asked))
    assert (found.flips, found.holds) == (flips, holds)
    assert found.rows == 4


def test_the_reason_names_the_number() -> None:
    assert Agreement(9, 2, 0.5, 1e-4).words() == "2 of 9 labels differ from the pipeline's"
    assert "by up to 0.5 in 9 rows, more than 0.0001" in Agreement(9, 0, 0.5, 1e-4).words()
