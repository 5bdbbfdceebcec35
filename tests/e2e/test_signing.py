"""Signed packages on a cluster: signed by the run, demanded by the server, proved by the plugin."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.plugin import plugin, user
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, eventually, summary
from tests.unit.store import keys

SIGNING = {"keyRef": {"name": "signers"}}
SMALL = {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}


def believing(*names: str, run: str = "signed") -> dict[str, Any]:
    believed = {"publicKeys": [keys.public_pem(name) for name in names]}
    return {"model": {"run": run, "verification": believed}, "template": SMALL}


@pytest.fixture(scope="module")
def signed(common: World) -> World:
    """A data set, a run that signs, one that does not, and what demands which signature."""
    common.secret("signers", {"private.pem": keys.private_pem().decode()})
    common.apply("Dataset", "data", {"source": {"inline": {"format": "CSV", "data": rows(200)}}})
    runs = {
        "signed": specs.training_run("data", signing=SIGNING),
        "unsigned": specs.training_run("data", seed=1),
        "unable": specs.training_run("data", signing={"keyRef": {"name": "nobody"}}),
    }
    common.apply_all("TrainingRun", runs)
    deployments = {
        "right": believing("other", "ours"),
        "wrong": believing("other"),
        "none": believing("ours", run="unsigned"),
    }
    common.apply_all("ModelDeployment", deployments)
    return common


def prefix_of(world: World, run: str) -> str:
    artifact = world.wait_ready("TrainingRun", run)["status"]["artifact"]
    return str(artifact["uri"].removeprefix(f"s3://{BUCKET}/"))


def test_a_run_signs_and_says_by_whose_key(signed: World, raw: RawStore) -> None:
    prefix = prefix_of(signed, "signed")
    artifact = signed.read("TrainingRun", "signed")["status"]["artifact"]
    assert artifact["signed"] == {"keyId": keys.key_id()}
    bundle = json.loads(raw.get(f"{prefix}model.sig", bucket=BUCKET))
    assert f"sha256:{bundle['verificationMaterial']['publicKey']['hint']}" == keys.key_id()


def test_a_server_serves_what_it_believes(signed: World) -> None:
    signed.wait_ready("ModelDeployment", "right")
    assert infer(signed, "right", "right", {"a": [1], "b": [0.0]})["predict"] == ["down"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("wrong", "none of those that are believed"), ("none", "the package is not signed")],
)
def test_nothing_else_is_served(signed: World, name: str, says: str) -> None:
    body = assert_refused(signed, "ModelDeployment", name, "SignatureInvalid", (says,))
    assert "stable" not in body["status"] or body["status"]["stable"]["ready"] == 0


def test_a_key_that_is_not_there_is_waited_for(signed: World) -> None:
    signed.wait_reason("TrainingRun", "unable", "SecretMissing")
    assert "spec.signing.keyRef" in summary(signed.read("TrainingRun", "unable"))["message"]


def test_keys_are_changed_without_a_gap(signed: World) -> None:
    stable = signed.wait_ready("ModelDeployment", "right")["status"]["stable"]
    signed.apply("ModelDeployment", "right", believing("other"))
    keeps = f"version {stable['version']} keeps serving"
    assert_refused(signed, "ModelDeployment", "right", "SignatureInvalid", (keeps,))
    assert infer(signed, "right", "right", {"a": [1], "b": [0.0]})["predict"] == ["down"]
    signed.secret("signers-new", {"private.pem": keys.private_pem("other").decode()})
    again = specs.training_run("data", signing={"keyRef": {"name": "signers-new"}})
    signed.apply("TrainingRun", "again", again)
    artifact = signed.wait_ready("TrainingRun", "again")["status"]["artifact"]
    assert artifact["signed"] == {"keyId": keys.key_id("other")}
    signed.apply("ModelDeployment", "right", believing("other", run="again"))
    signed.wait_ready("ModelDeployment", "right")


def test_the_plugin_proves_it_and_sees_a_changed_byte(
    signed: World, raw: RawStore, tmp_path: Path
) -> None:
    prefix = prefix_of(signed, "signed")
    (tmp_path / "public.pem").write_text(keys.public_pem())
    kubeconfig = user(signed, "verifier", "edit", tmp_path)
    arguments = ("verify", "signed", "--key", str(tmp_path / "public.pem"))
    # A right that was just given is not known at once.
    eventually(lambda: plugin(signed, kubeconfig, *arguments, group="model").code == 0, 60)
    told = plugin(signed, kubeconfig, *arguments, group="model")
    assert f"signed by the key {keys.key_id()[7:19]}" in told.out
    card = plugin(signed, kubeconfig, "show", "signed", group="model")
    assert (card.code, card.out[:2]) == (0, "# ")
    before = raw.get(f"{prefix}card.md", bucket=BUCKET)
    raw.put(f"{prefix}card.md", before + b" ", bucket=BUCKET)
    try:
        told = plugin(signed, kubeconfig, *arguments, group="model")
    finally:
        raw.put(f"{prefix}card.md", before, bucket=BUCKET)
    assert told.code == 1
    assert "card.md" in told.out
    assert "Do not use it." in told.out
