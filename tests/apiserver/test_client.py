"""The client against a real API server."""

from typing import Any

import pytest

from tidemill.kube import resources
from tidemill.kube.client import Client, Policy
from tidemill.kube.connection import Connection, Credentials
from tidemill.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from tidemill.kube.resources import CONFIG_MAPS, DATASETS, JOBS, PODS, SECRETS

Body = dict[str, Any]


def config_map(namespace: str, name: str = "a", **data: str) -> Body:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_get_of_nothing_is_none(client: Client, namespace: str) -> None:
    assert await client.get(CONFIG_MAPS, namespace, "none") is None


async def test_apply_creates_changes_and_drops_what_it_no_longer_names(
    client: Client, namespace: str
) -> None:
    await client.apply(CONFIG_MAPS, config_map(namespace, one="1", two="2"))
    await client.patch(CONFIG_MAPS, namespace, "a", {"data": {"foreign": "f"}})
    # The patch is ours by name but of another sort of manager entry, as a user's would be.
    await client.apply(CONFIG_MAPS, config_map(namespace, one="changed"))
    live = await client.get(CONFIG_MAPS, namespace, "a")
    assert live is not None
    assert live["data"] == {"one": "changed", "foreign": "f"}


async def test_apply_takes_a_field_back_that_somebody_changed(
    client: Client, namespace: str
) -> None:
    await client.apply(CONFIG_MAPS, config_map(namespace, one="1"))
    await client.patch(CONFIG_MAPS, namespace, "a", {"data": {"one": "edited"}})
    live = await client.apply(CONFIG_MAPS, config_map(namespace, one="1"))
    assert live["data"] == {"one": "1"}


async def test_an_apply_that_changes_nothing_leaves_the_version(
    client: Client, namespace: str
) -> None:
    first = await client.apply(CONFIG_MAPS, config_map(namespace, one="1"))
    second = await client.apply(CONFIG_MAPS, config_map(namespace, one="1"))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


@pytest.mark.parametrize("count", [0, 3], ids=["none", "pages"])
async def test_names_are_given_and_none_where_there_are_none(
    client: Client, namespace: str, count: int
) -> None:
    for number in range(count):
        await client.apply(CONFIG_MAPS, config_map(namespace, f"n{number}"))
    found = [found async for found in client.names(CONFIG_MAPS, namespace, limit=2)]
    ours = [name for _, name in found if name.startswith("n")]
    assert ours == [f"n{number}" for number in range(count)]
    assert [one async for one in client.names(JOBS, namespace)] == []


async def test_list_goes_through_all_pages_and_selects_by_labels(
    client: Client, namespace: str
) -> None:
    for number in range(7):
        body = config_map(namespace, f"n{number}")
        body["metadata"]["labels"] = {"parity": "odd" if number % 2 else "even"}
        await client.apply(CONFIG_MAPS, body)
    every = await client.list(CONFIG_MAPS, namespace, limit=2)
    odd = await client.list(CONFIG_MAPS, namespace, labels={"parity": "odd"}, limit=2)
    names = sorted([name async for name in client.names(CONFIG_MAPS, namespace, limit=3)])
    assert sorted(body["metadata"]["name"] for body in every) == [f"n{n}" for n in range(7)]
    assert [body["metadata"]["name"] for body in odd] == ["n1", "n3", "n5"]
    assert names == [(namespace, f"n{n}") for n in range(7)]
    assert {(body["apiVersion"], body["kind"]) for body in every} == {("v1", "ConfigMap")}


async def test_list_sees_all_namespaces_without_one(client: Client, namespace: str) -> None:
    await client.apply(CONFIG_MAPS, config_map(namespace))
    assert (namespace, "a") in [name async for name in client.names(CONFIG_MAPS)]


async def test_create_meets_a_taken_name(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace))
    with pytest.raises(Conflict, match="already exists"):
        await client.create(CONFIG_MAPS, config_map(namespace))


async def test_replace_meets_an_old_version(client: Client, namespace: str) -> None:
    old = await client.create(CONFIG_MAPS, config_map(namespace))
    await client.replace(CONFIG_MAPS, {**old, "data": {"one": "1"}})
    with pytest.raises(Conflict):
        await client.replace(CONFIG_MAPS, {**old, "data": {"one": "2"}})


async def test_invalid_names_the_field(client: Client, namespace: str) -> None:
    body = config_map(namespace)
    body["metadata"]["labels"] = {"a": "not a label value!"}
    with pytest.raises(Invalid, match=r"metadata\.labels") as caught:
        await client.apply(CONFIG_MAPS, body)
    assert caught.value.status == 422


