"""Asking a server for the state of a file: what is seen, what is told, where it never goes."""

import copy
import socket
import threading
from typing import Any

import pytest
from tests.unit.web.faults import FAULTS, PATH, moved, put
from tests.unit.web.site import LOCAL, MODIFIED, Page, Site

from tidemill.dataset.web_probe import WebProbe
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.web import RemoteFile, WebError

OPEN = AllowedNetworks.parse(["127.0.0.0/8"])
TOKEN = {"Authorization": "Bearer secret"}


async def refused(url: str, probe: WebProbe | None = None) -> WebError:
    with pytest.raises(WebError) as caught:
        await (probe or WebProbe(OPEN)).ask(url)
    return caught.value


@pytest.mark.parametrize(
    ("page", "methods"),
    [
        (Page(), ["HEAD"]),
        (Page(head=405), ["HEAD", "GET"]),
        (Page(head=501), ["HEAD", "GET"]),
        (Page(head=403), ["HEAD", "GET"]),
        (Page(head=405, ranges=False), ["HEAD", "GET"]),
        (Page(body=b"x" * 50_000_000, head=405, ranges=False), ["HEAD", "GET"]),
    ],
    ids=["plain", "no HEAD", "HEAD unknown", "signed for GET", "no ranges", "large, no ranges"],
)
async def test_what_is_seen(site: Site, page: Page, methods: list[str]) -> None:
    site.pages[PATH] = page
    found = await WebProbe(OPEN).ask(site.url(PATH))
    assert found == RemoteFile('"one"', MODIFIED, len(page.body))
    assert [request.method for request in site.requests] == methods


async def test_a_query_is_sent_as_it_is_written(site: Site) -> None:
    site.pages[PATH] = Page()
    await WebProbe(OPEN).ask(site.url(f"{PATH}?sig=a%2Fb+c%20d&x=%7e"))
    assert site.requests[0].path == f"{PATH}?sig=a%2Fb+c%20d&x=%7e"


@pytest.mark.parametrize("case", FAULTS)
async def test_why_it_cannot_be_had(site: Site, case: str) -> None:
    fault = copy.deepcopy(FAULTS[case])
    error = await refused(put(site, fault))
    assert error.reason == fault.reason
    assert [word for word in fault.words if word not in error.message] == []


async def test_signatures_are_not_told(site: Site) -> None:
    site.pages[PATH] = Page(status=404)
    assert "hush" not in (await refused(site.url(f"{PATH}?sig=hush"))).message


async def test_a_secret_that_is_refused_is_named(site: Site) -> None:
    site.pages[PATH] = Page(needs=("Authorization", "Bearer other"))
    error = await refused(site.url(PATH), WebProbe(OPEN, TOKEN, "keys"))
    assert "correct the Secret keys of spec.source.http.headersRef" in error.message
    assert "Bearer" not in error.message


@pytest.mark.parametrize(
    ("there", "sent"), [("same", True), ("other port", False)], ids=["same host", "other host"]
)
async def test_credentials_stay_with_their_host(site: Site, there: str, sent: bool) -> None:
    with Site() as other:
        target = site if there == "same" else other
        target.pages["/real"] = Page()
        site.pages[PATH] = moved(target.url("/real"))
        await WebProbe(OPEN, TOKEN, "keys").ask(site.url(PATH))
        assert "Authorization" in site.requests[0].headers
        assert ("Authorization" in target.requests[-1].headers) is sent


async def test_credentials_do_not_come_back(site: Site) -> None:
    with Site() as other:
        site.pages |= {PATH: moved(other.url("/back")), "/real": Page()}
        other.pages["/back"] = moved(site.url("/real"))
        await WebProbe(OPEN, TOKEN, "keys").ask(site.url(PATH))
    assert "Authorization" not in site.requests[-1].headers


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "127.1", "[::1]", "[::ffff:7f00:1]"]
)
async def test_nothing_inside_is_asked_unless_it_is_allowed(site: Site, host: str) -> None:
    site.pages[PATH] = Page()
    error = await refused(site.url(PATH, host), WebProbe(AllowedNetworks()))
    assert error.reason in ("AddressForbidden", "SpecInvalid")
    assert site.requests == []


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Resolve files.test to each of the answers in turn; gives the names that were asked for."""
    asked: list[str] = []
    real, left = socket.getaddrinfo, list(answers)

    def resolve(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host != "files.test":
            return real(host, port, *arguments, **options)
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


async def test_a_name_that_leads_inside_is_refused_without_its_address(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages[PATH] = Page()
    names(monkeypatch, ["127.0.0.1"])
    error = await refused(site.url(PATH, "files.test"), WebProbe(AllowedNetworks()))
    assert error.reason == "AddressForbidden"
    assert "files.test" in error.message
    assert "127.0.0.1" not in error.message
    assert site.requests == []


async def test_what_was_checked_is_what_is_connected_to(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere a moment later."""
    site.pages[PATH] = Page()
    with Site("127.0.0.2") as inner:
        names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        probe = WebProbe(AllowedNetworks.parse(["127.0.0.1/32"]))
        await probe.ask(site.url(PATH, "files.test"))
        assert (await refused(site.url(PATH, "files.test"), probe)).reason == "AddressForbidden"
        assert inner.requests == []


async def test_of_several_addresses_the_next_is_tried(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages[PATH] = Page()
    names(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    assert (await WebProbe(OPEN).ask(site.url(PATH, "files.test"))).etag == '"one"'


async def test_a_name_that_nobody_knows_may_heal(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, [])
    error = await refused("http://files.test/x")
    assert (error.reason, "name of the host is not known" in error.message) == (
        "SourceUnavailable",
        True,
    )


async def test_a_closed_port_may_heal() -> None:
    with Site() as site:
        url = site.url(PATH)
    error = await refused(url)
    assert error.reason == "SourceUnavailable"
    assert "does not answer" in error.message


async def test_a_server_that_says_nothing_is_not_waited_for(site: Site) -> None:
    end = threading.Event()
    site.pages[PATH] = Page(silent=end)
    error = await refused(site.url(PATH), WebProbe(OPEN, seconds=0.2))
    end.set()
    assert error.reason == "SourceUnavailable"
    assert "no answer within 0.2 s" in error.message


async def test_a_server_without_a_trusted_certificate_is_not_believed(site: Site) -> None:
    error = await refused(site.url(PATH).replace("http:", "https:"))
    assert error.reason == "SourceUnavailable"


def test_the_local_networks_of_these_tests_are_no_public_ones() -> None:
    assert not any(AllowedNetworks().permit(text.partition("/")[0]) for text in LOCAL)
