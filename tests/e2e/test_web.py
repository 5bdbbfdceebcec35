"""A web server beside the cluster, on the address of its node, which the administrator allows.

The installed operator allows no address inside and is held down; the test's own allows this one.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.kubectl import Kubectl
from tests.e2e.local_operator import installation, installed_operator_down
from tests.e2e.node_address import node_address
from tests.e2e.refusals import assert_refused
from tests.e2e.test_path import rows
from tests.e2e.world import World, eventually, settled
from tests.unit.web.site import Page, Site

from tidemill.store.digests import sha256_digest

pytestmark = pytest.mark.disruptive
TOKEN = ("Authorization", "Bearer open-sesame")


@pytest.fixture(scope="module")
def site(kubectl: Kubectl) -> Iterator[Site]:
    """Give a web server that pods reach: one on this machine, where it is a node."""
    with Site(host=node_address(kubectl)) as made:
        yield made


@pytest.fixture(scope="module")
def web(kubectl: Kubectl, common: World, site: Site) -> Iterator[World]:
    """Give a namespace whose operator allows the server's address and nothing else."""
    allowed = f"--http-allowed-networks={site.host}/32"
    with (
        installation(kubectl) as found,
        installed_operator_down(kubectl),
        found.operator(common, allowed) as operator,
    ):
        eventually(operator.ready)
        yield common


def asked(site: Site, path: str, **more: Any) -> dict[str, Any]:
    """A Dataset of one page, asked for often."""
    source = {"http": {"url": site.url(path), "format": "CSV", **more}}
    return {"source": source, "refresh": {"pollInterval": "1s", "settlePeriod": "1s"}}


def gets(site: Site, path: str) -> int:
    return sum((one.method, one.path) == ("GET", path) for one in site.requests)


def test_a_changed_page_becomes_a_version_and_an_equal_one_does_not(web: World, site: Site) -> None:
    site.pages["/a.csv"] = Page(rows(40).encode(), etag='"one"')
    web.apply("Dataset", "page", asked(site, "/a.csv"))
    first = web.wait_ready("Dataset", "page")["status"]
    assert first["rows"] == 40
    read = gets(site, "/a.csv")

    # The same bytes by another name are read, and are the version there is.
    site.pages["/a.csv"] = Page(rows(40).encode(), etag='"two"')
    eventually(lambda: gets(site, "/a.csv") > read)
    web.wait("Dataset", "page", lambda b: settled(b) and b["status"]["source"] != first["source"])
    assert web.wait_ready("Dataset", "page")["status"]["version"] == first["version"]

    site.pages["/a.csv"] = Page(rows(60).encode(), etag='"three"')
    second = web.wait(
        "Dataset", "page", lambda b: settled(b) and b["status"]["version"] != first["version"]
    )["status"]
    assert second["rows"] == 60
    assert second["versions"][0]["why"] == "SourceChanged"


def test_headers_come_from_a_secret_and_a_wrong_one_is_mended(web: World, site: Site) -> None:
    site.pages["/closed.csv"] = Page(rows(40).encode(), needs=TOKEN)
    web.secret("door", {TOKEN[0]: "Bearer wrong"})
    web.apply("Dataset", "closed", asked(site, "/closed.csv", headersRef={"name": "door"}))
    body = assert_refused(web, "Dataset", "closed", "AccessDenied", ("401", "door"))
    assert "wrong" not in str(body["status"])
    web.secret("door", {TOKEN[0]: TOKEN[1]})
    assert web.wait_ready("Dataset", "closed")["status"]["rows"] == 40


def test_a_download_that_breaks_off_goes_on_where_it_was(web: World, site: Site) -> None:
    page = Page(rows(4000).encode(), cuts=[1000, 2000])
    site.pages["/long.csv"] = page
    web.apply("Dataset", "long", asked(site, "/long.csv"))
    assert web.wait_ready("Dataset", "long")["status"]["rows"] == 4000
    assert page.cuts == []
    ranges = [one.headers.get("Range") for one in site.requests if one.path == "/long.csv"]
    assert any(text and not text.startswith("bytes=0-") for text in ranges)


def test_a_checksum_names_the_bytes(web: World, site: Site) -> None:
    good = rows(40).encode()
    site.pages["/sum.csv"] = Page(rows(41).encode())
    checked = asked(site, "/sum.csv", checksum=sha256_digest(good))
    web.apply("Dataset", "sum", checked)
    assert_refused(web, "Dataset", "sum", "DigestMismatch", ("checksum",))
    site.pages["/sum.csv"] = Page(good)
    web.patch(
        "Dataset",
        "sum",
        {"metadata": {"annotations": {"tidemill.dev/reconcile-requested-at": "now"}}},
    )
    assert web.wait_ready("Dataset", "sum")["status"]["rows"] == 40


@pytest.mark.parametrize(
    ("path", "page", "reason", "tells"),
    [
        ("/none.csv", None, "SourceMissing", ("404",)),
        ("/in.csv", Page(status=302, location="http://10.255.255.1/secret.csv"),
         "AddressForbidden", ("TIDEMILL_HTTP_ALLOWED_NETWORKS",)),
        ("/circle.csv", Page(status=302, location="/circle.csv"), "SpecInvalid", ("redirect",)),
    ],
    ids=["missing", "redirected-inside", "redirected-for-ever"],
)  # fmt: skip
def test_what_cannot_be_had_is_said(
    web: World, site: Site, path: str, page: Page | None, reason: str, tells: tuple[str, ...]
) -> None:
    if page:
        site.pages[path] = page
    name = path.strip("/").replace(".", "-")
    web.apply("Dataset", name, asked(site, path))
    assert_refused(web, "Dataset", name, reason, tells)
