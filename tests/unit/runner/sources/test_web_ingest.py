"""A file on a web server, as a version."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.sources.web_scene import BODY, fingerprint, sha256
from tests.unit.runner.workshop import Workshop
from tests.unit.web.faults import PATH
from tests.unit.web.site import LOCAL, Page, Site

from tidemill.store import manifest
from tidemill_runner import inputs
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import HttpSource


def document(site: Site, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "Http",
        "url": site.url(f"{PATH}?sig=hush"),
        "format": "CSV",
        "checksum": None,
        "maxBytes": 1 << 20,
        "secret": None,
        "allowedNetworks": list(LOCAL),
        **changes,
    }


def test_an_ingest_of_it(site: Site, workshop: Workshop, tmp_path: Path) -> None:
    page = site.pages[PATH] = Page(BODY)
    result = workshop.ingest_from(document(site), fingerprint(page), tmp_path / "none")
    [entry] = manifest.parse(workshop.store.objects[result["manifest"]]).entries
    assert (entry.key, entry.size, entry.digest) == ("data.csv", len(BODY), sha256(BODY))
    assert (result["rows"], result["bytes"]) == (20_000, len(BODY))


def test_the_same_bytes_are_the_same_version(
    site: Site, workshop: Workshop, tmp_path: Path
) -> None:
    versions = set()
    for page in (Page(BODY), Page(BODY, etag='"two"'), Page(BODY, etag=None, modified=None)):
        site.pages[PATH] = page
        result = workshop.ingest_from(document(site), fingerprint(page), tmp_path / "none")
        versions.add(result["version"])
    assert len(versions) == 1


def test_a_bad_row_is_told_with_the_url_and_without_its_signature(
    site: Site, workshop: Workshop, tmp_path: Path
) -> None:
    page = site.pages[PATH] = Page(b"a,b\n1\n")
    with pytest.raises(Failure) as caught:
        workshop.ingest_from(document(site), fingerprint(page), tmp_path / "none")
    assert site.url(PATH) in caught.value.message
    assert "hush" not in caught.value.message


def mounted(folder: Path, **values: str) -> Path:
    """A Secret as Kubernetes mounts it: links to files in a folder of its own."""
    (folder / "secret" / "..2025").mkdir(parents=True)
    (folder / "secret" / "..data").symlink_to("..2025")
    for name, value in values.items():
        (folder / "secret" / "..2025" / name).write_text(value)
        (folder / "secret" / name).symlink_to(f"..data/{name}")
    return folder / "secret"


def test_the_keys_of_the_secret_are_sent(site: Site, workshop: Workshop, tmp_path: Path) -> None:
    page = site.pages[PATH] = Page(BODY, needs=("Authorization", "Bearer x"))
    secret = mounted(tmp_path, Authorization="Bearer x\n", Accept="text/csv")
    source = document(site, secret="keys")
    assert workshop.ingest_from(source, fingerprint(page), secret)["rows"] == 20_000
    assert site.requests[-1].headers["Accept"] == "text/csv"


@pytest.mark.parametrize(
    ("name", "value"), [("Host", "x"), ("Range", "bytes=0-1"), ("X-A", "a\r\nHost: b")]
)
def test_a_key_that_is_no_header_of_the_users_is_refused(
    site: Site, workshop: Workshop, tmp_path: Path, name: str, value: str
) -> None:
    page = site.pages[PATH] = Page(BODY)
    secret = mounted(tmp_path, **{name: value})
    with pytest.raises(Failure, match=f"the key {name} of the Secret keys") as caught:
        workshop.ingest_from(document(site, secret="keys"), fingerprint(page), secret)
    assert caught.value.exit_code is Exit.USER
    assert site.requests == []


def test_the_document_is_understood(site: Site) -> None:
    found = inputs._source(document(site), "cas/")
    assert isinstance(found, HttpSource)
    assert found.allowed.permit("127.0.0.1")
    assert not found.allowed.permit("10.0.0.1")
