"""Images are pushed when the registry lacks them, and referred to by digest."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from images.imagebuild.catalog import BY_NAME
from images.imagebuild.failure import BuildError
from images.imagebuild.publishing import publish, report
from tests.unit.images.fakes import DIGEST, FakeEngine, workshop

MANIFEST = {"layers": [{"size": 2**20}, {"size": 2**19}]}


class Registry(http.server.BaseHTTPRequestHandler):
    """Knows one manifest, under the digest that the engine answers a push with."""

    empty = False

    def do_GET(self) -> None:
        known = self.path == f"/v2/tidemill/operator/manifests/{DIGEST}" and not Registry.empty
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(MANIFEST).encode() if known else b"{}")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def registry() -> Iterator[str]:
    Registry.empty = False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pushed_image_is_known_by_digest_and_size(tmp_path: Path, registry: str) -> None:
    engine = FakeEngine()
    published = publish(workshop(tmp_path, engine), BY_NAME["operator"], registry)
    assert published.reference == f"{registry}/tidemill/operator@{DIGEST}"
    assert (published.layers, published.pulled, published.unpacked) == (2, 2**20 + 2**19, "12 MB")
    assert engine.pushed == [f"{registry}/tidemill/operator:{published.tag}"]


def test_nothing_is_built_or_pushed_twice(tmp_path: Path, registry: str) -> None:
    engine = FakeEngine()
    bench = workshop(tmp_path, engine)
    first = publish(bench, BY_NAME["operator"], registry)
    engine.builds.clear()
    engine.present.clear()
    assert publish(bench, BY_NAME["operator"], registry) == first
    assert (engine.builds, len(engine.pushed)) == ([], 1)


def test_a_registry_that_lost_the_image_gets_it_again(tmp_path: Path, registry: str) -> None:
    engine = FakeEngine()
    bench = workshop(tmp_path, engine)
    publish(bench, BY_NAME["operator"], registry)
    Registry.empty = True
    publish(bench, BY_NAME["operator"], registry)
    assert len(engine.pushed) == 2


def test_a_registry_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"the registry 127\.0\.0\.1:9 does not answer"):
        publish(workshop(tmp_path, FakeEngine()), BY_NAME["operator"], "127.0.0.1:9")


def test_the_report_refers_to_images_by_digest(tmp_path: Path, registry: str) -> None:
    published = publish(workshop(tmp_path, FakeEngine()), BY_NAME["operator"], registry)
    table = report({"operator": published}, tmp_path / "build")
    images = json.loads((tmp_path / "build/images.json").read_text())
    assert images == {"operator": published.reference}
    assert "1.5 MiB" in table
    sizes = json.loads((tmp_path / "build/images-sizes.json").read_text())
    assert sizes["operator"]["pulled"] == 2**20 + 2**19