async def test_a_write_into_a_missing_namespace_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        await client.apply(CONFIG_MAPS, config_map("no-such-namespace"))


async def test_delete_is_content_with_nothing_and_spares_a_namesake(
    client: Client, namespace: str
) -> None:
    await client.delete(CONFIG_MAPS, namespace, "none")
    await client.apply(CONFIG_MAPS, config_map(namespace))
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, namespace, "a", uid="of-another-one")
    live = await client.get(CONFIG_MAPS, namespace, "a")
    assert live is not None
    await client.delete(CONFIG_MAPS, namespace, "a", uid=live["metadata"]["uid"])
    assert await client.get(CONFIG_MAPS, namespace, "a") is None


async def test_status_is_applied_apart_from_the_spec_and_not_to_a_namesake(
    client: Client, namespace: str
) -> None:
    job = await client.apply(JOBS, a_job(namespace))
    identity = {key: job["metadata"][key] for key in ("name", "namespace", "uid")}
    status = {"apiVersion": "batch/v1", "kind": "Job", "metadata": identity}
    live = await client.apply_status(JOBS, {**status, "status": {"active": 1, "ready": 0}})
    assert live["status"]["active"] == 1
    assert "status" not in (await client.apply(JOBS, a_job(namespace)))["spec"]
    other = {**identity, "uid": "00000000-0000-0000-0000-000000000000"}
    namesake = {**status, "metadata": other, "status": {"active": 2}}
    with pytest.raises(ApiError):
        await client.apply_status(JOBS, namesake)


async def test_logs_of_no_pod_and_of_one_that_has_not_started_are_empty(
    client: Client, namespace: str
) -> None:
    assert await client.logs(namespace, "none", tail_lines=5) == ""
    container = {"name": "c", "image": "none"}
    metadata = {"namespace": namespace, "name": "p"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    await client.create(PODS, {**pod, "spec": {"containers": [container]}})
    assert await client.logs(namespace, "p", tail_lines=5, container="c") == ""


async def test_serves_tells_known_resources_from_unknown(client: Client) -> None:
    unknown = resources.Resource("nothing.example", "v1", "things", "Thing")
    assert await client.serves(JOBS)
    assert not await client.serves(unknown)


async def test_forbidden_names_verb_and_resource(connection: Connection, namespace: str) -> None:
    connection.credentials = nobody  # type: ignore[method-assign]
    async with Client(connection) as anonymous:
        with pytest.raises(Forbidden, match="cannot get secrets"):
            await anonymous.get(SECRETS, namespace, "x")
        with pytest.raises(Forbidden, match=r"cannot list datasets\.tidemill\.dev"):
            await anonymous.list(DATASETS, namespace)


async def nobody() -> Credentials:
    return Credentials()


async def test_no_answer_is_unavailable(connection: Connection) -> None:
    connection.server = "https://127.0.0.1:1"
    async with Client(connection) as client:
        with pytest.raises(Unavailable, match=r"cannot get jobs\.batch") as caught:
            await client.get(JOBS, "a", "b")
    assert caught.value.status == 0


async def test_the_hook_sees_each_write_and_no_urgent_one(
    connection: Connection, namespace: str
) -> None:
    seen: list[int] = []
    policy = Policy(after_write=lambda: seen.append(1))
    async with Client(connection, policy) as client:
        await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        await client.apply(CONFIG_MAPS, config_map(namespace, "two"))
        await client.patch(CONFIG_MAPS, namespace, "two", {"data": {}})
        await client.get(CONFIG_MAPS, namespace, "two")
        await client.delete(CONFIG_MAPS, namespace, "two")
        await client.delete(CONFIG_MAPS, namespace, "never-there")
        with pytest.raises(Conflict):
            await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        await client.create(CONFIG_MAPS, config_map(namespace, "lease"), urgent=True)
    assert len(seen) == 4


async def test_every_answer_is_counted(connection: Connection, namespace: str) -> None:
    seen: list[tuple[str, int]] = []
    policy = Policy(after_answer=lambda method, status: seen.append((method, status)))
    async with Client(connection, policy) as client:
        await client.create(CONFIG_MAPS, config_map(namespace))
        await client.get(CONFIG_MAPS, namespace, "none")
        connection.server = "https://127.0.0.1:1"
        with pytest.raises(Unavailable):
            await client.get(CONFIG_MAPS, namespace, "none")
    assert seen == [("POST", 201), ("GET", 404), ("GET", 0)]


def a_job(namespace: str) -> Body:
    container = {"name": "c", "image": "none"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": namespace, "name": "j"},
        "spec": {"template": template},
    }
