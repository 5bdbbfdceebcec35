"""Session policies: small enough, and never wider than the job."""

import fnmatch
import json
from dataclasses import replace
from typing import Any

import pytest

from tidemill.store import credentials, layout
from tidemill.store.credentials import Policy

LONG = {"bucket": "b" * 63, "namespace": "n" * 63, "name": "x" * 253, "uid": "u" * 36}
SHORT = {"bucket": "b", "namespace": "ns", "name": "run", "uid": "u"}


def upstream(names: dict[str, str]) -> str:
    """Give the key of a manifest of another data set."""
    version = "sha256:" + "0" * 64
    return layout.manifest_key(names["namespace"], "y" * len(names["name"]), version)


def policies(names: dict[str, str]) -> dict[str, Policy]:
    package = f"models/{names['namespace']}/{names['name']}/{'0' * 64}/"
    return {
        "ingest": credentials.ingest_policy(*names.values()),
        "derive": credentials.ingest_policy(*names.values(), upstream=[upstream(names)]),
        "share": credentials.with_manifests(
            credentials.with_parts(
                credentials.ingest_policy(*names.values()),
                layout.run_prefix(names["namespace"], names["uid"]),
            ),
            names["namespace"],
            [upstream(names)],
        ),
        "train": credentials.train_policy(*names.values(), dataset=names["name"]),
        **{
            verb: credentials.shortened(
                more(
                    credentials.train_policy(*names.values(), dataset=names["name"]),
                    layout.run_prefix(names["namespace"], names["uid"]),
                ),
                names["namespace"],
                layout.manifest_key(names["namespace"], names["name"], f"sha256:{'0' * 64}"),
            )
            for verb, more in {
                "spread": credentials.with_parts,
                "search": credentials.with_trials,
                "code": credentials.with_checkpoint,
            }.items()
        },
        "serve": credentials.serve_policy(names["bucket"], package),
    }


def statements(verb: str) -> list[dict[str, Any]]:
    document = json.loads(policies(SHORT)[verb].to_json())
    found: list[dict[str, Any]] = document["Statement"]
    return found


@pytest.mark.parametrize(
    "verb", ["ingest", "derive", "share", "train", "spread", "search", "code", "serve"]
)
def test_the_longest_names_fit(verb: str) -> None:
    assert len(policies(LONG)[verb].to_json()) <= credentials.MAX_POLICY


def test_manifests_joined_come_to_what_was_read_already() -> None:
    pattern, joined = (
        policies(LONG)["spread"].read_keys,
        layout.manifest_key("n", "d", f"sha256:{'1' * 64}"),
    )
    policy = credentials.with_manifests(policies(LONG)["spread"], "n", [joined])
    assert len(pattern) == 1
    assert policy.read_keys == (*pattern, layout.manifest_pattern("n", joined))
    assert credentials.with_manifests(policies(LONG)["spread"], "n", ()).read_keys == pattern


@pytest.mark.parametrize("names", [SHORT, LONG], ids=["short names", "long names"])
def test_pods_of_a_search_read_the_run_and_remove_what_they_left(names: dict[str, str]) -> None:
    policy = policies(names)["spread"]
    run = layout.run_prefix(names["namespace"], names["uid"])
    assert run in policy.read
    assert run in policy.write
    assert policy.remove == (f"{run}*/parts/",)
    manifests = layout.manifests_prefix(names["namespace"], names["name"])
    key = layout.manifest_key(names["namespace"], names["name"], f"sha256:{'0' * 64}")
    assert (manifests in policy.read) is (names is SHORT)
    patterns = [f"{manifests}*"] if names is SHORT else policy.read_keys
    assert any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


@pytest.mark.parametrize(("many", "fits"), [(3, True), (200, False)])
def test_of_many_manifests_the_keys_are_shortened(many: int, fits: bool) -> None:
    """They stay those versions, and of no other namespace."""
    keys = [
        layout.manifest_key(LONG["namespace"], "y" * 253, f"sha256:{n:064x}"[:7] + f"{n:02x}" * 32)
        for n in range(many)
    ]
    policy = credentials.ingest_policy(*LONG.values(), upstream=keys)
    assert policy.fits is fits
    start = f"datasets/{LONG['namespace']}/*/manifests/"
    assert policy.read_keys[:2] == (f"{start}{'00' * 8}*", f"{start}{'01' * 8}*")


@pytest.mark.parametrize("many", [1, 8])
def test_a_training_reads_the_manifests_joined_and_no_others(many: int) -> None:
    keys = [layout.manifest_key("ns", "f" * 253, f"sha256:{n:02x}{'a' * 62}") for n in range(8)]
    alone = credentials.train_policy(*SHORT.values(), dataset="d")
    policy = credentials.with_manifests(alone, "ns", keys[:many])
    assert policy.fits
    assert replace(policy, read_keys=()) == alone
    assert (policy.read_keys == tuple(keys[:many])) is (many == 1)
    assert all(key.startswith("datasets/ns/") for key in policy.read_keys)
    assert credentials.with_manifests(alone, "ns", ()) == alone


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="2000"):
        Policy("b", read=("x" * 1000,)).to_json()


@pytest.mark.parametrize("verb", ["ingest", "derive", "train", "serve"])
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


def test_of_another_data_set_one_manifest_is_read_and_nothing_else() -> None:
    [more] = [found for found in statements("derive") if found not in statements("ingest")]
    assert more["Action"] == ["s3:GetObject"]
    assert more["Resource"] == [f"arn:aws:s3:::b/{upstream(SHORT)}"]


def test_an_ingest_reads_and_writes_content_and_its_own_and_writes_its_run() -> None:
    both, written, _ = statements("ingest")
    assert {"s3:GetObject", "s3:PutObject"} <= set(both["Action"])
    assert both["Resource"] == [
        "arn:aws:s3:::b/cas/ns/sha256/*",
        "arn:aws:s3:::b/datasets/ns/run/*",
    ]
    assert "s3:GetObject" not in written["Action"]
    assert written["Resource"] == ["arn:aws:s3:::b/runs/ns/u/*"]


def test_pods_that_share_an_ingest_read_their_runs_and_remove_parts_alone() -> None:
    both, _, removed, listed = statements("share")
    assert both["Resource"] == [*statements("ingest")[0]["Resource"], "arn:aws:s3:::b/runs/ns/u/*"]
    assert removed["Action"] == ["s3:DeleteObject"]
    assert removed["Resource"] == ["arn:aws:s3:::b/runs/ns/u/*/parts/*"]
    assert "runs/ns/u/*" in listed["Condition"]["StringLike"]["s3:prefix"]


def test_a_server_writes_nothing() -> None:
    assert not any("s3:PutObject" in s["Action"] for s in statements("serve"))
