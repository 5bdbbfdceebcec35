"""Every failure has a documented reason and an exit code that fits who must act."""

import ast
from pathlib import Path

import pytest

from tidemill.api.v1alpha1.actor import Actor
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.store import errors
from tidemill.store.config import StoreConfigError
from tidemill_runner import failures
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure, translate

SOURCES = Path(failures.__file__).parent


def reasons_raised() -> set[str]:
    """The first argument of every `Failure(…)` in the runner, by reading its code."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Failure":
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    found.add(argument.value)
    return found


@pytest.mark.parametrize("reason", sorted(reasons_raised() | set(failures.EXITS)))
def test_every_reason_is_documented_and_has_an_exit_code(reason: str) -> None:
    assert Reason(reason).meaning
    assert reason in failures.EXITS


@pytest.mark.parametrize(("reason", "code"), sorted(failures.EXITS.items()))
def test_a_run_is_tried_again_only_where_nobody_has_to_act(reason: str, code: Exit) -> None:
    # Another node may have room, and another time the store.
    passing = ("StoreUnavailable", "SourceUnavailable", "OnlineStoreUnavailable", "ScratchFull")
    healing = Reason(reason).actor is Actor.NOBODY or reason in passing
    assert (code is Exit.INFRASTRUCTURE) == healing


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        pytest.param(
            errors.Unavailable("x"), "StoreUnavailable", Exit.INFRASTRUCTURE, id="store-down"
        ),
        pytest.param(errors.AccessDenied("x"), "AccessDenied", Exit.INFRASTRUCTURE, id="denied"),
        pytest.param(errors.BucketMissing("x"), "BucketMissing", Exit.INFRASTRUCTURE, id="bucket"),
        pytest.param(StoreConfigError("x"), "InternalError", Exit.BUG, id="mount-incomplete"),
        pytest.param(OSError(28, "x"), "ScratchFull", Exit.INFRASTRUCTURE, id="disk-full"),
        pytest.param(OSError(2, "x"), "InternalError", Exit.BUG, id="no-such-file"),
        pytest.param(MemoryError(), "FitFailed", Exit.USER, id="memory"),
        pytest.param(KeyError("x"), "InternalError", Exit.BUG, id="anything-else"),
        pytest.param(Failure("NoRows", "x"), "NoRows", Exit.DATA, id="a-failure-stays"),
    ],
)
def test_exceptions_become_reasons(error: Exception, reason: str, code: Exit) -> None:
    failure = translate(error)
    assert (failure.reason, failure.exit_code) == (reason, code)


def test_messages_are_bounded() -> None:
    assert len(Failure("NoRows", "x" * 100_000).message) < 2000
