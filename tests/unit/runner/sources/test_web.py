"""A file on a web server, read in a pod: one file or none, whatever the server does meanwhile."""

import copy
from pathlib import Path

import pytest
from tests.unit.runner.sources.web_scene import (
    BODY,
    Clock,
    fetch,
    origin,
    refuse,
    sha256,
)
from tests.unit.web.faults import FAULTS, PATH, put
from tests.unit.web.site import MODIFIED, Page, Site

from tidemill.store.web import RemoteFile
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.sources.web import PACE_SECONDS, _Reading


@pytest.mark.parametrize(
    "page",
    [
        Page(BODY),
        Page(BODY, etag=None),
        Page(BODY, modified=None),
        Page(BODY, etag='W/"weak"'),
        Page(BODY, etag=None, modified=None),
        Page(BODY, head=405),
        Page(BODY, head=405, ranges=False),
        Page(b""),
        Page(BODY, cuts=[0]),
        Page(BODY, cuts=[1]),
        Page(BODY, cuts=[70_000, 1, 5000]),
        Page(BODY, cuts=[1000] * 20),
        Page(BODY, cuts=[70_000], ranges=False),
        Page(BODY, cuts=[70_000], etag=None),
        Page(BODY, cuts=[70_000], etag='W/"weak"'),
        Page(BODY, cuts=[70_000], etag=None, modified=None),
        Page(BODY, statuses=[200, 503, 200, 502]),
    ],
    ids=[
        "plain",
        "date only",
        "tag only",
        "weak tag",
        "neither",
        "no HEAD",
        "no HEAD, no ranges",
        "empty",
        "cut before the first byte",
        "cut after the first byte",
        "cut often",
        "cut more often than tries, with progress",
        "cut, no ranges",
        "cut, date only",
        "cut, weak tag",
        "cut, nothing to tell it by",
        "faults in between",
    ],
)
def test_every_byte_is_had(site: Site, tmp_path: Path, page: Page) -> None:
    site.pages[PATH] = copy.deepcopy(page)
    assert fetch(origin(site), tmp_path) == page.body


def test_what_was_read_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY, cuts=[70_000])
    fetch(origin(site), tmp_path)
    second = [request for request in site.requests if request.method == "GET"][1]
    assert second.headers["Range"] == "bytes=70000-"
    assert second.headers["If-Range"] == '"one"'


def test_of_unknown_length(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY, length=False, cuts=[70_000])
    seen = RemoteFile('"one"', MODIFIED, None).fingerprint
    assert fetch(origin(site, fingerprint=seen), tmp_path) == BODY


def test_a_head_that_tells_less_than_get(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY, tell_head_length=False)
    seen = RemoteFile('"one"', MODIFIED, None).fingerprint
    assert fetch(origin(site, fingerprint=seen), tmp_path) == BODY


@pytest.mark.parametrize("case", FAULTS)
def test_why_it_cannot_be_had(site: Site, tmp_path: Path, case: str) -> None:
    fault = copy.deepcopy(FAULTS[case])
    url = put(site, fault)
    failure = refuse(origin(site, url=url), tmp_path)
    assert failure.reason == fault.reason
    assert [word for word in fault.words if word not in failure.message] == []
    passing = fault.reason == "SourceUnavailable"
    assert (failure.exit_code is Exit.INFRASTRUCTURE) is passing


def replaced(page: Page) -> None:
    page.body, page.etag, page.modified = b"a,b\n9,9\n", '"two"', "Thu, 02 Jan 2025 00:00:00 GMT"


def appended(page: Page) -> None:
    page.body += b"9,9\n"


@pytest.mark.parametrize(
    "page",
    [
        Page(BODY, before_get=replaced),
        Page(BODY, etag=None, before_get=replaced),
        Page(BODY, modified=None, before_get=replaced),
        Page(BODY, etag=None, modified=None, before_get=appended),
        Page(BODY, cuts=[70_000, len(BODY)]),
    ],
    ids=["by tag", "by date", "tag only", "by length", "between two parts"],
)
def test_a_file_replaced_while_it_is_read_is_not_taken(
    site: Site, tmp_path: Path, page: Page
) -> None:
    page = copy.copy(page)
    site.pages[PATH] = page
    found = origin(site)
    if page.cuts:
        page.before_get = lambda p: replaced(p) if len(p.cuts) == 1 else None
    [info] = found.objects()
    with pytest.raises(Failure) as caught:
        found.fetch(info, tmp_path / "object", lambda _: None)
    assert (caught.value.reason, caught.value.exit_code) == ("SourceChanged", Exit.INFRASTRUCTURE)


