"""Scripts and containers that train: what becomes of their models, and of those that do wrong.

Images are the runner's own here, as those that the cluster has: of it Python and Perl are used, and
nothing of ours.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e import specs
from tests.e2e.pods import log_of
from tests.e2e.prediction import infer
from tests.e2e.refusals import assert_refused
from tests.e2e.test_container import runner_image
from tests.e2e.test_path import rows
from tests.e2e.world import World, eventually

from tidemill.store import digests

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples" / "scripts"
HEAD = "from sklearn.linear_model import LogisticRegression\n"
FIT = "LogisticRegression().fit(data.features, data.target)"
WRONG = {
    "syntax": "def train(data, params, context):\n    return (\n",
    "absent": "def fit(data):\n    return 1\n",
    "raises": f"{HEAD}def train(data, params, context):\n    raise KeyError('price')\n",
    "returns": "def train(data, params, context):\n    return 3\n",
    "exits": "import sys\ndef train(data, params, context):\n    sys.exit(0)\n",
    "vanishes": "import os\ndef train(data, params, context):\n    os._exit(0)\n",
    "endless": "def train(data, params, context):\n    while True: pass\n",
    "hungry": "def train(data, params, context):\n    return len(b'x' * (1 << 32))\n",
    # Of two ranks the second; the first would wait for it for ever.
    "rank": """
import socket
def train(data, params, context):
    if context.rank:
        raise KeyError('price')
    socket.create_server(("", 29500)).accept()
""",
    # As a script of a longer kind does: it says how far it is, and puts it aside.
    "flood": f"""{HEAD}
def train(data, params, context):
    for number in range(20_000):
        context.progress(number / 200, f"line {{number}}", ("n", number))
    return {FIT}
""",
}


def script(key: str, **changes: Any) -> dict[str, Any]:
    mounted = {"configMap": {"name": "code", "key": f"{key}.py", **changes.pop("configMap", {})}}
    return {"estimator": {"script": {**mounted, **changes}}}


def run(estimator: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**specs.training_run("data", **changes), **estimator}


@pytest.fixture(scope="module")
def code(common: World) -> World:
    """A data set, the scripts in a ConfigMap, and the runs of all that do wrong, at once."""
    common.apply("Dataset", "data", {"source": {"inline": {"format": "CSV", "data": rows(200)}}})
    files = {f"{name}.py": text for name, text in WRONG.items()}
    body = {"metadata": {"name": "code", "namespace": common.namespace}, "data": files}
    common.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", **body})
    image, limit = runner_image(common), {"resources": {"limits": {"memory": "400Mi"}}}
    more: dict[str, dict[str, Any]] = {
        "endless": {"deadline": "90s"},
        "hungry": {"template": limit},
    }
    wanted = {name: run(script(name), **more.get(name, {})) for name in WRONG}
    wanted["rank"] = run(script("rank", parallelism=2))
    other = digests.sha256_digest(b"another file")
    wanted["digest"] = run(script("flood", configMap={"digest": other}))
    idle = {"container": {"image": image, "command": ["true"]}}
    wanted["idle"] = run({"estimator": idle})
    common.apply_all("TrainingRun", wanted)
    return common


FIELD = "spec.estimator.script"
FAILED = {
    "syntax": ("FitFailed", (FIELD, "syntax.py, line 2: SyntaxError")),
    "absent": ("FitFailed", (FIELD, "has no function train; it has fit")),
    "raises": ("FitFailed", (FIELD, "raises.py, line 3, in train: KeyError: 'price'")),
    "returns": ("FitFailed", (FIELD, "train returned a value of type int")),
    "exits": ("FitFailed", (FIELD, "called sys.exit(0)")),
    "vanishes": ("FitFailed", (FIELD, "it ended well and wrote no model")),
    "rank": ("FitFailed", (f"{FIELD} of rank 1 ended with exit code 1", "KeyError: 'price'")),
    "endless": ("DeadlineExceeded", ("90s",)),
    "hungry": ("OOMKilled", ("the container script", "400Mi")),
    "digest": ("DigestMismatch", (f"{FIELD}.configMap.digest", "flood.py")),
    "idle": ("FitFailed", ("spec.estimator.container: it ended well and wrote no model",)),
}


@pytest.mark.parametrize("name", FAILED)
def test_code_that_does_wrong_is_told_by_its_end(code: World, name: str) -> None:
    reason, tells = FAILED[name]
    assert_refused(code, "TrainingRun", name, reason, tells)


def test_a_flood_of_progress_ends_well(code: World) -> None:
    status = code.wait_ready("TrainingRun", "flood")["status"]
    assert "cacheKey" not in status
    assert status["score"].startswith("accuracy=")


def test_a_config_map_that_is_not_there_is_waited_for(code: World) -> None:
    absent = {"estimator": {"script": {"configMap": {"name": "later", "key": "train.py"}}}}
    code.apply("TrainingRun", "waits", run(absent))
    code.wait_reason("TrainingRun", "waits", "SourceUnavailable")
    text = f"{HEAD}def train(data, params, context):\n    return {FIT}\n"
    body = {"metadata": {"name": "later", "namespace": code.namespace}, "data": {"train.py": text}}
    code.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", **body})
    code.wait_ready("TrainingRun", "waits")


def sample(world: World, name: str) -> dict[str, Any]:
    return placed(world, yaml.safe_load((SAMPLES / f"{name}.yaml").read_text()))


def placed(world: World, body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"]["namespace"] = world.namespace
    return body


def test_samples_are_trained_and_answer(code: World) -> None:
    items = [sample(code, name) for name in ("dataset", "code", "script", "container")]
    items[-1]["spec"]["estimator"]["container"]["image"] = runner_image(code)
    together = yaml.safe_load_all((SAMPLES / "ranks.yaml").read_text())
    code.apply_list([*items, *map(partial(placed, code), together)])
    names = ("script", "container", "ranks")
    code.apply_all(
        "ModelDeployment", {name: specs.model_deployment(f"heating-{name}") for name in names}
    )
    asked: dict[str, list[Any]] = {"outside": [-11.0, 17.0], "wind": [8.0, 0.5], "hour": [3, 3]}
    for name in names:
        code.wait_ready("ModelDeployment", name)
    for name in ("script", "ranks"):
        assert infer(code, name, name, asked)["predict"] == ["yes", "no"]
    cold, warm = infer(code, "container", "container", asked)["predict"]
    assert cold > 150
    assert warm < 80


def test_a_pod_that_is_deleted_goes_on_from_its_checkpoint(code: World) -> None:
    """It ends only where it finds what the pod before has put aside."""
    text = f"""{HEAD}
