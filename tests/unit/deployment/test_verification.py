"""Whose signature a server is to demand: told to its pods, part of what a revision is."""

import json
from typing import Any

import pytest
from tests.unit.deployment.test_lookup import SERVER, TARGET
from tests.unit.store import keys

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.deployment.manifests import deployment_manifest, revision_of
from tidemill.deployment.said import OF_THE_PACKAGE
from tidemill.store.errors import PackageReason

PARENT: dict[str, Any] = {"metadata": {"name": "power", "namespace": "team", "uid": "u-1"}}


def spec(*names: str) -> ModelDeploymentSpec:
    believed = {"publicKeys": [keys.public_pem(name) for name in names]}
    model = {"run": "r", **({"verification": believed} if names else {})}
    return ModelDeploymentSpec.model_validate({"model": model})


def environment(*names: str) -> dict[str, str]:
    manifest = deployment_manifest(PARENT, spec(*names), TARGET, SERVER)
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def test_the_keys_are_told_to_the_server() -> None:
    told = json.loads(environment("ours", "other")["TIDEMILL_MODEL_PUBLIC_KEYS"])
    assert told == [keys.public_pem("ours"), keys.public_pem("other")]
    assert "TIDEMILL_MODEL_PUBLIC_KEYS" not in environment()


def test_other_keys_are_another_revision_and_none_the_one_there_was() -> None:
    asked = [spec(), spec("ours"), spec("other"), spec("ours", "other")]
    revisions = [revision_of(TARGET, SERVER, one) for one in asked]
    assert len(set(revisions)) == 4
    assert revisions[0] == revision_of(TARGET, SERVER, spec())


@pytest.mark.parametrize("reason", list(PackageReason))
def test_every_reason_for_which_a_package_is_refused_has_a_way_out(reason: PackageReason) -> None:
    known = Reason(reason.value)
    assert known in OF_THE_PACKAGE or known is Reason.SIGNATURE_INVALID
