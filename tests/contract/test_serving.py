"""What the runner packs, the server serves: same numbers; with STS, by keys for it alone."""

import csv
import io
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.s3_server import S3Server
from tests.contract.workbench import Workbench
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve

from tidemill.store import credentials, layout, trusted
from tidemill_runner.exits import Exit
from tidemill_server.exits import Exit as ServerExit

ROWS = 1000
NUMBERS = ("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 15})
TEXTS = ("sklearn.preprocessing.OneHotEncoder", {"handle_unknown": "ignore"})
LINEAR = ("sklearn.linear_model.LogisticRegression", {})


def delivery() -> list[dict[str, Any]]:
    """A number, one that may be missing, a whole number, a truth, a text; and what follows."""
    chance = random.Random(7)
    rows = []
    for _ in range(ROWS):
        price, site = chance.gauss(0, 1), chance.choice(["north", "south"])
        demand = None if chance.random() < 0.1 else chance.uniform(-1, 1)
        rows.append(
            {
                "price": price,
                "demand": demand,
                "day": chance.randint(1, 7),
                "peak": chance.random() < 0.5,
                "site": site,
                "way": "UP" if price + (site == "north") > 0.5 else "DOWN",
            }
        )
    return rows


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def train(workbench: Workbench, exclude: list[str], *steps: tuple[str, dict[str, Any]]) -> Any:
    workbench.deliver("rows.csv", as_csv(delivery()))
    ingested = workbench.ingest()
    assert ingested.exit is Exit.OK, ingested.termination
    spec = {
        "task": "Classification",
        "target": "way",
        "features": {"exclude": exclude},
        "split": {"holdout": "0.2", "by": "Order"},
        "seed": 7,
        "estimator": {
            "sklearn": {
                "steps": [
                    {"name": f"s{i}", "class": name, "params": params}
                    for i, (name, params) in enumerate(steps)
                ]
            }
        },
    }
    trained = workbench.train(ingested.result, spec)
    assert trained.exit is Exit.OK, trained.termination
    return trained.result["artifact"]


def tensors(server: Server, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The request that the model's own metadata asks for."""
    inputs = server.get("/v2/models/power").json["inputs"]
    return {
        "inputs": [
            {**column, "shape": [len(rows)], "data": [row[column["name"]] for row in rows]}
            for column in inputs
        ]
    }


def mount(server: S3Server, artifact: Any, folder: Path) -> dict[str, str]:
    """The pod's Secret, with keys for this package alone; the environment that goes with it."""
    bucket, prefix = layout.parse_uri(artifact["uri"])
    policy = credentials.serve_policy(bucket, prefix)
    granted = credentials.assume_role(server.config, policy, 900)
    config = granted.config if granted else server.config  # without STS: keys that last
    (folder / "store").mkdir(parents=True)
    for name, value in config.to_values().items():
        (folder / "store" / name).write_text(value)
    return {"TIDEMILL_MODEL_URI": artifact["uri"]}


def expected(workbench: Workbench, artifact: Any, names: list[str], method: str) -> list[Any]:
    """The same model in a plain script, asked about all rows at once."""
    _, prefix = layout.parse_uri(artifact["uri"])
    path = workbench.folder / "plain.skops"
    path.write_bytes(workbench.read(f"{prefix}model.skops"))
    text = "site" in names
    matrix = np.empty((ROWS, len(names)), dtype=object if text else np.float64)
    for place, name in enumerate(names):
        for row, values in enumerate(delivery()):
            value = values[name]
            number = math.nan if value is None else value
            matrix[row, place] = value if name == "site" else float(number)
    found: list[Any] = np.asarray(getattr(trusted.load(path), method)(matrix)).ravel().tolist()
    return found


@pytest.mark.parametrize(
    ("exclude", "steps"),
    [
        (["site"], [NUMBERS]),
        (["demand", "price"], [TEXTS, LINEAR]),
        (["demand", "site"], [("sklearn.preprocessing.StandardScaler", {}), LINEAR]),
    ],
    ids=["numbers-missing", "texts", "scaled"],
)
def test_a_thousand_rows_equal_a_plain_script(
    workbench: Workbench, server: S3Server, exclude: list[str], steps: Any
) -> None:
    artifact = train(workbench, exclude, *steps)
    folder = workbench.folder / "server"
    env = mount(server, artifact, folder)
    env["TIDEMILL_RUNTIME"] = "Native"  # ONNX is as near as its package says, not to the last bit
    with serve(Bucket(), artifact["digest"], folder, **env) as running:
        running.ready()
        request = tensors(running, delivery())
        reply = running.infer(request)
        assert reply.status == 200, reply.body
        names = [column["name"] for column in request["inputs"]]
        for output in reply.json["outputs"]:
            assert output["data"] == expected(workbench, artifact, names, output["name"])
        assert [output["name"] for output in reply.json["outputs"]] == ["predict", "predict_proba"]


def test_the_store_restarted_while_the_server_loads(workbench: Workbench, server: S3Server) -> None:
    artifact = train(workbench, ["site"], NUMBERS)
    folder = workbench.folder / "server"
    env = mount(server, artifact, folder)
    server.stop()
    try:
        with serve(Bucket(), artifact["digest"], folder, **env) as running:
            running.listen().wait_for_log("waiting for the store")
            assert running.get("/v2/health/ready").json["reason"] == "StoreUnavailable"
            server.start()
            running.wait_for_log("ready")
            assert running.infer(tensors(running, delivery()[:1])).status == 200
    finally:
        server.stop()
        server.start()


def test_a_digest_that_is_not_the_packages(workbench: Workbench, server: S3Server) -> None:
    artifact = train(workbench, ["site"], NUMBERS)
    folder = workbench.folder / "server"
    env = mount(server, artifact, folder)
    with serve(Bucket(), "sha256:" + "0" * 64, folder, **env) as running:
        assert running.end() == ServerExit.DATA_ERROR
        assert running.refusal["reason"] == "DigestMismatch"
