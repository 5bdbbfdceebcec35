"""A run that a user's code trains: what its pod is like, who sees what, what is told of its end."""

from typing import Any

import pytest
from tests.unit.children.world import NAMESPACE, World, summary, until_quiet
from tests.unit.training.scene import SPEC, VERSION, cluster, process, put_dataset
from tests.unit.training.test_given import put_secret

from tidemill.api.v1alpha1.run_status import AppliedRun
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.kube.resources import JOBS
from tidemill.training import user_code
from tidemill.training.cache_key import cache_key

KIND, NAME = "TrainingRun", "r"
IMAGE = "registry.example/code@sha256:" + "c" * 64
DIGEST = "sha256:" + "d" * 64
MOUNTED: dict[str, Any] = {"configMap": {"name": "code", "key": "fit.py"}}
GIT: dict[str, Any] = {"git": {"url": "https://git.example/x/y", "commit": "a" * 40}}
S3: dict[str, Any] = {"s3": {"bucket": "code", "key": "train.py", "digest": DIGEST}}
CONTAINER: dict[str, Any] = {
    "image": IMAGE,
    "command": ["fit"],
    "args": ["-v"],
    "env": [{"name": "A", "value": "1"}],
}
Body = dict[str, Any]


def spec(estimator: Body, **changes: Any) -> Body:
    return {**SPEC, "estimator": estimator, **changes}


async def started(world: World, estimator: Body, **changes: Any) -> Body:
    put_dataset(world)
    body = world.put(KIND, NAME, spec(estimator, **changes))
    await until_quiet(world, process(world)(), KIND, NAME)
    return body


def containers(world: World) -> dict[str, Body]:
    pod = world.job()["spec"]["template"]["spec"]
    return {c["name"]: c for c in [*pod["initContainers"], *pod["containers"]]}


def mounts(world: World, name: str) -> dict[str, bool]:
    found = containers(world)[name]["volumeMounts"]
    return {one["mountPath"]: one.get("readOnly", False) for one in found}


