"""Runs that sign, runs that import: what their Jobs are given, what they wait for, their cache."""

import base64
import json
from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, summary, until_quiet
from tests.unit.store import keys
from tests.unit.training import scene
from tests.unit.training.scene import SPEC, VERSION, process, put_dataset

from tidemill.api.v1alpha1.run_status import AppliedRun
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.kube.resources import JOBS, SECRETS
from tidemill.store import digests, package, signing
from tidemill.training.cache_key import cache_key
from tidemill.training.pins import SIGNING_ANNOTATION

KIND, NAME = "TrainingRun", "r"
SIGNERS: dict[str, Any] = {"keyRef": {"name": "signers"}}
S3: dict[str, Any] = {"bucket": "models", "key": "m.ubj"}
DIGEST = "sha256:" + "5" * 64


def secret(world: World, name: str = "signers", **values: bytes) -> dict[str, Any]:
    data = {key.replace("_", "."): base64.b64encode(v).decode() for key, v in values.items()}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {}, "resourceVersion": "7"}
    return world.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


async def run(world: World, name: str = NAME, **changes: Any) -> dict[str, Any]:
    put_dataset(world)
    body = world.put(KIND, name, {**SPEC, **changes})
    await until_quiet(world, process(world)(), KIND, name)
    return body


def given(world: World) -> dict[str, Any]:
    own = [one for one in world.api.all(SECRETS) if "input.json" in one["data"]]
    found: dict[str, Any] = json.loads(base64.b64decode(own[0]["data"]["input.json"]))
    return found


