"""Data sets made of several: joined by a query, and looked into by a check."""

from typing import Any

from tests.e2e.refusals import assert_refused, assert_waits
from tests.e2e.world import World, settled, summary

SITES = "site,area\na,10\nb,20\n"
ORDERS = "site,load\n" + "".join(f"{'ab'[n % 2]},{n}\n" for n in range(40))
SQL = "SELECT load, area FROM source JOIN sites USING (site)"
KNOWN = {"name": "known", "referential": {"columns": ["site"], "dataset": {"name": "sites"}}}


def inline(data: str, **more: Any) -> dict[str, Any]:
    return {"source": {"inline": {"format": "CSV", "data": data}}, **more}


def joined(data: str = ORDERS) -> dict[str, Any]:
    inputs = [{"name": "sites", "dataset": {"name": "sites"}}]
    return inline(data, prepare={"sql": SQL, "inputs": inputs})


def test_two_datasets_are_joined_and_a_new_version_of_one_makes_a_new_one(world: World) -> None:
    world.apply("Dataset", "joined", joined())
    tells = ("spec.prepare.inputs[0].dataset.name", "sites")
    assert_waits(world, "Dataset", "joined", "WaitingForDataset", tells)
    world.apply("Dataset", "sites", inline(SITES))
    first = world.wait_ready("Dataset", "joined")["status"]
    sites = world.read("Dataset", "sites")["status"]["version"]
    assert first["inputs"] == [{"name": "sites", "dataset": "sites", "version": sites}]
    assert (first["rows"], [c["name"] for c in first["columns"]]) == (40, ["load", "area"])

    world.apply("Dataset", "sites", inline("site,area\na,10\n"))
    again = world.wait(
        "Dataset", "joined", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )["status"]
    assert again["rows"] == 20
    assert again["versions"][0]["why"] == "SourceChanged"


def test_a_key_that_is_in_no_other_dataset_rejects_and_names_the_row(world: World) -> None:
    world.apply("Dataset", "sites", inline(SITES))
    world.apply("Dataset", "orders", inline(ORDERS, checks=[KNOWN]))
    good = world.wait_ready("Dataset", "orders")["status"]
    assert good["checks"] == {"passed": 1, "failed": 0, "warned": 0}

    world.apply("Dataset", "orders", inline(ORDERS + "c,7\n", checks=[KNOWN]))
    body = world.wait_reason("Dataset", "orders", "DeliveryRejected")
    message = summary(body)["message"]
    assert "spec.checks[0].referential: 1 of 41 rows" in message
    assert "data row 41" in message
    assert body["status"]["version"] == good["version"]

    # The other Dataset learns of the site: the same delivery is judged again, and let in.
    world.apply("Dataset", "sites", inline(SITES + "c,30\n"))
    mended = world.wait(
        "Dataset", "orders", lambda b: settled(b) and b["status"]["version"] != good["version"]
    )
    assert summary(mended)["reason"] == "Ready"
    assert mended["status"]["rows"] == 41


def test_a_circle_is_refused(world: World) -> None:
    circle = {**KNOWN, "referential": {"columns": ["site"], "dataset": {"name": "joined"}}}
    world.apply("Dataset", "joined", joined())
    world.apply("Dataset", "sites", inline(SITES, checks=[circle]))
    tells = ("spec.checks[0].referential.dataset.name", "sites → joined → sites")
    assert_refused(world, "Dataset", "sites", "SpecInvalid", tells)
