"""What a user's template adds to the training pod, and that nothing of ours is touched by it."""

from typing import Any

import pytest
from tests.apiserver.training_rules import FULL_TEMPLATE, IMAGE
from tests.unit.children.world import NAMESPACE, RUNNER

from tidemill.api.v1alpha1.run_template import RunTemplate
from tidemill.children.pod_spec import CONTAINER_SECURITY
from tidemill.jobs.manifests import RunnerJob, job_manifest

PARENT = {"metadata": {"name": "r", "namespace": NAMESPACE, "uid": "u1"}}
Body = dict[str, Any]


def pod(**template: Any) -> Body:
    made = RunTemplate.model_validate(template) if template else None
    job = RunnerJob("TrainingRun", "j", "train", RUNNER, made, 60)
    spec: Body = job_manifest(PARENT, job)["spec"]["template"]["spec"]
    return spec


OURS = pod()
FULL = pod(**FULL_TEMPLATE)


def test_without_a_template_there_is_only_ours() -> None:
    assert pod(resources={"limits": {"memory": "2Gi"}}).keys() == OURS.keys()
    assert "initContainers" not in OURS


def test_all_of_ours_is_there_as_before() -> None:
    added = {"affinity", "priorityClassName", "nodeSelector", "initContainers"}
    assert FULL.keys() == OURS.keys() | added
    for field in ("volumes", "tolerations"):
        assert FULL[field][: len(OURS[field])] == OURS[field]
    rest = OURS.keys() - {"volumes", "tolerations", "containers"}
    assert {name: FULL[name] for name in rest} == {name: OURS[name] for name in rest}
    [ours], [full] = OURS["containers"], FULL["containers"]
    for field in ("env", "volumeMounts"):
        assert full[field][: len(ours[field])] == ours[field]
    rest = ours.keys() - {"env", "volumeMounts", "resources"}
    assert {name: full[name] for name in rest} == {name: ours[name] for name in rest}
    assert full["resources"]["limits"] == {"memory": "1Gi", "nvidia.com/gpu": "1"}


def test_what_the_template_says_stands_in_the_pod() -> None:
    assert FULL["affinity"] == FULL_TEMPLATE["affinity"]
    assert FULL["priorityClassName"] == "low"
    [container] = FULL["containers"]
    assert container["env"][1:] == FULL_TEMPLATE["env"]
    added = FULL["volumes"][len(OURS["volumes"]) :]
    assert added == [{**v, "name": f"user-{v['name']}"} for v in FULL_TEMPLATE["volumes"]]
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert mounts["user-claim"] == "/data/claim"
    assert {m["name"] for m in container["volumeMounts"]} <= {v["name"] for v in FULL["volumes"]}


def test_a_volume_named_as_one_of_ours_is_another() -> None:
    names = [one["name"] for one in OURS["volumes"]]
    own = [{"name": name, "emptyDir": {"sizeLimit": "1Gi"}} for name in names]
    found = [one["name"] for one in pod(volumes=own)["volumes"]]
    assert len(set(found)) == len(found) == 2 * len(names)


def test_a_sidecar_is_restricted_and_ends_with_the_run() -> None:
    [side] = FULL["initContainers"]
    assert side["restartPolicy"] == "Always"
    assert side["securityContext"] == CONTAINER_SECURITY
    assert (side["name"], side["image"]) == ("side", IMAGE)
    assert (side["command"], side["args"]) == (["side"], ["--port=1"])
    assert side["resources"]["limits"] == {"memory": "64Mi"}
    assert side["volumeMounts"] == [
        {"name": "user-shm", "mountPath": "/mnt/shm", "readOnly": False}
    ]
    assert side["env"] == [{"name": "A", "value": "1"}]


def test_a_sidecar_is_bounded_without_a_word() -> None:
    [side] = pod(sidecars=[{"name": "s", "image": IMAGE}])["initContainers"]
    assert side["resources"] == {
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"memory": "256Mi"},
    }
    assert not {"command", "args"} & side.keys()


def test_a_sidecar_sees_nothing_of_ours() -> None:
    [side] = pod(sidecars=[{"name": "s", "image": IMAGE}])["initContainers"]
    assert (side["volumeMounts"], side["env"]) == ([], [])


@pytest.mark.parametrize(
    "field",
    [
        *("serviceAccountName", "hostNetwork", "securityContext", "restartPolicy", "containers"),
        *("initContainers", "automountServiceAccountToken", "hostPID", "hostUsers"),
    ],
)
def test_there_is_no_field_for_what_is_ours(field: str) -> None:
    assert field not in {f.alias or n for n, f in RunTemplate.model_fields.items()}
