"""What a database's refusals are called, and what of its words is never told."""

import asyncpg
import pytest

from tidemill.store import postgres_errors as errors

WHERE = "database plant at db:5432"
SECRETS = ("hush-hush", "ann")


def refusal(state: str, words: str, position: str | None = None) -> asyncpg.PostgresError:
    error = asyncpg.PostgresError(words)
    error.sqlstate, error.position = state, position
    return error


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("28P01", "AccessDenied"),
        ("28000", "AccessDenied"),
        ("42501", "AccessDenied"),
        ("3D000", "SourceMissing"),
        ("53300", "SourceUnavailable"),
        ("57P03", "SourceUnavailable"),
        ("08P01", "SourceUnavailable"),
    ],
)
def test_a_login_that_is_refused(state: str, reason: str) -> None:
    error = errors.of_login(refusal(state, 'for user "ann": hush-hush'), WHERE, "db-reader")
    assert error.reason == reason
    assert [word for word in SECRETS if word in error.message] == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("22012", "QueryInvalid"),
        ("25006", "QueryInvalid"),
        ("57014", "QueryInvalid"),
        ("P0001", "QueryInvalid"),
        ("42501", "AccessDenied"),
        ("57P01", "SourceUnavailable"),
        ("40001", "SourceUnavailable"),
        ("53200", "SourceUnavailable"),
        ("XX000", "SourceUnavailable"),
    ],
)
def test_a_query_that_ends_badly(state: str, reason: str) -> None:
    error = errors.of_run(refusal(state, 'value "4711" of ann is hush-hush'), WHERE, SECRETS)
    assert error.reason == reason
    assert state in error.message
    assert [word for word in (*SECRETS, "4711") if word in error.message] == []


def test_what_a_function_raises_may_be_data_and_is_not_told() -> None:
    error = errors.of_run(refusal("P0001", "the salary of Ann is 4711"), WHERE, ())
    assert "4711" not in error.message


@pytest.mark.parametrize(
    ("position", "place"),
    [("1", "line 1, column 1"), ("9", "line 2, column 2"), ("99", ""), ("x", ""), (None, "")],
)
def test_the_place_in_the_query(position: str | None, place: str) -> None:
    error = errors.of_query(refusal("42601", "syntax", position), WHERE, "SELECT\na", ())
    assert (place or "(SQLSTATE") in error.message
    assert ("line" in error.message) is bool(place)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('relation "ann_orders"', 'relation "ann_orders"'),  # a part of a word tells nothing
        ('type int: "ann"', 'type int: "…"'),
        ("xHUSH-HUSHx", "x…x"),
    ],
)
def test_values_of_credentials_are_taken_out(text: str, left: str) -> None:
    assert errors.without(text, SECRETS) == left
    assert errors.without(text, ("", "")) == text
