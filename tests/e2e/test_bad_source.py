"""Sources that cannot be read: who must do what is said, and nothing is forgotten when it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.raw_store import OWN_BUCKETS, SYSTEM, RawStore
from tests.e2e.refusals import assert_refused, assert_waits
from tests.e2e.test_path import rows
from tests.e2e.world import World, summary

KEY = "AWS_SECRET_ACCESS_KEY"
PORT = 9000


@dataclass(frozen=True)
class Bad:
    """A source, what is wrong with it, and what the message must tell."""

    reason: str
    tells: tuple[str, ...]
    source: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, str] | None = None
    folder: str = ""


def secret(name: str) -> dict[str, Any]:
    return {"credentialsRef": {"name": name}}


BAD = {
    "bucket-missing": Bad(
        "BucketMissing",
        ("spec.source.s3.bucket", "'e2e-no-such-bucket'", "create it, or correct the name"),
        {"bucket": "e2e-no-such-bucket"},
    ),
    "credentials-wrong": Bad(
        "AccessDenied",
        ("s3://raw/", "refuses the credentials", "correct the Secret wrong-keys"),
        secret("wrong-keys"),
        {"AWS_ACCESS_KEY_ID": "nobody", KEY: "not the key"},
    ),
    "nobodys-right-to-read": Bad(
        "AccessDenied",
        ("s3://raw/", "set spec.source.s3.credentialsRef"),
        {"credentialsRef": None},
    ),
    "secret-missing": Bad(
        "SecretMissing",
        ("spec.source.s3.credentialsRef", "Secret no-such-secret", "AWS_ACCESS_KEY_ID", KEY),
        secret("no-such-secret"),
    ),
    "secret-lacks-a-key": Bad(
        "SecretInvalid",
        ("Secret half-keys", f"lacks the key {KEY}", "add it"),
        secret("half-keys"),
        {"AWS_ACCESS_KEY_ID": "half"},
    ),
    "secret-with-an-empty-key": Bad(
        "SecretInvalid",
        ("Secret empty-key", f"lacks the key {KEY}", "add it"),
        secret("empty-key"),
        {"AWS_ACCESS_KEY_ID": "half", KEY: ""},
    ),
    "prefix-empty": Bad(
        "PrefixEmpty",
        ("s3://raw/", "/nothing/", "deliver data there, or correct spec.source.s3.prefix"),
        folder="nothing/",
    ),
    "only-hidden-objects": Bad(
        "PrefixEmpty",
        (
            "none of the 2 object(s)",
            "/hidden/",
            "start with a dot or an underscore",
            "deliver data",
        ),
        folder="hidden/",
    ),
}


HEALS = {
    "secret-created": ("SecretMissing", None),
    "secret-completed": ("SecretInvalid", {"AWS_ACCESS_KEY_ID": "half"}),
    "secret-corrected": ("AccessDenied", {"AWS_ACCESS_KEY_ID": "nobody", KEY: "not the key"}),
}


@pytest.fixture(scope="module")
def sources(common: World, raw: RawStore) -> World:
    """Every bad source as a Dataset of its own."""
    ns = common.namespace
    raw.put(f"{ns}/one.csv", rows(40))
    raw.put(f"{ns}/hidden/_SUCCESS", "")
    raw.put(f"{ns}/hidden/.part.csv", rows(40))
    wrong = {bad.source["credentialsRef"]["name"]: bad.secret for bad in BAD.values() if bad.secret}
    for name, values in (wrong | {name: keys for name, (_, keys) in HEALS.items() if keys}).items():
        common.secret(name, values)
    wanted = {name: specs.dataset(f"{ns}/{bad.folder}", **bad.source) for name, bad in BAD.items()}
    heals = {name: specs.dataset(f"{ns}/one", **secret(name)) for name in HEALS}
    bucket = specs.dataset("", bucket=f"{OWN_BUCKETS}{ns}")
    common.apply_all("Dataset", wanted | heals | {"bucket-created": bucket})
    return common


@pytest.mark.parametrize("name", BAD)
def test_a_bad_source_is_refused(sources: World, name: str) -> None:
    body = assert_refused(sources, "Dataset", name, BAD[name].reason, BAD[name].tells)
    assert "version" not in body["status"]
    assert not any(name in job["metadata"]["name"] for job in sources.list("jobs"))


@pytest.mark.parametrize("name", HEALS)
def test_a_secret_fixed_later_heals_by_itself(sources: World, raw: RawStore, name: str) -> None:
    sources.wait_stalled("Dataset", name, HEALS[name][0])
    sources.secret(name, raw.reader)
    assert sources.wait_ready("Dataset", name)["status"]["rows"] == 40


def test_a_bucket_created_later_heals_by_itself(sources: World, raw: RawStore) -> None:
    bucket = f"{OWN_BUCKETS}{sources.namespace}"
    sources.wait_stalled("Dataset", "bucket-created", "BucketMissing")
    raw.client.make_bucket(bucket_name=bucket)
    try:
        raw.put("one.csv", rows(40), bucket=bucket)
        assert sources.wait_ready("Dataset", "bucket-created")["status"]["rows"] == 40
    finally:
        raw.remove("one.csv", bucket=bucket)
        raw.client.remove_bucket(bucket_name=bucket)


def service(name: str) -> dict[str, Any]:
    """A Service without a selector: who answers behind it is written by the test."""
    ports = [{"name": "http", "port": PORT}]
    return {"apiVersion": "v1", "kind": "Service", **_named(name), "spec": {"ports": ports}}


def answered_by(name: str, address: str) -> dict[str, Any]:
    """The store's pod behind the Service."""
    body = _named(name)
    body["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        **body,
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": PORT}],
    }


def _named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


def test_a_store_that_is_down_is_tried_again_and_heals(sources: World) -> None:
    ns = sources.namespace
    store = sources.kubectl.get("pod", "minio-0", "-n", SYSTEM)["status"]["podIP"]
    endpoint = f"http://s3.{ns}.svc:{PORT}"
    sources.kubectl.apply(service("s3"), "-n", ns)
    sources.apply("Dataset", "store-down", specs.dataset(f"{ns}/one", endpoint=endpoint))
    tells = (endpoint, "does not answer: refused", "trying again")
    assert_waits(sources, "Dataset", "store-down", "StoreUnavailable", tells)
    sources.kubectl.apply(answered_by("s3", store), "-n", ns)
    version = sources.wait_ready("Dataset", "store-down")["status"]["version"]

    sources.kubectl("delete", "endpointslice", "s3", "-n", ns)
    tells = (*tells, "stays in use")
    body = assert_waits(sources, "Dataset", "store-down", "StoreUnavailable", tells)
    assert body["status"]["version"] == version
    sources.kubectl.apply(answered_by("s3", store), "-n", ns)
    body = sources.wait_ready("Dataset", "store-down")
    assert body["status"]["version"] == version


def test_a_host_that_does_not_exist_is_named(sources: World) -> None:
    endpoint = f"http://no-such-service.{sources.namespace}.svc:{PORT}"
    sources.apply("Dataset", "no-host", specs.dataset(f"{sources.namespace}/", endpoint=endpoint))
    tells = (endpoint, "host name unknown", "trying again")
    body = assert_waits(sources, "Dataset", "no-host", "StoreUnavailable", tells)
    assert summary(body)["status"] == "False"
