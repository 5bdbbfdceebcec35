"""The list of several models: what the pods are told of it, and what is kept of the one before."""

import json
from typing import Any

import pytest
from tests.unit.deployment.scene import digest, package

from tidemill.api.v1alpha1.conditions import Verdict, progressing
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.served_models import MAX_MODELS, MAX_URI, ServedModel
from tidemill.deployment.shelf import Entry, Shelf, entry, told_before
from tidemill.deployment.target import Target

WAITS = progressing(Reason.WAITING_FOR_RUN, "no run")
BEFORE = {"name": "a", **package("a")}


def made(
    wanted: Target | Verdict | None = None, before: dict[str, Target] | None = None, **model: Any
) -> Entry:
    asked = ServedModel.model_validate({"name": "a", "run": "r", **model})
    return entry(asked, wanted or Target(**package("b")), before or {})


def test_the_text_is_that_of_the_contract() -> None:
    limits = {"rows": 10, "inFlight": 2, "memory": "1.5Gi"}
    keys = {"publicKeys": ["pem-1", "pem-2"]}
    first = made(name="z", limits=limits, verification=keys)
    text = Shelf((first, made())).text
    assert json.loads(text) == {
        "models": [
            {
                "name": "z",
                **package("b"),
                **keys,
                "limits": {"rows": 10, "inFlight": 2, "memoryBytes": 1610612736},
            },
            {"name": "a", **package("b")},
        ]
    }
    assert text.startswith('{"models":[{"digest":"sha256:'), "canonical: sorted, without spaces"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"rows": 1}, {"rows": 1}),
        ({"inFlight": 10_000}, {"inFlight": 10_000}),
        ({"memory": 1_000_000}, {"memoryBytes": 1_000_000}),
        ({"memory": "500M"}, {"memoryBytes": 500_000_000}),
        ({"memory": "1m"}, {"memoryBytes": 1}),
    ],
    ids=str,
)
def test_limits_that_are_not_set_are_left_out(
    limits: dict[str, Any], expected: dict[str, int] | None
) -> None:
    listed = made(limits=limits).listed
    assert listed is not None
    assert listed.get("limits") == expected


def test_an_entry_without_a_package_keeps_the_one_before() -> None:
    before = {"a": Target(**package("a"))}
    kept = made(WAITS, before, limits={"rows": 1})
    assert kept.listed == {"name": "a", **package("a"), "limits": {"rows": 1}}
    assert (kept.former, kept.package) == (before["a"], before["a"])
    known = made(before=before)
    assert (known.former, known.package) == (None, Target(**package("b")))


def test_an_entry_of_which_nothing_is_known_is_left_out() -> None:
    left_out = made(WAITS, {"b": Target(**package("a"))})
    assert (left_out.listed, left_out.package) == (None, None)
    shelf = Shelf((left_out, made(name="b")))
    assert [one["name"] for one in json.loads(shelf.text)["models"]] == ["b"]
    assert shelf.names == {"a", "b"}
    assert not shelf.empty
    assert Shelf((left_out,)).empty


def test_what_was_told_is_read_back() -> None:
    entries = (made(limits={"rows": 1}), made(name="b"))
    target = Target(**package("b"))
    assert told_before(Shelf(entries).text) == {"a": target, "b": target}


def test_a_list_has_a_size_that_a_deployment_can_note() -> None:
    longest = "-----BEGIN PUBLIC KEY-----" + "\n" * 7 + "x" * 455 + "-----END PUBLIC KEY-----"
    assert len(longest) == 512
    uri = f"s3://tidemill/models/ns/{'x' * 2023}/"
    assert len(uri) == MAX_URI
    most = made(Target(uri, digest("a")), name="a" * 63, verification={"publicKeys": [longest] * 8})
    assert Shelf((most,) * MAX_MODELS).fault is None
    escaped = made(Target(uri.replace("x", "\x01"), digest("a")))
    fault = Shelf((escaped,) * MAX_MODELS).fault
    assert fault is not None
    assert (fault.reason, fault.stalled) == (Reason.SPEC_INVALID, True)
    assert fault.message.startswith("spec.models: the list takes 384 KiB as JSON, and may take 224")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "x",
        "[" * 60_000,
        "[]",
        '{"models": {}}',
        json.dumps({"models": [1, None, {}]}),
        json.dumps({"models": [{**BEFORE, "name": 1}]}),
        json.dumps({"models": [{**BEFORE, "uri": []}]}),
        json.dumps({"models": [{**BEFORE, "digest": "sha256:x"}]}),
        json.dumps({"models": [BEFORE] * 33}),
        json.dumps({"models": [{**BEFORE, "name": "a" * 64}]}),
        json.dumps({"models": [{**BEFORE, "uri": BEFORE["uri"] + "x" * 2048}]}),
    ],
    ids=[
        *("none", "empty", "no JSON", "deep", "a list", "by name", "no entries", "name", "uri"),
        *("digest", "too many", "long name", "long address"),
    ],
)
def test_what_somebody_made_of_it_is_not_read(text: str | None) -> None:
    assert told_before(text) == {}
