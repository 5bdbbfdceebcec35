"""Session policies: small enough, and never wider than the job."""

import json
from typing import Any

import pytest

from tidemill.store import credentials
from tidemill.store.credentials import Policy

LONG = {"bucket": "b" * 63, "namespace": "n" * 63, "name": "x" * 253, "uid": "u" * 36}
SHORT = {"bucket": "b", "namespace": "ns", "name": "run", "uid": "u"}


def policies(names: dict[str, str]) -> dict[str, Policy]:
    package = f"models/{names['namespace']}/{names['name']}/{'0' * 64}/"
    return {
        "ingest": credentials.ingest_policy(*names.values()),
        "train": credentials.train_policy(*names.values(), dataset=names["name"]),
        "serve": credentials.serve_policy(names["bucket"], package),
    }


def statements(verb: str) -> list[dict[str, Any]]:
    document = json.loads(policies(SHORT)[verb].to_json())
    found: list[dict[str, Any]] = document["Statement"]
    return found


@pytest.mark.parametrize("verb", ["ingest", "train", "serve"])
def test_the_longest_names_fit(verb: str) -> None:
    assert len(policies(LONG)[verb].to_json()) <= credentials.MAX_POLICY


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="2000"):
        Policy("b", read=("x" * 1000,)).to_json()


@pytest.mark.parametrize("verb", ["ingest", "train", "serve"])
def test_every_right_is_cut_to_a_prefix_and_a_verb(verb: str) -> None:
    for statement in statements(verb):
        assert statement["Effect"] == "Allow"
        assert not any("*" in action or "Delete" in action for action in statement["Action"])
        if statement["Action"] == ["s3:ListBucket"]:
            assert all("/ns/" in p for p in statement["Condition"]["StringLike"]["s3:prefix"])
        else:
            assert all("/ns/" in resource for resource in statement["Resource"])


def test_a_training_writes_only_its_run_and_its_packages() -> None:
    written = next(s for s in statements("train") if "s3:PutObject" in s["Action"])
    assert written["Resource"] == [
        "arn:aws:s3:::b/runs/ns/u/*",
        "arn:aws:s3:::b/models/ns/run/*",
    ]


def test_a_server_writes_nothing() -> None:
    assert not any("s3:PutObject" in s["Action"] for s in statements("serve"))
