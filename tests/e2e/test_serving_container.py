"""A container of the user's that serves: asked through the Service, bounded, replaced, failing.

The images are the runner's and the server's own here, as those that the cluster has: of them Python
is used, and nothing of ours.
"""

import http.client
import json
from typing import Any

import pytest
from tests.e2e.refusals import assert_refused
from tests.e2e.test_container import SYSTEM
from tests.e2e.traffic import BODY, steady_requests
from tests.e2e.world import World, eventually, settled

PATH = "/v2/models/web/infer"
# Speaks as much of the Open Inference Protocol as is asked here.
PROGRAM = """
import json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OURS = ("/etc/tidemill", "/scratch", "/var/run/secrets/kubernetes.io")
SEEN = [path for path in OURS if os.path.exists(path)]
SEEN += [name for name in os.environ if "SECRET" in name or "TOKEN" in name or "STORE" in name]

class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.say(200, {"name": "of the user's", "seen": SEEN})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if b"slow" in body:
            time.sleep(30)
        asked = {"id": self.headers["x-tidemill-prediction-id"]}
        self.say(200, {"model_version": os.environ["VERSION"], "outputs": [], **asked})

    def say(self, status, answer):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Model).serve_forever()
"""


def images(world: World) -> tuple[str, str]:
    """Two images with Python that the cluster has, by digest."""
    found = world.kubectl.get("deployment", "tidemill-operator", "-n", SYSTEM)
    [container] = found["spec"]["template"]["spec"]["containers"]
    named = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    return named["TIDEMILL_RUNNER_IMAGE"], named["TIDEMILL_SERVER_IMAGE"]


def version_of(image: str) -> str:
    return image.rpartition("sha256:")[2][:12]


def served_by(image: str, program: str = PROGRAM, **changes: Any) -> dict[str, Any]:
    """The spec; the program says which image it runs in, as the server does of it."""
    container = {
        "image": image,
        "command": ["python3", "-c", program],
        "env": [{"name": "VERSION", "value": version_of(image)}],
    }
    return {"model": {"container": container}, **changes}


@pytest.fixture
def served(world: World) -> World:
    """A namespace in which the first image serves as `web`."""
    world.apply("ModelDeployment", "web", served_by(images(world)[0]))
    world.wait_ready("ModelDeployment", "web")
    return world


def ask(
    world: World, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Through the Service: status, headers and what the JSON says."""
    address = world.kubectl.get("service", "web", "-n", world.namespace)["spec"]["clusterIP"]
    connection = http.client.HTTPConnection(address, 80, timeout=30)
    try:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, told, json.loads(answer.read())
    finally:
        connection.close()


def test_it_answers_with_ids_and_within_bounds(served: World) -> None:
    image = images(served)[0]
    status, headers, answer = ask(served, "POST", PATH, BODY.encode())
    assert (status, answer["model_version"]) == (200, version_of(image))
    assert headers["x-tidemill-model-digest"] == image.rpartition("@")[2]
    assert headers["x-tidemill-model-version"] == version_of(image)
    assert headers["x-tidemill-prediction-id"] == answer["id"]
    assert ask(served, "GET", "/v2")[2] == {"name": "of the user's", "seen": []}
    large = {"content_length": str(17 * 2**20)}
    status, _, answer = ask(served, "POST", PATH, None, **large)
    assert (status, "error" in answer) == (413, True)
    status, headers, _ = ask(served, "POST", PATH, b"slow", x_tidemill_timeout_ms="200")
    assert (status, headers["retry-after"]) == (503, "1")
    assert ask(served, "GET", "/elsewhere")[0] == 404
    keys = served.list("secrets", "-l", "tidemill.dev/kind=ModelDeployment")
    assert keys == [], "nothing of it has keys of the store"


def test_its_next_version_takes_over_and_no_request_is_lost(served: World) -> None:
    first, second = images(served)
    with steady_requests(served, "web", "web") as tally:
        eventually(lambda: tally.answers[version_of(first)] > 20, 20)
        for image in (second, first):
            version = version_of(image)
            before = tally.answers[version]
            served.apply("ModelDeployment", "web", served_by(image, replicas=2))
            served.wait(
                "ModelDeployment",
                "web",
                lambda b, v=version: settled(b) and b["status"]["stable"]["version"] == v,
            )
            eventually(lambda b=before, v=version: tally.answers[v] > b + 50, 30)
            eventually(lambda: len(served.list("deployments")) == 1, 30)
        eventually(lambda: len(served.list("pods", "-l", "tidemill.dev/revision")) == 2, 90)
    assert tally.failures == []


FAILED: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "ends": (
        {"command": ["python3", "-c", "raise SystemExit(3)"]},
        "CrashLooping",
        ("spec.model.container ended with exit code 3", "-c model"),
    ),
    "ends well": (
        {"command": ["true"]},
        "CrashLooping",
        ("spec.model.container ended with exit code 0",),
    ),
    "absent": (
        {"image": f"localhost:1/no-such-image@sha256:{'0' * 64}"},
        "ImagePullFailed",
        ("spec.model.container.image", "no-such-image"),
    ),
}


def test_one_that_does_not_come_up_is_told_and_changes_nothing(served: World) -> None:
    second = images(served)[1]
    for changes, reason, tells in FAILED.values():
        spec = served_by(second)
        spec["model"]["container"].update(changes)
        served.apply("ModelDeployment", "web", spec)
        assert_refused(served, "ModelDeployment", "web", reason, (*tells, "keeps serving"))
        assert ask(served, "POST", PATH, b"{}")[0] == 200