import time
def train(data, params, context):
    kept = context.checkpoint / "been-here"
    if not kept.exists():
        kept.write_text("yes")
        context.progress(10, "put aside")
        time.sleep(3600)
    return {FIT}
"""
    body = {"metadata": {"name": "long", "namespace": code.namespace}, "data": {"train.py": text}}
    code.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", **body})
    asked = {"estimator": {"script": {"configMap": {"name": "long", "key": "train.py"}}}}
    code.apply("TrainingRun", "long", run(asked, seed=9))

    def far(body: Any) -> bool:
        progress = body.get("status", {}).get("progress", {})
        return bool(progress.get("message") == "put aside")

    job = code.wait("TrainingRun", "long", far)["status"]["job"]
    flag = f"batch.kubernetes.io/job-name={job}"
    [pod] = code.list("pods", "-l", flag)
    # On SIGTERM what follows it keeps the checkpoint once more.
    code.delete("pod", pod["metadata"]["name"])
    eventually(lambda: code.list("pods", "-l", flag), 60)
    code.wait_ready("TrainingRun", "long")


# Rank 0 adds up, over the names of the Service, what both have; once it has put that aside, the
# second waits to be lost. Who finds what was put aside is told by rank 0 alone.
TOGETHER = f"""{HEAD}
import os, socket, time

def reach(host, port):
    for _ in range(120):
        try:
            return socket.create_connection((host, port), timeout=5)
        except OSError:
            time.sleep(1)
    raise TimeoutError(host)

def send(peer, number):
    peer.sendall(f"{{number:8}}".encode())

def receive(peer):
    peer.settimeout(None)
    data = peer.recv(8, socket.MSG_WAITALL)
    if not data:
        raise ConnectionError("another rank has gone")
    return int(data)

def train(data, params, context):
    rows = len(data.target[context.rank :: context.world_size])
    kept, port = context.checkpoint / "been-here", int(os.environ["MASTER_PORT"])
    if context.rank:
        assert os.environ["MASTER_ADDR"] == context.addresses[0]
        peer = reach(context.addresses[0], port)
        send(peer, rows)
        assert receive(peer) == len(data.target)
        receive(peer)
        return None
    peer = socket.create_server(("", port)).accept()[0]
    total = rows + receive(peer)
    if (total, context.world_size) != (len(data.target), 2):
        raise ValueError(f"{{total}} rows of {{context.world_size}} ranks")
    send(peer, total)
    if not kept.exists():
        kept.write_text("yes")
        context.progress(10, "put aside")
        receive(peer)
    send(peer, 1)
    from sklearn.ensemble import RandomForestClassifier
    # Slow to judge, so that a rank can be lost meanwhile.
    return RandomForestClassifier(700).fit(data.features, data.target)
"""
JUDGED = "accuracy = "  # in the log as soon as the model is measured, and judging begins


def test_ranks_find_each_other_by_name_and_one_that_is_lost_is_replaced(code: World) -> None:
    """It ends only where the first has lost the second, and finds what it had put aside.

    Once more the second is lost while the first's model is judged: nothing has to wait for it.
    """
    metadata = {"name": "together", "namespace": code.namespace}
    body = {"metadata": metadata, "data": {"train.py": TOGETHER}}
    code.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", **body})
    mounted = {"configMap": {"name": "together", "key": "train.py"}, "parallelism": 2}
    code.apply("TrainingRun", "together", run({"estimator": {"script": mounted}}, seed=11))

    def far(body: Any) -> bool:
        progress = body.get("status", {}).get("progress") or {}
        return bool(progress.get("message") == "put aside")

    found = code.wait("TrainingRun", "together", far)
    own = f"tidemill.dev/owner-uid={found['metadata']['uid']}"
    [service] = code.list("services", "-l", own)
    code.delete("service", service["metadata"]["name"])
    eventually(lambda: code.list("services", "-l", own), 60)

    def second() -> list[str]:
        # While the code runs the pod is still being prepared, as Kubernetes sees it.
        pods = code.list("pods", "-l", f"{own},batch.kubernetes.io/job-completion-index=1")
        alive = [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]
        return [p["metadata"]["name"] for p in alive if "deletionTimestamp" not in p["metadata"]]

    code.delete("pod", second()[0])
    eventually(lambda: JUDGED in log_of(code, "together"))
    eventually(second)
    code.delete("pod", second()[0], "--force", "--grace-period=0")
    status = code.wait_ready("TrainingRun", "together")["status"]
    assert status["job"] == found["status"]["job"]
    assert status["attempt"]["number"] > 1
    eventually(lambda: not code.list("services", "-l", own), 60)
