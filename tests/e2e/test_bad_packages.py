"""Models that may not be served: nothing of them is loaded, and what serves keeps serving."""

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from tests.e2e import specs
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import WITHIN, assert_refused, assert_waits
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, eventually

Files = dict[str, bytes]
MANIFEST = "manifest.json"
MODEL = "model.skops"
PICKLE = pickle.dumps({"a": 1})
SMALL = {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest(files: Mapping[str, bytes]) -> bytes:
    """Name the files, whatever they are."""
    entries = [{"path": p, "sha256": sha256(d), "size": len(d)} for p, d in sorted(files.items())]
    document = {"files": entries, "format": "tidemill.dev/package/v1"}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def archive(**members: bytes) -> bytes:
    """Make a zip."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        for name, data in members.items():
            made.writestr(name.replace("_", "."), data)
    return sink.getvalue()


def with_file(name: str, data: bytes) -> Callable[[Files], Files]:
    """The package with another file that its manifest names."""

    def change(files: Files) -> Files:
        changed = {**files, name: data}
        return {**changed, MANIFEST: manifest(changed)}

    return change


def beside(name: str, data: bytes | None) -> Callable[[Files], Files]:
    """The package with a file changed, added or removed behind its manifest's back."""

    def change(files: Files) -> Files:
        whole = {**files, MANIFEST: manifest(files)}
        return {k: v for k, v in (whole | {name: data}).items() if v is not None}

    return change


CODE = json.dumps(
    {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "FunctionNode",
        "content": {"module_path": "os", "function": "system"},
        "protocol": 2,
        "_skops_version": "0.16.0",
        "__id__": 1,
    }
).encode()


@dataclass(frozen=True)
class Bad:
    """What was done to a good package, and what the message must tell."""

    reason: str
    tells: tuple[str, ...]
    change: Callable[[Files], Files]


BAD = {
    "model-bytes-differ": Bad(
        "DigestMismatch", (MODEL, "bytes with digest", "the manifest says"), beside(MODEL, b"PK")
    ),
    "manifest-missing": Bad("MissingFile", (MANIFEST, "does not exist"), beside(MANIFEST, None)),
    "file-missing": Bad(
        "MissingFile", ("lacks 'signature.json'", "restore it"), beside("signature.json", None)
    ),
    "a-file-too-many": Bad(
        "UnexpectedFile", ("'notes.txt'", "does not name", "remove it"), beside("notes.txt", b"x")
    ),
    "a-file-that-is-not-allowed": Bad(
        "UnexpectedFile", ("'train.py'", "allowed are"), with_file("train.py", b"import os")
    ),
    "a-pickle-by-name": Bad(
        "PickleRefused", ("'model.pkl'", "run code"), with_file("model.pkl", PICKLE)
    ),
    "a-pickle-in-disguise": Bad("PickleRefused", (MODEL, "is a pickle"), with_file(MODEL, PICKLE)),
    "a-pickle-in-the-model": Bad(
        "PickleRefused",
        (MODEL, "holds the pickle 'x.pkl'"),
        with_file(MODEL, archive(schema_json=b"{}", x_pkl=PICKLE)),
    ),
    "a-path-that-climbs-out": Bad(
        "UnsafePath", ("'../../climbed'", "no plain file name"), with_file("../../climbed", b"x")
    ),
    "a-model-that-runs-code": Bad(
        "ModelUnloadable", (MODEL, "os.system"), with_file(MODEL, archive(schema_json=CODE))
    ),
}


@pytest.fixture(scope="module")
def packages(common: World, raw: RawStore) -> World:
    """A good model, one run that failed, and every bad package deployed."""
    ns = common.namespace
    raw.put(f"{ns}/one.csv", rows(200))
    common.apply("Dataset", "data", specs.dataset(f"{ns}/"))
    failing = specs.training_run("data", target="lable")
    # Where a package has the model in ONNX as well, that answers, and the other is not loaded.
    good = specs.training_run("data", onnx="Never")
    common.apply_all("TrainingRun", {"good": good, "failed": failing})
    artifact = common.wait_ready("TrainingRun", "good", WITHIN)["status"]["artifact"]
    prefix = artifact["uri"].removeprefix(f"s3://{BUCKET}/")
    keys = raw.keys(prefix, bucket=BUCKET)
    files = {key.removeprefix(prefix): raw.get(key, bucket=BUCKET) for key in keys}
    files.pop(MANIFEST)
    models = {name: deliver(raw, ns, name, bad.change(dict(files))) for name, bad in BAD.items()}
    models["digest-differs"] = {"uri": artifact["uri"], "digest": sha256(b"another")}
    foreign = f"s3://{BUCKET}/models/somebody-else/m/{'0' * 64}/"
    models["of-another-namespace"] = {"uri": foreign, "digest": sha256(b"x")}
    models["of-a-failed-run"] = {"run": "failed"}
    models["web"] = {"run": "good"}
    common.apply_all(
        "ModelDeployment",
        {name: {"model": model, "template": SMALL} for name, model in models.items()},
    )
    return common


def deliver(raw: RawStore, namespace: str, name: str, files: Files) -> dict[str, str]:
    """Put a package where one of that digest belongs; gives what names it in a spec."""
    digest = sha256(files.get(MANIFEST, name.encode()))
    prefix = f"models/{namespace}/{name}/{digest.removeprefix('sha256:')}/"
    for path, data in files.items():
        raw.put(f"{prefix}{path.replace('../', '')}", data, bucket=BUCKET)
    return {"uri": f"s3://{BUCKET}/{prefix}", "digest": digest}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_package_is_not_served(packages: World, name: str) -> None:
    tells = (*BAD[name].tells, "mend the package, or name another in spec.model")
    body = assert_refused(packages, "ModelDeployment", name, BAD[name].reason, tells)
    assert "stable" not in body["status"] or body["status"]["stable"]["ready"] == 0


def test_a_package_of_another_digest_is_not_served(packages: World) -> None:
    wanted = sha256(b"another")
    tells = ("manifest.json has digest sha256:", f"not {wanted}", "name another in spec.model")
    assert_refused(packages, "ModelDeployment", "digest-differs", "DigestMismatch", tells)


def test_a_package_of_another_namespace_is_not_read(packages: World) -> None:
    own = f"s3://{BUCKET}/models/{packages.namespace}/"
    tells = ("spec.model", "/models/somebody-else/", own, "name a package of this namespace")
    assert_refused(packages, "ModelDeployment", "of-another-namespace", "SpecInvalid", tells)
    found = packages.list("deployments")
    assert not any("of-another-namespace" in body["metadata"]["name"] for body in found)


def test_a_failed_run_is_not_served(packages: World) -> None:
    tells = ("spec.model.run", "TrainingRun failed", "'lable'", "name a run that succeeded")
    assert_refused(packages, "ModelDeployment", "of-a-failed-run", "RunFailed", tells)


def test_a_newer_version_that_fails_leaves_the_old_one_serving(packages: World) -> None:
    packages.wait_ready("ModelDeployment", "web")
    bad = packages.read("ModelDeployment", "a-pickle-in-disguise")["spec"]["model"]
    stable = packages.read("ModelDeployment", "web")["status"]["stable"]
    newer = {
        "PickleRefused": bad,
        "RunFailed": {"run": "failed"},
        "SpecInvalid": {**bad, "uri": f"s3://{BUCKET}/models/somebody-else/m/"},
    }
    keeps = f"version {stable['version']} keeps serving"
    for reason, model in newer.items():
        packages.apply("ModelDeployment", "web", {"model": model, "template": SMALL})
        body = assert_refused(packages, "ModelDeployment", "web", reason, (keeps,))
        assert body["status"]["stable"]["digest"] == stable["digest"]
        assert infer(packages, "web", "web", {"a": [1], "b": [0.0]})["predict"] == ["down"]
    packages.apply("ModelDeployment", "web", {"model": {"run": "later"}, "template": SMALL})
    tells = ("spec.model.run", "TrainingRun later", "create it", keeps)
    assert_waits(packages, "ModelDeployment", "web", "WaitingForRun", tells)
    packages.apply("TrainingRun", "later", specs.training_run("data", seed=1))
    packages.wait_ready("ModelDeployment", "web")
    eventually(lambda: len(deployments_of(packages, "web")) == 1, 60)


def deployments_of(world: World, name: str) -> list[str]:
    """The Deployments of the versions of one ModelDeployment."""
    uid = world.read("ModelDeployment", name)["metadata"]["uid"]
    found = world.list("deployments", "-l", f"tidemill.dev/owner-uid={uid}")
    return [body["metadata"]["name"] for body in found]