WAYS: dict[str, tuple[Body, str]] = {
    "a ConfigMap": ({"script": MOUNTED}, "script"),
    "a commit": ({"script": GIT}, "script"),
    "an object": ({"script": S3}, "script"),
    "a container": ({"container": CONTAINER}, "train"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_it_runs_between_two_of_ours_and_beside_a_third(world: World, way: str) -> None:
    estimator, name = WAYS[way]
    await started(world, estimator)
    pod = world.job()["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["initContainers"]] == ["collect", "follow", name]
    assert [c["name"] for c in pod["containers"]] == ["runner"]
    found = containers(world)
    verbs = {n: found[n]["args"] for n in ("collect", "follow", "runner")}
    assert verbs == {"collect": ["provide"], "follow": ["follow"], "runner": ["judge"]}
    assert found["follow"]["restartPolicy"] == "Always"
    assert "restartPolicy" not in found[name]


@pytest.mark.parametrize("way", WAYS)
async def test_it_sees_its_data_and_its_own_folders_and_nothing_else(
    world: World, way: str
) -> None:
    estimator, name = WAYS[way]
    await started(world, estimator)
    assert mounts(world, name) == {
        "/tidemill/in": True,
        "/tidemill/out": False,
        "/tidemill/checkpoint": False,
        "/tmp": False,
    }
    pod = world.job()["spec"]["template"]["spec"]
    rooms = {v["name"]: v for v in pod["volumes"]}
    for mount in containers(world)[name]["volumeMounts"]:
        assert rooms[mount["name"]]["emptyDir"]["sizeLimit"]
    assert pod["automountServiceAccountToken"] is False
    assert containers(world)[name]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    names = {one["name"] for one in containers(world)[name]["env"]}
    known = {"TIDEMILL_IN", "TIDEMILL_OUT", "TIDEMILL_CHECKPOINT", "HOME", "PYTHONHASHSEED"}
    assert names <= {*known, "PYTHONDONTWRITEBYTECODE", "A"}


async def test_only_the_first_sees_the_script_and_what_fetches_it(world: World) -> None:
    put_secret(world, "keys")
    script = {"s3": {**S3["s3"], "credentialsRef": {"name": "keys"}}}
    await started(world, {"script": script})
    opened = {n for n in containers(world) if "/etc/tidemill/source" in mounts(world, n)}
    assert opened == {"collect"}


async def test_a_config_map_is_mounted_where_its_script_is_read(world: World) -> None:
    await started(world, {"script": MOUNTED})
    [code] = [v for v in world.job()["spec"]["template"]["spec"]["volumes"] if v["name"] == "code"]
    items = [{"key": "fit.py", "path": "script"}]
    assert code["configMap"] == {"name": "code", "items": items}
    seen = {n for n in containers(world) if "/etc/tidemill/code" in mounts(world, n)}
    assert seen == {"collect"}


async def test_the_follower_writes_to_nothing_of_the_codes(world: World) -> None:
    await started(world, {"container": CONTAINER})
    found = mounts(world, "follow")
    assert found["/tidemill/out"] is found["/tidemill/checkpoint"] is True
    assert "/state" not in found
    assert "/tidemill/in" not in found


async def test_a_script_runs_in_the_runners_image_or_in_its_own(world: World) -> None:
    await started(world, {"script": MOUNTED})
    found = containers(world)
    assert found["script"]["image"] == found["runner"]["image"]
    assert found["script"]["command"] == ["python3", "-u", "/tidemill/in/tidemill_call.py"]
    middle = user_code.middle(
        TrainingRunSpec.model_validate(spec({"script": {**MOUNTED, "image": IMAGE}})), "ours"
    )
    assert middle is not None
    assert middle.image == IMAGE


async def test_a_container_runs_as_the_spec_says(world: World) -> None:
    await started(world, {"container": CONTAINER})
    found = containers(world)["train"]
    assert (found["image"], found["command"], found["args"]) == (IMAGE, ["fit"], ["-v"])
    assert {"name": "A", "value": "1"} in found["env"]


async def test_what_the_template_gives_is_given_to_the_code_alone(world: World) -> None:
    put_secret(world, "mine")
    template = {
        "resources": {"limits": {"memory": "3Gi", "nvidia.com/gpu": "1"}},
        "env": [{"name": "TRACK", "value": "x"}],
        "volumes": [{"name": "tmp", "secret": {"secretName": "mine"}}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/mnt/mine"}],
        "sidecars": [{"name": "side", "image": IMAGE}],
    }
    await started(world, {"container": CONTAINER}, template=template)
    given = {n for n, c in containers(world).items() if "/mnt/mine" in mounts(world, n)}
    told = {n for n, c in containers(world).items() if {"name": "TRACK", "value": "x"} in c["env"]}
    assert given == told == {"train"}
    assert containers(world)["train"]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    names = [v["name"] for v in world.job()["spec"]["template"]["spec"]["volumes"]]
    assert len(names) == len(set(names))
    first = [c["name"] for c in world.job()["spec"]["template"]["spec"]["initContainers"]]
    assert first == ["side", "collect", "follow", "train"]


@pytest.mark.parametrize("kind", ["git", "s3"])
async def test_a_secret_of_ours_opens_no_source_of_a_script(world: World, kind: str) -> None:
    script = {**GIT, **S3}[kind]
    await started(
        world, {"script": {kind: {**script, "credentialsRef": {"name": "tidemill-store"}}}}
    )
    [live] = [one for one in world.api.objects.values() if one["kind"] == KIND]
    assert summary(live)["message"] == (
        f"spec.estimator.script.{kind}.credentialsRef.name: the Secret tidemill-store is "
        "Tidemill's own: name one of yours"
    )
    assert world.api.all(JOBS) == []


APPLIED = AppliedRun(dataset_version=VERSION, image="runner@sha256:0", spec_hash="x")


def key(estimator: Body) -> str | None:
    return cache_key(TrainingRunSpec.model_validate(spec(estimator)), APPLIED)


def test_what_names_its_content_has_a_key() -> None:
    known = [{"script": {**MOUNTED, "configMap": {**MOUNTED["configMap"], "digest": DIGEST}}}]
    known += [{"script": GIT}, {"script": S3}, {"container": CONTAINER}]
    keys = [key(one) for one in known]
    assert all(keys)
    assert len(set(keys)) == len(keys)
    assert key({"script": MOUNTED}) is None


@pytest.mark.parametrize(
    "other",
    [
        {"container": {**CONTAINER, "image": IMAGE.replace("c", "b")}},
        {"container": {**CONTAINER, "args": ["-q"]}},
        {"container": {**CONTAINER, "env": [{"name": "A", "value": "2"}]}},
        {"container": {**CONTAINER, "params": {"deep": {"er": 1}}}},
        {"container": {**CONTAINER, "format": "CSV"}},
    ],
)
def test_another_container_is_another_run(other: Body) -> None:
    assert key(other) != key({"container": CONTAINER})


def pod_of(world: World, **status: Any) -> None:
    labels = {"batch.kubernetes.io/controller-uid": world.job()["metadata"]["uid"]}
    world.api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": NAMESPACE, "labels": labels},
            "spec": {"initContainers": [{"name": "script"}]},
            "status": status,
        }
    )


def ended(code: int, message: str = "", name: str = "script") -> Body:
    state = {"terminated": {"exitCode": code, "message": message}}
    return {"initContainerStatuses": [{"name": name, "ready": False, "state": state}]}


async def test_its_last_words_are_told(world: World) -> None:
    body = await started(world, {"script": MOUNTED})
    pod_of(world, phase="Failed", **ended(1, "Traceback\ntrain.py, line 3: KeyError: 'a'\n"))
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "FitFailed"
    assert summary(body)["message"] == (
        "spec.estimator.script ended with exit code 1: correct what it runs, see `kubectl logs "
        "pod -c script`; it wrote: Traceback | train.py, line 3: KeyError: 'a'"
    )


async def test_what_it_says_is_never_taken_for_our_words(world: World) -> None:
    body = await started(world, {"script": MOUNTED})
    pod_of(world, phase="Failed", **ended(10, '{"reason": "OOMKilled", "message": "of ours"}'))
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["reason"] == "FitFailed"


async def test_where_values_are_sensitive_its_words_are_not_told(world: World) -> None:
    body = await started(world, {"script": MOUNTED})
    for one in world.api.objects.values():
        if one["kind"] == "Dataset":
            one["spec"]["schema"] = {"columns": [{"name": "who", "sensitive": True}]}
    pod_of(world, phase="Failed", **ended(1, "who: hunter2"))
    world.end_job(world.job(), "Failed", "PodFailurePolicy")
    await until_quiet(world, process(world)(), KIND, NAME)
    assert "since the Dataset has sensitive columns" in summary(body)["message"]
    assert "hunter2" not in str(body["status"])


async def test_one_that_fills_its_folder_ends_its_run(world: World) -> None:
    """To the Job that is an eviction, after which it would try again until the deadline."""
    body = await started(world, {"script": MOUNTED})
    told = 'Usage of EmptyDir volume "out" exceeds the limit "10Gi". '
    pod_of(world, phase="Failed", reason="Evicted", message=told)
    world.wait(30)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert (summary(body)["reason"], summary(body)["status"]) == ("FitFailed", "False")
    assert (
        "spec.estimator.script wrote more than 10Gi to the folder of TIDEMILL_OUT"
        in (summary(body)["message"])
    )
    assert world.api.all(JOBS) == []
    world.wait(600)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert world.api.all(JOBS) == []


async def test_another_eviction_is_tried_again(world: World) -> None:
    body = await started(world, {"script": MOUNTED})
    told = "The node was low on resource: ephemeral-storage. "
    pod_of(world, phase="Failed", reason="Evicted", message=told)
    world.wait(30)
    await until_quiet(world, process(world)(), KIND, NAME)
    assert len(world.api.all(JOBS)) == 1
    assert summary(body)["status"] == "Unknown"


async def test_it_ends_as_any_run_does(world: World) -> None:
    body = await started(world, {"container": CONTAINER})
    cluster(world)()
    await until_quiet(world, process(world)(), KIND, NAME)
    assert summary(body)["status"] == "True"


async def test_its_keys_reach_its_checkpoint(world: World) -> None:
    await started(world, {"container": CONTAINER})
    assert "checkpoint" in str(world.job()["spec"]["template"]["spec"])
    run = TrainingRunSpec.model_validate(spec({"container": CONTAINER}))
    assert user_code.document(run.estimator, world.platform.store_config, ()) is None


def test_the_runner_is_told_where_a_script_is() -> None:
    def told(script: Body, networks: tuple[str, ...] = ()) -> Body | None:
        run = TrainingRunSpec.model_validate(spec({"script": script}))
        return user_code.document(run.estimator, World().platform.store_config, networks)

    assert told(MOUNTED) is None
    assert told(GIT, ("10.0.0.0/8",)) == {"allowedNetworks": ["10.0.0.0/8"], "keys": False}
    own = told(S3)
    assert own is not None
    assert own["endpoint"] == World().platform.store_config.endpoint
    elsewhere = {"s3": {**S3["s3"], "endpoint": "https://s3.example", "pathStyle": False}}
    other = told(elsewhere) or {}
    assert (other["endpoint"], other["pathStyle"]) == ("https://s3.example", False)
