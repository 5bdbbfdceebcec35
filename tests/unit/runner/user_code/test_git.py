"""A script of a commit: proved to be of it, and what keeps it from being fetched."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from dulwich import porcelain
from dulwich.protocol import pkt_line
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

from tidemill_runner.failures import Failure
from tidemill_runner.user_code import git
from tidemill_runner.user_code.code import GitScript

FIRST, SECOND = b"print('first')\n", b"print('second')\n"
MAX = 1024
LOCAL = ("127.0.0.0/8",)


class Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called there
        pass


@dataclass
class Server:
    """Two commits of one file, on a web server that may want a password."""

    url: str
    commits: list[str]
    asked: list[str]
    password: str = ""
    status: str = ""
    error: str = ""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "repository"
    (folder / "deep").mkdir(parents=True)
    porcelain.init(folder)
    commits = []
    for text in (FIRST, SECOND):
        (folder / "deep" / "train.py").write_bytes(text)
        (folder / "large.bin").write_bytes(text * 1000)
        porcelain.add(folder, [folder / "deep" / "train.py", folder / "large.bin"])
        name = porcelain.commit(folder, b"a commit", author=b"a <a@b>", committer=b"a <a@b>")
        commits.append(name.decode())
    chain: Any = make_wsgi_chain(DictBackend({"/x/y": Repo(str(folder))}))
    found = Server("", commits, [])

    def app(environ: dict[str, Any], start: Any) -> Any:
        given = environ.get("HTTP_AUTHORIZATION", "")
        found.asked.append(given)
        if found.status:
            place = "http://127.0.0.1:1/x/y/info/refs"
            start(found.status, [("Location", place), ("Content-Length", "0")])
            return [b""]
        if found.error and environ["REQUEST_METHOD"] == "POST":
            data = pkt_line(f"ERR {found.error}".encode())
            kind = "application/x-git-upload-pack-result"
            start("200 OK", [("Content-Type", kind), ("Content-Length", str(len(data)))])
            return [data]
        if found.password and given != f"Basic {found.password}":
            start("401 Unauthorized", [("WWW-Authenticate", "Basic"), ("Content-Length", "0")])
            return [b""]
        return chain(environ, start)

    web = make_server("127.0.0.1", 0, app, WSGIServer, Quiet)
    found.url = f"http://127.0.0.1:{web.server_port}/x/y"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield found
    web.shutdown()
    thread.join(10)
    web.server_close()


def source(server: Server, commit: int = -1, **changes: Any) -> GitScript:
    whole = GitScript(server.url, server.commits[commit], "deep/train.py", LOCAL)
    return replace(whole, **changes)


def refused(asked: GitScript, secret: Path = Path("/nowhere")) -> Failure:
    with pytest.raises(Failure) as caught:
        git.fetch(asked, secret, MAX)
    return caught.value


def test_the_file_is_that_of_the_commit(server: Server) -> None:
    assert git.fetch(source(server, 1), Path("/nowhere"), MAX) == SECOND


def test_a_commit_that_is_not_there_is_told(server: Server) -> None:
    server.error = f"upload-pack: not our ref {'a' * 40}"  # as git says it
    failure = refused(replace(source(server), commit="a" * 40))
    assert failure.reason == "SourceMissing"
    assert f"it has no commit {'a' * 40}" in failure.message


@pytest.mark.parametrize("path", ["train.py", "deep/other.py", "deep/train.py/x.py", "deep"])
def test_a_file_that_is_not_there_is_told(server: Server, path: str) -> None:
    failure = refused(source(server, path=path))
    assert failure.reason == "SourceMissing"
    assert path in failure.message


def test_no_repository_is_told(server: Server) -> None:
    failure = refused(source(server, url=server.url.replace("/y", "/z")))
    assert failure.reason in ("SourceMissing", "SourceUnavailable")
    assert failure.message.startswith("spec.estimator.script.git")


def test_an_address_of_the_cluster_is_not_asked(server: Server) -> None:
    failure = refused(source(server, allowed_networks=()))
    assert failure.reason == "AddressForbidden"
    assert failure.message.startswith("spec.estimator.script.git")
    assert server.asked == []


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.status = "302 Found"
    failure = refused(source(server))
    assert failure.reason == "SourceMissing"
    assert "it redirects" in failure.message


def test_a_server_that_fails_is_tried_again(server: Server) -> None:
    server.status = "503 Service Unavailable"
    assert refused(source(server)).reason == "SourceUnavailable"


def test_nobody_there_is_tried_again(server: Server) -> None:
    failure = refused(source(server, url="http://127.0.0.1:1/x/y"))
    assert failure.reason == "SourceUnavailable"


def test_a_password_opens_what_is_not_public(server: Server, tmp_path: Path) -> None:
    server.password = "dG9tOnNlY3JldA=="
    assert refused(source(server)).reason == "AccessDenied"
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "username").write_text("tom\n")
    (keys / "password").write_text("wrong\n")
    failure = refused(source(server, keys=True), keys)
    assert failure.reason == "AccessDenied"
    assert "wrong" not in failure.message
    (keys / "password").write_text("secret\n")
    assert git.fetch(source(server, keys=True), keys, MAX) == SECOND


def test_more_than_it_may_give_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "MAX_FETCHED", 100)
    failure = refused(source(server))
    assert failure.reason == "SpecInvalid"
    assert "it gives more than" in failure.message


def test_longer_than_it_may_take_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "SECONDS", -1.0)
    failure = refused(source(server))
    assert failure.reason == "SpecInvalid"
    assert "it is not read after" in failure.message
