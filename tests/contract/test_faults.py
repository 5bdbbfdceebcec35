"""A source or a store that misbehaves while a run is at work."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.s3_server import S3Server
from tests.contract.workbench import Workbench

from tidemill.store.config import StoreConfig
from tidemill_runner.exits import Exit
from tidemill_runner.sources.s3 import S3Origin
from tidemill_runner.storage import Storage

MEBIBYTE = 1024 * 1024


def lines(size: int) -> bytes:
    row = b"1,some text to fill the row with,0.5\n"
    return b"a,b,c\n" + row * (size // len(row))


def test_one_put_and_many_parts_are_one_version(workbench: Workbench) -> None:
    data = lines(12 * MEBIBYTE)
    workbench.deliver("a.csv", data, part_size=64 * MEBIBYTE)
    whole = workbench.ingest()
    workbench.deliver("a.csv", data, part_size=5 * MEBIBYTE)
    parts = workbench.ingest()
    assert whole.result["fingerprint"] != parts.result["fingerprint"]
    assert whole.result["version"] == parts.result["version"]


def test_an_object_replaced_during_the_ingest_is_not_versioned(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench.deliver("a.csv", lines(1000))
    fetch = S3Origin.fetch

    def replace_first(*arguments: Any, **options: Any) -> str:
        workbench.deliver("a.csv", lines(2000))
        return fetch(*arguments, **options)

    monkeypatch.setattr(S3Origin, "fetch", replace_first)
    outcome = workbench.ingest()
    assert (outcome.exit, outcome.reason) == (Exit.INFRASTRUCTURE, "SourceChanged")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param({"bucket": "no-such-bucket"}, "BucketMissing", id="bucket-missing"),
        pytest.param({"keys": ("nobody", "wrong-wrong")}, "AccessDenied", id="wrong-keys"),
        pytest.param({"keys": ("", "")}, "AccessDenied", id="anonymous"),
    ],
)
def test_a_source_that_is_not_opened_is_the_users_matter(
    workbench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    spoil: dict[str, object],
    reason: str,
) -> None:
    workbench.deliver("a.csv", lines(1000))
    fingerprint = workbench.fingerprint()
    mount = workbench.mount

    def mount_other(document: dict[str, object]) -> object:
        paths = mount(document)
        keys = spoil.get("keys")
        if isinstance(keys, tuple):
            (paths.source / "AWS_ACCESS_KEY_ID").write_text(keys[0])
            (paths.source / "AWS_SECRET_ACCESS_KEY").write_text(keys[1])
        return paths

    monkeypatch.setattr(workbench, "mount", mount_other)
    workbench.bucket = str(spoil.get("bucket", workbench.bucket))
    outcome = workbench.ingest(fingerprint=fingerprint)
    assert (outcome.exit, outcome.reason) == (Exit.USER, reason)
    assert "spec.source.s3" in outcome.message


def test_an_anonymous_source_is_read_where_anybody_may(workbench: Workbench) -> None:
    workbench.deliver("a.csv", lines(1000))
    arn = f"arn:aws:s3:::{workbench.bucket}"
    workbench.client.set_bucket_policy(
        workbench.bucket,
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
        f'"Action":["s3:GetObject","s3:ListBucket"],"Resource":["{arn}","{arn}/*"]}}]}}',
    )
    try:
        config = replace(
            workbench.server.config, bucket=workbench.bucket, access_key="", secret_key=""
        )
        with Storage(config) as storage:
            found = storage.list(workbench.prefix)
            assert storage.download(found[0].key, workbench.folder / "copy").size == found[0].size
    finally:
        workbench.client.delete_bucket_policy(workbench.bucket)


def restarting(server: S3Server, after: int) -> Callable[[int], None]:
    """Restart the store once so many bytes are read."""
    done = 0

    def seen(amount: int) -> None:
        nonlocal done
        before, done = done, done + amount
        if before < after <= done:
            server.stop()
            server.start()

    return seen


def test_a_download_goes_on_where_a_restart_broke_it(own_server: S3Server, tmp_path: Path) -> None:
    data = lines(60 * MEBIBYTE)
    own_server.client().put_object("tidemill", "large", io.BytesIO(data), len(data))
    with Storage(own_server.config) as storage:
        seen = restarting(own_server, after=10 * MEBIBYTE)
        hasher = storage.download("large", tmp_path / "copy", seen=seen)
    assert hasher.size == len(data)
    assert (tmp_path / "copy").read_bytes() == data


def test_an_upload_waits_for_a_store_that_restarts(own_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(lines(MEBIBYTE))
    own_server.stop()
    with ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(upload, own_server.config, tmp_path / "file")
        assert not wait([uploading], timeout=2.0).done
        # Not from a thread: the kernel ends a server with the thread that started it.
        own_server.start()
        assert uploading.result() == (tmp_path / "file").stat().st_size


def upload(config: StoreConfig, path: Path) -> int | None:
    """Send one file and one small object; the size of the former as the store has it."""
    with Storage(config) as storage:
        storage.upload(path, "models/a")
        storage.create("models/b", b"x")
        return storage.sizes_of(["models/a"])["models/a"]
