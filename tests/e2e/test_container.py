"""Rows prepared by a container of the user's: what it is given, what becomes of it when it fails.

The user's image is the runner's own here, as one that the cluster has: Python and pyarrow of it are
used, and nothing of ours.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.e2e.raw_store import RawStore
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import BUCKET
from tests.e2e.world import World

from tidemill.store import manifest

SYSTEM = "tidemill-system"
SITES = "site,load\n" + "".join(f"{'ab'[n % 2]},{n}\n" for n in range(40))
AREAS = "site,area\na,10\nb,20\n"
JOINS = """
import os, pathlib, sys
import pyarrow.parquet as pq
ours = ("/etc/tidemill", "/scratch", "/state", "/var/run/secrets/kubernetes.io", "/volume")
seen = [path for path in ours if os.path.exists(path)]
if seen or [name for name in os.environ if "TOKEN" in name or "SECRET" in name]:
    sys.exit(f"it sees {seen}")
source, target = (pathlib.Path(os.environ[f"TIDEMILL_{n}"]) for n in ("IN", "OUT"))
try:
    (source / "x").touch()
    sys.exit("what it reads can be written to")
except OSError:
    pass
areas = dict(zip(*pq.read_table(source / "areas").to_pydict().values()))
with (target / "joined.csv").open("w") as out:
    print("area,load", file=out)
    for row in pq.read_table(source / "source").to_pylist():
        print(areas[row["site"]], row["load"], sep=",", file=out)
"""
FAILS = "print('no column price in', 'source'); raise SystemExit(3)"
HUNGRY = "print(len(b'x' * (1 << 30)))"
SLOW = "import time; time.sleep(3600)"
TEMPLATE = {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "400Mi"}}}


def inline(data: str, **more: Any) -> dict[str, Any]:
    return {"source": {"inline": {"format": "CSV", "data": data}}, **more}


def runner_image(world: World) -> str:
    found = world.kubectl.get("deployment", "tidemill-operator", "-n", SYSTEM)
    [container] = found["spec"]["template"]["spec"]["containers"]
    images: dict[str, str] = {
        one["name"]: one["value"] for one in container["env"] if "value" in one
    }
    return images["TIDEMILL_RUNNER_IMAGE"]


@pytest.fixture(scope="module")
def prepared(common: World) -> World:
    """A Dataset that a container prepares, and those whose containers fail, all at once."""
    image = runner_image(common)

    def by(program: str, **more: Any) -> dict[str, Any]:
        told = {"image": image, "command": ["python3", "-c", program], "format": "CSV"}
        return {"prepare": {"container": told, **more}}

    inputs = [{"name": "areas", "dataset": {"name": "areas"}}]
    absent = by("pass")
    absent["prepare"]["container"]["image"] = f"localhost:1/no-such-image@sha256:{'0' * 64}"
    wanted: Mapping[str, Mapping[str, Any]] = {
        "areas": inline(AREAS),
        "joined": inline(SITES, **by(JOINS, inputs=inputs)),
        "fails": inline(SITES, **by(FAILS)),
        "hungry": inline(SITES, template=TEMPLATE, **by(HUNGRY)),
        "slow": inline(SITES, **by(SLOW, deadline="5s")),
        "idle": inline(SITES, **by("pass")),
        "absent": inline(SITES, **absent),
    }
    common.apply_all("Dataset", wanted)
    return common


def test_a_container_makes_the_rows_that_are_versioned(prepared: World, raw: RawStore) -> None:
    made = prepared.wait_ready("Dataset", "joined")["status"]
    assert (made["rows"], [c["name"] for c in made["columns"]]) == (40, ["area", "load"])
    kept = manifest.parse(raw.get(made["manifest"], bucket=BUCKET), made["version"])
    header = dict(kept.prepare or {})
    assert (header["engine"], header["image"]) == ("container", runner_image(prepared))
    areas = prepared.read("Dataset", "areas")["status"]["version"]
    assert header["inputs"] == {"areas": areas}
    assert made["inputs"] == [{"name": "areas", "dataset": "areas", "version": areas}]


FAILED = {
    "fails": ("PrepareFailed", ("exit code 3", "it wrote: no column price in source")),
    "hungry": (
        "OOMKilled",
        ("the container prepare", "400Mi", "spec.template.resources.limits.memory"),
    ),
    "slow": ("PrepareFailed", ("not done after 5 s", "spec.prepare.deadline")),
    "idle": ("PrepareFailed", ("wrote no file", "TIDEMILL_OUT")),
    "absent": ("ImagePullFailed", ("spec.prepare.container.image", "no-such-image")),
}


@pytest.mark.parametrize("name", FAILED)
def test_a_container_that_fails_is_told_by_its_end(prepared: World, name: str) -> None:
    reason, tells = FAILED[name]
    assert_refused(prepared, "Dataset", name, reason, tells)
