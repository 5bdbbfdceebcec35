"""A container of the user's in a runner Job: what it sees, and what its end means for the Job."""

import json
from typing import Any

import pytest
from tests.unit.children.world import RUNNER
from tests.unit.jobs.test_manifests import NAME, made, pod

from tidemill.api.v1alpha1.meta import Template
from tidemill.api.v1alpha1.prepare import Container
from tidemill.jobs.between import Middle

IMAGE = "registry.example/clean@sha256:" + "c" * 64
Body = dict[str, Any]


def container(**changes: Any) -> Container:
    return Container.model_validate({"image": IMAGE, **changes})


def job(prepare: Container | None = None, **changes: Any) -> Body:
    fields = {"kind": "Dataset", "verb": "ingest", **changes}
    opened = {"source_secret": "keys", "source_claim": "files", "source_secrets": {"up": "theirs"}}
    return made(middle=Middle.preparing(prepare or container()), **opened, **fields)


def by_name(manifest: Body) -> dict[str, Body]:
    spec = pod(manifest)
    return {c["name"]: c for c in [*spec["initContainers"], *spec["containers"]]}


def mounted(manifest: Body, name: str) -> dict[str, Body]:
    """Give the volumes that a container has, by their names, and whether it may write to them."""
    volumes = {v["name"]: v for v in pod(manifest)["volumes"]}
    mounts = by_name(manifest)[name]["volumeMounts"]
    return {m["name"]: {**volumes[m["name"]], **m} for m in mounts}


def test_the_source_is_read_before_it_and_its_rows_are_judged_after_it() -> None:
    spec = pod(job())
    assert [c["name"] for c in spec["initContainers"]] == ["collect", "prepare"]
    assert [c["name"] for c in spec["containers"]] == ["runner"]
    found = by_name(job())
    assert (found["collect"]["args"], found["runner"]["args"]) == (["collect"], ["conclude"])
    assert found["collect"]["image"] == found["runner"]["image"] == RUNNER
    assert found["prepare"]["image"] == IMAGE


def test_it_sees_rows_a_folder_to_write_to_and_nothing_else() -> None:
    found = mounted(job(), "prepare")
    assert {m["mountPath"]: m.get("readOnly", False) for m in found.values()} == {
        "/tidemill/in": True,
        "/tidemill/out": False,
        "/tmp": False,
    }
    assert all("emptyDir" in volume for volume in found.values())
    assert pod(job())["automountServiceAccountToken"] is False


def test_its_tmp_is_nobody_elses() -> None:
    tmp = {v["name"] for v in mounted(job(), "prepare").values() if v["mountPath"] == "/tmp"}
    for ours in ("collect", "runner"):
        assert not tmp & mounted(job(), ours).keys()


def test_it_never_sees_what_the_halves_tell_each_other() -> None:
    own = {n for n, v in mounted(job(), "prepare").items() if v["mountPath"] != "/tmp"}
    assert own == {"in", "out"}
    assert {"state", "scratch"} <= mounted(job(), "collect").keys()
    assert {"state", "scratch"} <= mounted(job(), "runner").keys()


def test_the_second_half_opens_no_source_of_its_own() -> None:
    assert {"source", "volume"} <= mounted(job(), "collect").keys()
    second = mounted(job(), "runner")
    assert not {"source", "volume"} & second.keys()
    assert second["source-0"]["secret"] == {"secretName": "theirs"}  # a check may look into it
    assert second["out"]["readOnly"] is second["state"]["readOnly"] is True


def test_all_volumes_are_used_and_all_room_is_bounded() -> None:
    spec = pod(job())
    names = [v["name"] for v in spec["volumes"]]
    used = {m["name"] for c in by_name(job()).values() for m in c["volumeMounts"]}
    assert len(set(names)) == len(names)
    assert set(names) == used
    assert all(v["emptyDir"]["sizeLimit"] for v in spec["volumes"] if "emptyDir" in v)
    for found in by_name(job()).values():
        paths = [m["mountPath"] for m in found["volumeMounts"]]
        assert len(set(paths)) == len(paths)


def test_it_is_restricted_as_all_others_are() -> None:
    found = by_name(job())
    assert found["prepare"]["securityContext"] == found["runner"]["securityContext"]
    assert pod(job())["securityContext"]["runAsNonRoot"] is True


def test_it_has_what_the_template_asks_for() -> None:
    template = Template.model_validate({"resources": {"limits": {"memory": "4Gi"}}})
    found = by_name(job(template=template))
    assert {json.dumps(c["resources"]) for c in found.values()} == {
        json.dumps(found["prepare"]["resources"])
    }
    assert found["prepare"]["resources"]["limits"] == {"memory": "4Gi"}


def test_it_is_told_where_to_read_and_to_write_and_what_the_spec_says() -> None:
    env = [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}]
    found = by_name(job(container(command=["sh"], args=["-c", "x"], env=env)))["prepare"]
    assert (found["command"], found["args"]) == (["sh"], ["-c", "x"])
    assert [(one["name"], one["value"]) for one in found["env"]] == [
        ("TIDEMILL_IN", "/tidemill/in"),
        ("TIDEMILL_OUT", "/tidemill/out"),
        ("HOME", "/tmp"),
        ("A", "1"),
        ("B", "$(A)"),
    ]
    assert not {"command", "args"} & by_name(job())["prepare"].keys()


def test_a_home_of_its_own_choice_is_its_home() -> None:
    env = by_name(job(container(env=[{"name": "HOME", "value": "/x"}])))["prepare"]["env"]
    assert [one["value"] for one in env if one["name"] == "HOME"] == ["/x"]


def test_nothing_of_ours_stands_in_its_environment() -> None:
    names = {one["name"] for one in by_name(job())["prepare"]["env"]}
    assert names == {"TIDEMILL_IN", "TIDEMILL_OUT", "HOME"}
    assert NAME not in json.dumps(by_name(job())["prepare"])


@pytest.mark.parametrize("name", ["collect", "runner"])
def test_what_ends_ours_means_what_it_means_alone(name: str) -> None:
    rules = [r for r in rules_of(job()) if r["onExitCodes"]["containerName"] == name]
    assert [(r["action"], r["onExitCodes"]["values"]) for r in rules] == [
        ("Ignore", [30]),
        ("FailJob", [10, 20, 70, 137]),
    ]


def test_however_it_fails_the_job_ends_but_for_a_pod_that_was_deleted() -> None:
    [rule] = [r for r in rules_of(job()) if r["onExitCodes"]["containerName"] == "prepare"]
    assert rule["action"] == "FailJob"
    assert (rule["onExitCodes"]["operator"], rule["onExitCodes"]["values"]) == ("NotIn", [143])


def rules_of(manifest: Body) -> list[Body]:
    first, *rules = manifest["spec"]["podFailurePolicy"]["rules"]
    assert first == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    return rules


def test_without_one_the_pod_is_as_ever() -> None:
    manifest = made(kind="Dataset", verb="ingest")
    assert "initContainers" not in pod(manifest)
    assert {v["name"] for v in pod(manifest)["volumes"]} == {"input", "store", "scratch", "tmp"}
    assert [r["onExitCodes"]["containerName"] for r in rules_of(manifest)] == ["runner", "runner"]
