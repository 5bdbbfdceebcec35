"""What a pod says of its models, and what is believed of it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.deployment.scene import digest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.deployment.said import MAX_TEXT, MAX_TOLD, Answer, NotToldError, Said, read, way_out

NAMES = {"a", "b"}
KEYS = "spec.model.verification"
A = {"name": "a", "wanted": digest("a"), "digest": digest("a"), "reason": "Ready", "message": ""}
SAID = Said(digest("a"), digest("a"), "Ready")


def told(*models: Any, **more: Any) -> Mapping[str, Said]:
    return answer(*models, **more).models


def answer(*models: Any, **more: Any) -> Answer:
    return read("p", json.dumps({"ready": True, "models": list(models), **more}).encode(), NAMES)


def test_what_the_contract_says_is_read() -> None:
    b = {"name": "b", "wanted": digest("b"), "digest": "", "reason": "DigestMismatch"}
    found = told(A, {**b, "message": "not these"}, later="field")
    assert found == {"a": SAID, "b": Said(digest("b"), "", Reason.DIGEST_MISMATCH, "not these")}


NOT_TOLD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is no JSON"),
    "a page": (b"<html>", "it is no JSON"),
    "no UTF-8": (b'{"models": ["\xff"]}', "it is no JSON"),
    "deep": (b"[" * 60_000, "it is no JSON"),
    "a long number": (b'{"models": ' + b"9" * 60_000 + b"}", "it is no JSON"),
    "a list": (b"[]", "it lists no models"),
    "null": (b"null", "it lists no models"),
    "no models": (b'{"ready": true}', "it lists no models"),
    "models by name": (b'{"models": {"a": {}}}', "it lists no models"),
}


@pytest.mark.parametrize("case", NOT_TOLD)
def test_what_tells_of_no_models_is_told_as_that(case: str) -> None:
    body, says = NOT_TOLD[case]
    with pytest.raises(NotToldError, match=says):
        read("p", body, NAMES)


@pytest.mark.parametrize(
    "one",
    [None, 1, "a", [], {}, {"name": None}, {"name": ["a"]}, {"name": {}}, {"name": "c"}],
    ids=str,
)
def test_what_was_not_asked_about_is_read_over(one: Any) -> None:
    assert told(one, A) == {"a": SAID}


LIES: dict[str, tuple[dict[str, Any], Said]] = {
    "a digest that is none": ({"digest": "sha256:x"}, Said(digest("a"), "", "Ready")),
    "a digest of another type": ({"digest": [digest("a")]}, Said(digest("a"), "", "Ready")),
    "a wish that is none": ({"wanted": 7}, Said("", digest("a"), "Ready")),
    "no reason": ({"reason": None}, Said(*([digest("a")] * 2), Reason.MODEL_UNLOADABLE)),
    "a reason of other things": (
        {"reason": "PolicyViolated"},
        Said(*([digest("a")] * 2), Reason.MODEL_UNLOADABLE),
    ),
    "a reason that nobody knows": (
        {"reason": {"x": 1}},
        Said(*([digest("a")] * 2), Reason.MODEL_UNLOADABLE),
    ),
    "the end of a pod": ({"reason": "Draining"}, Said(*([digest("a")] * 2), "Loading")),
    "a message of another type": ({"message": {"x": 1}}, SAID),
    "signs for a terminal": (
        {"message": "\x1b[2J all\n\nis\twell\u202e"},
        Said(*([digest("a")] * 2), "Ready", "[2J all is well"),
    ),
    "a long message": (
        {"message": "x" * 60_000},
        Said(*([digest("a")] * 2), "Ready", "x" * (MAX_TEXT - 1) + "…"),
    ),
}


@pytest.mark.parametrize("case", LIES)
def test_what_is_not_as_it_should_be_counts_as_nothing(case: str) -> None:
    change, expected = LIES[case]
    assert told({**A, **change}) == {"a": expected}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(digest("f"), digest("f")), (None, ""), ("sha256:x", ""), ([digest("f")], "")],
    ids=str,
)
def test_which_list_it_follows(value: object, expected: str) -> None:
    assert answer(A, list=value) == Answer("p", {"a": SAID}, listed=expected)


def test_keys_that_a_server_cannot_read_are_not_the_packages_fault() -> None:
    assert told({**A, "reason": "SecretInvalid"})["a"].reason == Reason.SECRET_INVALID


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        (Reason.MODEL_UNLOADABLE, ": mend the package, or name another in spec.model"),
        (
            Reason.SIGNATURE_INVALID,
            f": name a package signed by a key of {KEYS}, or believe the one that did",
        ),
        (Reason.STORE_UNAVAILABLE, ""),
    ],
)
def test_the_way_out_names_the_field(reason: Reason, way: str) -> None:
    assert way_out(reason, "spec.model") == way


def test_of_what_is_said_twice_the_first_counts() -> None:
    assert told(A, {**A, "digest": ""}) == {"a": SAID}


def test_a_long_list_is_read_no_further() -> None:
    assert told(*([None] * (MAX_TOLD - 1)), A) == {"a": SAID}
    assert told(*([None] * MAX_TOLD), A) == {}
