"""`run compare --html`: the page that compares runs, from what each has left."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.api_server import ApiServer
from tests.unit.cli.conftest import Plugin
from tests.unit.cli.test_runs import JOB, ended, failed

Body = dict[str, Any]
UIDS = {name: f"0a1b2c3d-0000-4000-8000-00000000000{n}" for n, name in enumerate("abc", 1)}
PAGE = "page.html"


def left(value: float) -> Body:
    metric = {"name": "accuracy", "value": value, "low": 0.5, "high": 0.99, "n": 400}
    return {
        "datasetVersion": "sha256:" + "1" * 64,
        "image": "r@sha256:" + "2" * 64,
        "metrics": [metric],
        "judgement": None,
        "rows": {"train": 800, "holdout": 200},
        "features": ["x"],
        "artifact": {"uri": "s3://b/m/", "digest": "sha256:" + "d" * 64, "bytes": 10},
    }


@pytest.fixture
def three(server: ApiServer) -> ApiServer:
    for place, (name, uid) in enumerate(UIDS.items()):
        body = ended(name)
        body["metadata"]["uid"] = uid
        body["spec"]["seed"] = place
        server.runs[name] = [body]
        result = json.dumps(left(0.71 + place / 100))
        server.bucket.put(f"runs/team/{uid}/{JOB}/result.json", result.encode())
    return server


@pytest.fixture
def compared(typed: Plugin) -> Plugin:
    return lambda *arguments, **flags: typed("run", "compare", *arguments, **flags)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_runs_on_a_page(compared: Plugin, tmp_path: Path, names: tuple[str, ...]) -> None:
    target = tmp_path / PAGE
    found = compared(*names, "--html", str(target))
    assert (found.code, found.err, found.out) == (0, "", f"{target}\n")
    text = target.read_text()
    for name, value in zip("abc", ("0.71", "0.72", "0.73"), strict=True):
        assert (value in text) is (name in names)
    assert "seed" in text, "and what they were asked for"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kubeconfig", PAGE]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["a"], "give --html FILE", id="one"),
        pytest.param(["a", "b", "c"], "give --html FILE", id="three in a table"),
        pytest.param(["a", "b", "--open"], "give --html FILE", id="nothing to show"),
        pytest.param(["a", "--html", PAGE], "from 2 to 12 runs", id="one on a page"),
        pytest.param(["a"] * 13 + ["--html", PAGE], "from 2 to 12 runs", id="too many"),
    ],
)
def test_what_does_not_go_together(
    compared: Plugin, tmp_path: Path, arguments: list[str], words: str
) -> None:
    found = compared(*arguments)
    assert found.code == 2
    assert words in found.err
    assert not list(tmp_path.glob("*.html"))


def test_a_run_that_failed_has_nothing_to_compare(
    three: ApiServer, compared: Plugin, tmp_path: Path
) -> None:
    three.runs["first"] = [failed()]
    found = compared("a", "first", "--html", str(tmp_path / PAGE))
    assert found.code == 1
    assert "run first has no result to compare: FitFailed" in found.err
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}"])
def test_a_damaged_result_is_told(
    three: ApiServer, compared: Plugin, tmp_path: Path, data: bytes
) -> None:
    three.bucket.put(f"runs/team/{UIDS['b']}/{JOB}/result.json", data)
    found = compared("a", "b", "--html", str(tmp_path / PAGE))
    assert (found.code, found.err) == (1, "error: the result of run b is damaged\n")
