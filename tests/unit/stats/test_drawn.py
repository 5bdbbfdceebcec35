"""An estimate from draws knows an uncertainty even where all rows are alike."""

import numpy as np
import pytest

from tidemill.stats.classification import Classified
from tidemill.stats.drawn import Drawn
from tidemill.stats.intervals import wilson
from tidemill.stats.regression import Regressed
from tidemill.stats.resampling import Draws


def right(n: int, wrong: int = 0) -> Classified:
    truth = np.arange(n) % 2
    said = truth.copy()
    said[:wrong] = 1 - said[:wrong]
    return Classified(truth, said, None, 2)


def drawn(name: str, rows: Classified | Regressed, groups: np.ndarray | None = None) -> Drawn:
    found = Drawn.of(name, rows, Draws.of(rows.n, groups, 0), 0)
    assert found is not None
    return found


@pytest.mark.parametrize("wrong", [0, 7, 40])
def test_a_share_of_rows_has_wilsons_interval(wrong: int) -> None:
    found = drawn("error_rate", right(40, wrong)).estimate()
    assert (found.value, found.low, found.high) == (wrong / 40, *wilson(wrong, 40))


def test_of_groups_that_are_all_right_groups_are_counted() -> None:
    found = drawn("accuracy", right(400), np.repeat(np.arange(10), 40)).estimate()
    assert (found.value, found.low, found.high) == (1, *wilson(10, 10))


def test_more_confidence_is_wider() -> None:
    found = drawn("accuracy", right(400, 90), np.repeat(np.arange(40), 10))
    usual, sure = found.estimate(), found.estimate(0.999)
    assert sure.low < usual.low < usual.high < sure.high


def test_ends_are_those_that_a_metric_can_have() -> None:
    rows = Regressed(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.5]))
    found = drawn("rmse", rows).estimate(0.999)
    assert found.low >= 0
    assert drawn("r2", Regressed(np.arange(9.0), np.full(9, 50.0))).estimate().low < 0


def test_what_the_rows_cannot_give_is_none() -> None:
    assert Drawn.of("log_loss", right(4), Draws.of(4, None, 0), 0) is None