def test_a_file_other_than_the_one_seen_is_not_read(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY)
    assert refuse(origin(site, fingerprint="sha256:0"), tmp_path).reason == "SourceChanged"
    assert [request.method for request in site.requests] == ["HEAD"]


def test_a_file_replaced_after_it_was_read_is_noticed(site: Site, tmp_path: Path) -> None:
    page = site.pages[PATH] = Page(BODY)
    found = origin(site)
    [info] = found.objects()
    found.fetch(info, tmp_path / "object", lambda _: None)
    replaced(page)
    with pytest.raises(Failure) as caught:
        found.objects()
    assert caught.value.reason == "SourceChanged"


@pytest.mark.parametrize(
    ("page", "limit", "words"),
    [
        (Page(BODY), len(BODY) - 1, f"has {len(BODY)} bytes, more than the"),
        (Page(BODY, length=False), len(BODY) - 1, "is longer than the"),
        (Page(BODY, length=False, endless=True), 1_000_000, "is longer than the 1000000 bytes"),
        (Page(BODY, tell_head_length=False), 1000, f"has {len(BODY)} bytes"),
    ],
    ids=["told", "not told", "endless", "not told by HEAD"],
)
def test_what_is_too_large_ends(
    site: Site, tmp_path: Path, page: Page, limit: int, words: str
) -> None:
    site.pages[PATH] = page
    length = len(BODY) if page.length and page.tell_head_length else None
    seen = RemoteFile('"one"', MODIFIED, length).fingerprint
    failure = refuse(origin(site, fingerprint=seen, max_bytes=limit), tmp_path)
    assert failure.reason == "SpecInvalid"
    assert words in failure.message
    assert "spec.source.http.maxSize: raise it" in failure.message
    path = tmp_path / "object"
    assert not path.exists() or path.stat().st_size <= limit


def test_what_is_just_not_too_large_is_read(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY)
    assert fetch(origin(site, max_bytes=len(BODY)), tmp_path) == BODY


def test_a_server_that_cuts_for_ever_without_progress_ends(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY, cuts=[0] * 100)
    failure = refuse(origin(site), tmp_path)
    assert (failure.reason, failure.exit_code) == ("SourceUnavailable", Exit.INFRASTRUCTURE)
    assert len(site.requests) == 5


def test_a_server_that_trickles_ends(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY, cuts=[100] * 1000)
    failure = refuse(origin(site, clock=Clock(PACE_SECONDS / 10)), tmp_path)
    assert failure.reason == "SourceUnavailable"
    assert "less than 1024 bytes a second" in failure.message


@pytest.mark.parametrize(
    ("seconds", "got", "slow"),
    [(59.0, 0, False), (60.0, 61_439, True), (60.0, 61_440, False), (3600.0, 61_440, False)],
    ids=["not a minute yet", "too slow", "just fast enough", "after a long pause"],
)
def test_how_slow_is_too_slow(tmp_path: Path, seconds: float, got: int, slow: bool) -> None:
    clock = Clock()
    with (tmp_path / "object").open("wb") as file:
        reading = _Reading(file, lambda _: None, clock)
        reading.take(b"x" * got)
        clock.now += seconds
        assert reading.too_slow() is slow
        assert not reading.too_slow()  # the next minute has just begun


def test_the_checksum_is_what_counts(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY)
    right = sha256(BODY)
    assert fetch(origin(site, checksum=right, fingerprint=right), tmp_path) == BODY
    site.pages[PATH] = Page(BODY, etag='"served by another"')
    assert fetch(origin(site, checksum=right, fingerprint=right), tmp_path) == BODY


def test_another_content_than_that_of_the_checksum_is_refused(site: Site, tmp_path: Path) -> None:
    site.pages[PATH] = Page(BODY)
    wrong = sha256(b"")
    failure = refuse(origin(site, checksum=wrong, fingerprint=wrong), tmp_path)
    assert (failure.reason, failure.exit_code) == ("DigestMismatch", Exit.DATA)
    for word in (PATH, sha256(BODY), wrong, "spec.source.http.checksum", "reconcile-requested-at"):
        assert word in failure.message