def pod(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.job()["spec"]["template"]["spec"]
    return found


async def test_the_key_is_given_to_the_container_that_packs_and_to_no_other(world: World) -> None:
    secret(world, private_pem=keys.private_pem())
    sidecar = {"name": "s", "image": "i@sha256:" + "0" * 64}
    await run(world, signing=SIGNERS, template={"sidecars": [sidecar]})
    [volume] = [one for one in pod(world)["volumes"] if one["name"] == "signing"]
    assert volume["secret"] == {
        "secretName": "signers",
        "items": [{"key": "private.pem", "path": "key"}],
    }
    containers = [*pod(world)["containers"], *pod(world)["initContainers"]]
    having = [c["name"] for c in containers for m in c["volumeMounts"] if m["name"] == "signing"]
    assert having == ["runner"]
    told = given(world)
    mounts = pod(world)["containers"][0]["volumeMounts"]
    [mount] = [one for one in mounts if one["name"] == "signing"]
    assert (told["signing"]["folder"], mount["readOnly"]) == (mount["mountPath"], True)
    assert "signing" not in told["spec"]
    assert "PRIVATE" not in json.dumps(told)


async def test_a_password_is_given_with_it(world: World) -> None:
    pem = keys.private_pem(password=b"p")
    secret(world, a_pem=pem, word=b"p")
    reference = {"name": "signers", "key": "a.pem", "passwordKey": "word"}
    await run(world, signing={"keyRef": reference})
    [volume] = [one for one in pod(world)["volumes"] if one["name"] == "signing"]
    assert volume["secret"]["items"][1] == {"key": "word", "path": "password"}


FIELD = "spec.signing.keyRef: "


@pytest.mark.parametrize(
    ("values", "reference", "reason", "says"),
    [
        (None, {}, "SecretMissing", "there is no Secret signers in this namespace: create it"),
        ({"other": b"x"}, {}, "SecretInvalid", "lacks the key private.pem"),
        ({"private_pem": b"x"}, {}, "SecretInvalid", "holds no private key in PEM"),
        (
            {"private_pem": keys.public_pem().encode()},
            {},
            "SecretInvalid",
            "holds no private key in PEM",
        ),
        (
            {"private_pem": keys.private_pem(password=b"p")},
            {},
            "SecretInvalid",
            "is encrypted: name the key with its password in passwordKey",
        ),
        (
            {"private_pem": keys.private_pem()},
            {"passwordKey": "word"},
            "SecretInvalid",
            "lacks the key word",
        ),
    ],
    ids=["none", "no key", "no PEM", "public", "encrypted", "no password"],
)
async def test_a_secret_that_cannot_sign_is_told_before_there_is_a_job(
    world: World, values: dict[str, bytes] | None, reference: dict[str, str], reason: str, says: str
) -> None:
    if values is not None:
        secret(world, **values)
    body = await run(world, signing={"keyRef": {"name": "signers", **reference}})
    assert summary(body)["reason"] == reason
    assert summary(body)["message"].startswith(FIELD)
    assert says in summary(body)["message"]
    assert world.api.all(JOBS) == []
    assert "BEGIN" not in summary(body)["message"]


async def test_it_starts_once_the_secret_is_there(world: World) -> None:
    await run(world, signing=SIGNERS)
    secret(world, private_pem=keys.private_pem())
    await until_quiet(world, process(world)(), KIND, NAME)
    assert len(world.api.all(JOBS)) == 1


async def test_tidemills_own_secret_signs_nothing(world: World) -> None:
    secret(world, "tidemill-store", private_pem=keys.private_pem())
    body = await run(world, signing={"keyRef": {"name": "tidemill-store"}})
    assert summary(body)["message"] == (
        "spec.signing.keyRef.name: the Secret tidemill-store is Tidemill's own: name one of yours"
    )


async def test_which_state_of_the_secret_signs_is_pinned(world: World) -> None:
    made = secret(world, private_pem=keys.private_pem())
    body = await run(world, signing=SIGNERS)
    metadata = made["metadata"]
    state = f"{metadata['uid']}.{metadata['resourceVersion']}"
    assert body["status"]["applied"]["signingSecret"] == state
    assert world.job()["metadata"]["annotations"][SIGNING_ANNOTATION] == state


def spec(**changes: Any) -> TrainingRunSpec:
    return TrainingRunSpec.model_validate({**SPEC, **changes})


def applied(**changes: Any) -> AppliedRun:
    return AppliedRun(dataset_version=VERSION, image="i", spec_hash="h", **changes)


def test_whose_key_signs_is_part_of_what_makes_runs_the_same() -> None:
    keys_of = {
        cache_key(spec(), applied()),
        cache_key(spec(signing=SIGNERS), applied(signing_secret="u.1")),
        cache_key(spec(signing=SIGNERS), applied(signing_secret="u.2")),
        cache_key(spec(signing={"keyRef": {"name": "b"}}), applied(signing_secret="u.1")),
    }
    assert len(keys_of - {None}) == 4
    assert cache_key(spec(signing=SIGNERS), applied()) is None


def imported(**changes: Any) -> dict[str, Any]:
    return {"import": {"s3": {**S3, **changes}}}


def test_what_is_imported_makes_runs_the_same_only_by_its_digest() -> None:
    assert cache_key(spec(estimator=imported()), applied()) is None
    named = [imported(digest=DIGEST), imported(digest=DIGEST, bucket="others")]
    assert len({cache_key(spec(estimator=one), applied()) for one in named} - {None}) == 2


async def signed_twice(world: World, by: str) -> dict[str, Any]:
    """Run twice with one Secret; the package then bears the signature of the key `by`."""
    secret(world, private_pem=keys.private_pem())
    await run(world, "first", signing=SIGNERS)
    result = json.loads(json.dumps(scene.PACKAGED))
    result["artifact"]["signed"] = {"keyId": keys.key_id()}
    scene.leave_package(world)
    manifest = package.parse_manifest(scene.MANIFEST, scene.PACKAGE_DIGEST)
    world.store.objects[f"{scene.PACKAGE}model.sig"] = signing.sign(manifest, "r", keys.key(by))
    scene.leave_result(world, world.job(), result)
    world.end_job(world.job(), "Complete")
    await until_quiet(world, process(world)(), KIND, "first")
    return await run(world, "second", signing=SIGNERS)


async def test_a_signed_result_is_taken(world: World) -> None:
    body = await signed_twice(world, "ours")
    assert body["status"]["cachedFrom"]["name"] == "first"
    assert body["status"]["artifact"]["signed"] == {"keyId": keys.key_id()}


async def test_a_package_that_another_has_signed_since_is_not_taken(world: World) -> None:
    body = await signed_twice(world, "other")
    assert "cachedFrom" not in body["status"]


async def test_an_import_is_told_with_all_defaults(world: World) -> None:
    await run(world, estimator=imported(digest=DIGEST))
    store = world.platform.store_config
    assert given(world)["import"] == {
        "endpoint": store.endpoint,
        "region": store.region,
        "bucket": "models",
        "pathStyle": store.path_style,
        "key": "m.ubj",
        "prefix": None,
        "digest": DIGEST,
        "format": "Auto",
        "classes": None,
        "keys": None,
    }
    assert digests.is_digest(DIGEST)


async def test_its_keys_are_mounted_and_told_if_they_lack(world: World) -> None:
    body = await run(world, estimator=imported(credentialsRef={"name": "models"}))
    assert summary(body)["message"] == (
        "spec.estimator.import.s3.credentialsRef.name: there is no Secret models in this "
        "namespace: create it"
    )
    made = secret(world, "models")
    made["data"] = {"AWS_ACCESS_KEY_ID": "YQ=="}
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "SecretInvalid"
    assert "import.s3.credentialsRef" in summary(body)["message"]
    made["data"] = {"AWS_ACCESS_KEY_ID": "YQ==", "AWS_SECRET_ACCESS_KEY": "YQ=="}
    await until_quiet(world, process(world)(), KIND, NAME)
    [volume] = [one for one in pod(world)["volumes"] if one["name"] == "source"]
    assert volume["secret"]["secretName"] == "models"
    mounts = pod(world)["containers"][0]["volumeMounts"]
    [mount] = [one for one in mounts if one["name"] == "source"]
    assert given(world)["import"]["keys"] == mount["mountPath"]


@pytest.mark.parametrize(
    ("form", "boosted"), [("Auto", True), ("XGBoost", True), ("MLflow", True), ("Skops", False)]
)
def test_the_image_is_the_one_that_can_read_it(world: World, form: str, boosted: bool) -> None:
    from dataclasses import replace

    from tidemill.training.images import image_of

    platform = replace(world.platform, runner_boosting_image="boosting")
    asked = spec(estimator={"import": {"s3": S3, "format": form}})
    assert (image_of(asked, platform) == "boosting") is boosted
