"""Where a pod goes for a file: to checked addresses only, and with credentials to one host only."""

import socket
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.sources.web_scene import BODY, fetch, fingerprint, origin, refuse
from tests.unit.web.faults import PATH, moved
from tests.unit.web.site import Page, Site

from tidemill.store.addresses import AllowedNetworks
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure

TOKEN = {"Authorization": "Bearer secret"}


def test_credentials_stay_with_their_host(site: Site, tmp_path: Path) -> None:
    with Site() as other:
        site.pages[PATH] = moved(other.url("/real"))
        other.pages["/real"] = Page(BODY)
        seen = fingerprint(other.pages["/real"])
        assert fetch(origin(site, headers=TOKEN, fingerprint=seen), tmp_path) == BODY
        assert all("Authorization" in request.headers for request in site.requests)
        assert not any("Authorization" in request.headers for request in other.requests)


def test_a_secret_opens_it(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY, needs=("Authorization", "Bearer secret"))
    assert fetch(origin(site, headers=TOKEN), tmp_path) == BODY
    failure = refuse(origin(site, headers={"Authorization": "Bearer hush"}), tmp_path)
    assert failure.reason == "AccessDenied"
    assert "the Secret keys of spec.source.http.headersRef" in failure.message
    assert "hush" not in failure.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "127.1"])
def test_nothing_inside_is_asked_unless_it_is_allowed(
    site: Site, tmp_path: Path, host: str
) -> None:
    site.pages[PATH] = Page(BODY)
    closed = AllowedNetworks()
    failure = refuse(origin(site, url=site.url(PATH, host), allowed=closed), tmp_path)
    assert (failure.reason, failure.exit_code) == ("AddressForbidden", Exit.USER)
    assert "TIDEMILL_HTTP_ALLOWED_NETWORKS" in failure.message
    assert site.requests == []


def test_what_was_checked_is_what_is_connected_to(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere each time it is asked for: each answer is checked and used."""
    site.pages[PATH] = Page(BODY)
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host != "files.test":
            return real(host, port, *arguments, **options)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with Site("127.0.0.2") as inner:
        found = origin(
            site,
            url=site.url(PATH, "files.test"),
            allowed=AllowedNetworks.parse(["127.0.0.1/32"]),
        )
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        [info] = found.objects()
        assert asked == ["files.test"]
        assert site.requests[0].headers["Host"] == f"files.test:{site.port}"
        with pytest.raises(Failure) as caught:
            found.fetch(info, tmp_path / "object", lambda _: None)
        assert caught.value.reason == "AddressForbidden"
        assert "127.0.0.2" not in caught.value.message
        assert inner.requests == []


def test_over_ipv6(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with Site("::1") as site:
        site.pages[PATH] = Page(BODY)
        allowed = AllowedNetworks.parse(["::1/128"])
        assert fetch(origin(site, url=site.url(PATH, "[::1]"), allowed=allowed), tmp_path) == BODY


def test_a_name_that_nobody_knows_may_heal(site: Site, tmp_path: Path) -> None:
    failure = refuse(origin(site, url="http://no-such-host.invalid/x"), tmp_path)
    assert failure.reason == "SourceUnavailable"


def test_a_server_without_a_trusted_certificate_is_not_believed(site: Site, tmp_path: Path) -> None:
    failure = refuse(origin(site, url=site.url(PATH).replace("http:", "https:")), tmp_path)
    assert failure.reason == "SourceUnavailable"
