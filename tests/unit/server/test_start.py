"""Until the model answers: not ready, alive, saying why, and healing by itself."""

import signal
from pathlib import Path

import pytest
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve

from tidemill_server.exits import Exit


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return packages.logistic().files()


def waits_for(server: Server, reason: str) -> None:
    server.until(lambda s: s.get("/v2/health/ready").json.get("reason") == reason)


def test_a_store_that_is_down_is_waited_for(files: dict[str, bytes], tmp_path: Path) -> None:
    bucket = Bucket()
    digest = packages.publish(bucket, files)
    with serve(bucket, digest, tmp_path) as server:
        server.listen()
        waits_for(server, "StoreUnavailable")
        ready = server.get("/v2/health/ready")
        assert ready.status == 503
        assert ready.headers["retry-after"] == "1"
        assert bucket.endpoint in ready.json["message"]
        assert server.get("/v2/health/live").status == 200
        assert server.wait_for_log("waiting for the store")["reason"] == "StoreUnavailable"
        for reply in (server.infer({}), server.get("/v2/models/power")):
            assert (reply.status, list(reply.json)) == (503, ["error"])
        with bucket:
            server.wait_for_log("ready")
            assert server.get("/v2/health/ready").json == {"ready": True}
        assert server.get("/v2/models/power/ready").status == 200, (
            "the store is not needed any more"
        )


def test_a_store_that_restarts_while_the_model_is_read(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    bucket.break_after = 3
    with serve(bucket, digest, tmp_path) as server:
        server.listen()
        waits_for(server, "StoreUnavailable")
        bucket.break_after = None
        server.wait_for_log("ready")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((503, "SlowDown"), "StoreUnavailable"),
        ((403, "AccessDenied"), "AccessDenied"),
        ((404, "NoSuchBucket"), "BucketMissing"),
    ],
)
def test_a_store_that_refuses_is_named_and_heals(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path, answer: tuple[int, str], reason: str
) -> None:
    digest = packages.publish(bucket, files)
    bucket.answer = answer
    with serve(bucket, digest, tmp_path) as server:
        server.listen()
        waits_for(server, reason)
        bucket.answer = None
        server.wait_for_log("ready")


def test_a_secret_that_is_completed_later_heals(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    store = bucket.write_config(tmp_path / "store")
    (store / "secret-key").rename(tmp_path / "aside")
    with serve(bucket, digest, tmp_path) as server:
        server.listen()
        waits_for(server, "SecretInvalid")
        assert "secret-key" in server.get("/v2/health/ready").json["message"]
        (tmp_path / "aside").rename(store / "secret-key")
        server.wait_for_log("ready")


def test_the_store_says_nothing_of_its_keys(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    bucket.answer = (403, "SignatureDoesNotMatch")
    with serve(bucket, digest, tmp_path) as server:
        server.listen()
        waits_for(server, "AccessDenied")
        server.wait_for_log("waiting for the store")
        said = str(server.lines) + server.get("/v2/health/ready").body.decode()
    assert "not-a-secret" not in said


def test_another_bucket_than_the_stores_is_an_error_of_the_spec(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    uri = "s3://elsewhere/models/team/power/abc/"
    with serve(bucket, digest, tmp_path, TIDEMILL_MODEL_URI=uri) as server:
        assert server.end() == Exit.USER_ERROR
        assert "elsewhere" in server.refusal["message"]


def test_sigterm_while_loading_ends_at_once(files: dict[str, bytes], tmp_path: Path) -> None:
    bucket = Bucket()
    digest = packages.publish(bucket, files)
    with serve(bucket, digest, tmp_path, TIDEMILL_DRAIN_SECONDS="3600") as server:
        server.listen()
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == Exit.OK
        assert not server.termination.exists()


def test_scratch_is_all_that_is_written(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    with serve(bucket, digest, tmp_path) as server:
        server.ready()
        assert not server.termination.exists()
    written = {path.name for path in (tmp_path / "scratch").rglob("*") if path.is_file()}
    assert written == set(files)
    assert {path.name for path in tmp_path.iterdir()} == {"scratch", "store"}


def test_scratch_left_by_a_container_before_does_no_harm(
    bucket: Bucket, files: dict[str, bytes], tmp_path: Path
) -> None:
    digest = packages.publish(bucket, files)
    left = tmp_path / "scratch" / "package"
    left.mkdir(parents=True)
    (left / "model.skops").write_bytes(b"half")
    (left / "evil.py").write_bytes(b"left behind")
    with serve(bucket, digest, tmp_path) as server:
        server.ready()


def test_a_wrong_environment_is_named(bucket: Bucket, tmp_path: Path) -> None:
    with serve(bucket, "sha256:short", tmp_path) as server:
        assert server.end() == Exit.USER_ERROR
        assert "TIDEMILL_MODEL_DIGEST" in server.refusal["message"]
