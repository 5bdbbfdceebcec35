"""What goes wrong with a model of the user's code, told with the field that names the code."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill_runner.evaluate import Answers
from tidemill_runner.failures import Failure
from tidemill_runner.user_code.code import Code

TOLERANCE = 1e-3
log = logging.getLogger(__name__)


@contextmanager
def explained(code: Code) -> Iterator[None]:
    """Failure for whatever the model raises when it is asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Failure as failure:
            words = f"{code.field}: {failure.message}"
            raise Failure(failure.reason, words, failure.exit_code) from None
        except MemoryError:
            raise
        except Exception as error:
            log.exception("the model failed")
            words = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            raise failed(
                code,
                f"the model that it made does not answer for the rows held out ({words}): it is "
                "asked with the features in the order and form that it was given them",
            ) from None


def check(code: Code, answers: Answers) -> None:
    """Raise Failure where probabilities are none: any file may call its numbers so."""
    given = answers.probabilities
    if given is None:
        return
    wrong = (given < -TOLERANCE) | (given > 1 + TOLERANCE)
    if wrong.any() or (abs(given.sum(axis=1) - 1) > TOLERANCE).any():
        raise failed(
            code,
            "what its model gives as probabilities are none (from 0 to 1, together 1): let it give "
            "them, or labels alone",
        )


def failed(code: Code, what: str) -> Failure:
    """The code did not do what it is for."""
    return Failure("FitFailed", f"{code.field}: {what}")
