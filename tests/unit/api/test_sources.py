"""What a Dataset's source may say; the API server is told the same patterns."""

from typing import Any

import pytest
from pydantic import ValidationError

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.sources import MAX_INLINE_BYTES, HttpSource

URL = "https://files.example/day/data.csv"
SQL = {
    "engine": "PostgreSQL",
    "host": "db.example.org",
    "database": "plant",
    "query": "SELECT 1 AS a",
    "credentialsRef": {"name": "db-reader"},
}
PVC = {"claimName": "data", "format": "CSV"}


def spec(kind: str, **fields: Any) -> DatasetSpec:
    return DatasetSpec.model_validate({"source": {kind: fields}})


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://files.example",
        "http://files.example/",
        "http://files.example:8080/a%20b/~c@d;e=f",
        "https://files.example/?X-Signature=a%2Fb+c==&y=/?@",
        "https://10.0.0.1/x",
        "https://[2001:db8::1]:8443/x",
    ],
)
def test_a_url(url: str) -> None:
    source = HttpSource.model_validate({"url": url, "format": "CSV"})
    assert (source.url, source.max_size, source.checksum) == (url, "10Gi", None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "files.example/x",
        "ftp://files.example/x",
        "file:///etc/passwd",
        "HTTPS://files.example/x",
        "https://",
        "https:///x",
        "https://me@files.example/x",
        "https://me:hush@files.example/x",
        "https://files.example/x#part",
        "https://files.example/a b",
        "https://files.example/a\nb",
        "https://files.example/\u00fc",
        "https://f\u00fcr.example/x",
        "https://files.example\\@inside/x",
        f"https://files.example/{'x' * 2048}",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValidationError):
        HttpSource.model_validate({"url": url, "format": "CSV"})


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("http", {"url": URL, "format": "CSV", "checksum": "sha256:0"}),
        ("http", {"url": URL, "format": "CSV", "checksum": "md5:" + "0" * 32}),
        ("http", {"url": URL, "format": "CSV", "maxSize": "much"}),
        ("http", {"url": URL}),
        ("http", {"url": URL, "format": "CSV", "headers": {"a": "b"}}),
        ("inline", {"format": "CSV", "data": ""}),
        ("inline", {"format": "CSV", "data": "x" * (MAX_INLINE_BYTES + 1)}),
        ("inline", {"format": "Parquet", "data": "x"}),
        ("dataset", {"name": "Other"}),
        ("dataset", {"name": "other", "version": "newest"}),
        ("dataset", {"name": "other", "namespace": "theirs"}),
        ("sql", {"query": "select 1"}),
        ("sql", {**SQL, "engine": "MySQL"}),
        ("sql", {**SQL, "host": "db.example.org/x"}),
        ("sql", {**SQL, "host": "-x"}),
        ("sql", {**SQL, "port": 0}),
        ("sql", {**SQL, "port": 65536}),
        ("sql", {**SQL, "database": ""}),
        ("sql", {**SQL, "database": "a\nb"}),
        ("sql", {**SQL, "query": ""}),
        ("sql", {**SQL, "query": "x" * 16385}),
        ("sql", {**SQL, "watermark": ""}),
        ("sql", {**SQL, "tls": "Prefer"}),
        ("sql", {**SQL, "credentialsRef": None}),
        ("sql", {**SQL, "password": "hush"}),
        ("pvc", {"claimName": "data"}),
        ("pvc", {"format": "CSV"}),
        ("pvc", {**PVC, "claimName": "Data"}),
        ("pvc", {**PVC, "claimName": "data/x"}),
        ("pvc", {**PVC, "format": "Excel"}),
        ("pvc", {**PVC, "include": []}),
        ("pvc", {**PVC, "include": ["/a.csv"]}),
        ("pvc", {**PVC, "partitions": "None"}),
        ("pvc", {**PVC, "readOnly": False}),
        ("pvc", {**PVC, "path": "x" * 1025}),
    ],
)
def test_what_is_refused(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(kind, **fields)


@pytest.mark.parametrize(
    "path",
    ["", "a", "a/", "power/2026", "...", "..a", ".a/_b", "a b/ü", "a..b/c.", "x" * 1024, "*"],
)
def test_a_path_on_a_volume(path: str) -> None:
    pvc = spec("pvc", **PVC, path=path).source.pvc
    assert pvc is not None
    assert (pvc.path, pvc.include, pvc.partitions, pvc.csv) == (path, None, None, None)


@pytest.mark.parametrize(
    "path",
    ["/", "/a", "a//b", "a//", "a\nb", "a\x00b"],
)
def test_what_is_no_path_on_a_volume(path: str) -> None:
    with pytest.raises(ValidationError):
        spec("pvc", **PVC, path=path)


def test_defaults_of_a_database() -> None:
    sql = spec("sql", **SQL).source.sql
    assert sql is not None
    assert (sql.port, sql.tls, sql.watermark, sql.max_size) == (5432, "VerifyFull", None, "10Gi")
    assert spec("sql", **{**SQL, "host": "fd12::5"}).source.sql is not None


def test_defaults() -> None:
    dataset = spec("dataset", name="other").source.dataset
    assert dataset is not None
    assert dataset.version == "latest"
