"""A script that tries all that it should not: each attempt is named, and each must have failed."""

from typing import Any

import pytest
from tests.e2e import specs
from tests.e2e.test_path import BUCKET, rows
from tests.e2e.world import World, summary, tells

SCRIPT = """
import glob, json, os, resource, socket, subprocess, sys, urllib.request
from pathlib import Path

MINE = [os.environ[f"TIDEMILL_{n}"] for n in ("IN", "OUT", "CHECKPOINT")]
managed = []

def attempt(name):
    def run(function):
        try:
            found = function()
        except BaseException as error:
            print(name, "failed:", type(error).__name__)
        else:
            if found:
                managed.append(f"{name}: {str(found)[:100]}")
    return run

def reach(url, headers=None, seconds=5):
    request = urllib.request.Request(url, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=seconds) as answer:
        return answer.status

def train(data, params, context):
    store, bucket = params["store"], params["bucket"]
    for verb, path in (("list", f"/{bucket}?list-type=2"), ("read", f"/{bucket}/datasets/"),
                       ("another namespace", f"/{bucket}?list-type=2&prefix=datasets/default/")):
        attempt(f"store {verb}")(lambda path=path: reach(store + path))
    for verb in ("PUT", "DELETE"):
        @attempt(f"store {verb}")
        def _():
            request = urllib.request.Request(f"{store}/{bucket}/hostile", b"x", method=verb)
            return urllib.request.urlopen(request, timeout=5).status
    places = ("/var/run/secrets/**/token", "/run/secrets/**/*")
    tokens = [path for one in places for path in glob.glob(one, recursive=True)]
    attempt("token found")(lambda: tokens)
    @attempt("API server with credentials")
    def _():
        for path in tokens:
            head = {"Authorization": "Bearer " + Path(path).read_text()}
            return reach("https://kubernetes.default.svc/api/v1/secrets", head)
    @attempt("API server as anybody")
    def _():
        import ssl
        context = ssl._create_unverified_context()
        url = "https://kubernetes.default.svc/api/v1/namespaces/default/secrets"
        return urllib.request.urlopen(url, timeout=5, context=context).status
    attempt("metadata address")(lambda: reach("http://169.254.169.254/latest/meta-data/"))
    @attempt("progress of another run")
    def _():
        told = {"kind": "TrainingRun", "namespace": "default", "name": "x", "uid": "u"}
        body = json.dumps({**told, "percent": 1}).encode()
        url = params["operator"] + "/v1/progress"
        request = urllib.request.Request(url, body, method="POST")
        return urllib.request.urlopen(request, timeout=5).status
    for path in ("/", "/etc", "/opt", "/usr/bin", MINE[0], "/scratch", "/state", "/dev"):
        @attempt(f"write to {path}")
        def _(path=path):
            Path(path, "hostile").write_text("x")
            return path
    ours = ("/etc/tidemill", "/scratch", "/state")
    attempt("secret files")(lambda: [p for p in ours if os.path.exists(p)])
    words = ("KEY", "SECRET", "TOKEN", "PASSWORD", "AWS")
    attempt("secret variables")(lambda: [n for n in os.environ if any(w in n for w in words)])
    @attempt("secrets of other processes")
    def _():
        seen = []
        for path in glob.glob("/proc/[0-9]*/environ"):
            found = Path(path).read_bytes().split(b"\\0")
            seen += [one for one in found if b"TIDEMILL_TOKEN" in one or b"AWS" in one]
        return seen
    others = glob.glob("/proc/[0-9]*/cmdline")
    attempt("other processes")(
        lambda: [p for p in others if b"tidemill_runner" in Path(p).read_bytes()]
    )
    attempt("root")(lambda: os.getuid() == 0 and "uid 0")
    attempt("become root")(lambda: os.setuid(0) or "uid 0")
    attempt("mount")(lambda: subprocess.run(["mount", "-t", "tmpfs", "x", "/tmp"], check=True))
    attempt("device")(lambda: os.mknod("/tmp/device", 0o60666, os.makedev(8, 0)) or "device")
    attempt("rows held out")(lambda: len(data.target) > params["rows"] and len(data.target))
    raise SystemExit("managed " + json.dumps(managed))
"""
FORKS = "import os\ndef train(data, params, context):\n    while True: os.fork()\n"


@pytest.fixture(scope="module")
def hostile(common: World) -> World:
    """The script, and one that would take the node with it, each in a run of its own."""
    common.apply("Dataset", "data", {"source": {"inline": {"format": "CSV", "data": rows(200)}}})
    files = {"all.py": SCRIPT, "forks.py": FORKS}
    body = {"metadata": {"name": "hostile", "namespace": common.namespace}, "data": files}
    common.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", **body})
    params = {
        "store": "http://minio.tidemill-system.svc:9000",
        "operator": "http://tidemill-operator.tidemill-system.svc:8080",
        "bucket": BUCKET,
        "rows": 199,
    }
    limits = {"resources": {"limits": {"memory": "300Mi"}}}
    wanted: dict[str, dict[str, Any]] = {}
    for name in ("all", "forks"):
        mounted = {"configMap": {"name": "hostile", "key": f"{name}.py"}}
        estimator = {"script": {**mounted, "params": params}}
        spec = specs.training_run("data", deadline="3m", template=limits)
        wanted[f"hostile-{name}"] = {**spec, "estimator": estimator}
    common.apply_all("TrainingRun", wanted)
    return common


def test_of_all_that_it_tried_it_managed_nothing(hostile: World) -> None:
    message = hostile.wait_stalled("TrainingRun", "hostile-all", "FitFailed")
    assert "managed []" in message, message


def test_a_fork_bomb_ends_with_its_own_pod(hostile: World) -> None:
    def over(body: Any) -> bool:
        return summary(body).get("status") == "False"

    body = hostile.wait("TrainingRun", "hostile-forks", over)
    assert any(tells(body, why) for why in ("OOMKilled", "FitFailed", "DeadlineExceeded")), body
    # The node has survived it.
    hostile.apply("TrainingRun", "after", specs.training_run("data", seed=5))
    hostile.wait_ready("TrainingRun", "after")
