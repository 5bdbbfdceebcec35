"""One file of one commit of a Git repository: fetched, proved to be of that commit, and no more.

A commit's name is a digest of all that it holds, and objects are looked up by digests that are
computed here, so that what is read is what the commit names or nothing. Connections are made as to
any URL of a user's: to addresses that were checked, and without following redirects.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from dulwich import errors as git_errors
from dulwich.client import HTTPUnauthorized, Urllib3HttpGitClient
from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo

from tidemill.store import web
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.web import WebError
from tidemill_runner.failures import Failure
from tidemill_runner.sources.web_client import WebClient
from tidemill_runner.user_code.code import GitScript

MAX_FETCHED = 256 * 1024 * 1024
SECONDS = 300.0
READ_SECONDS = 60.0
BLOCK = 64 * 1024


class TooMuch(Exception):  # noqa: N818 - what the repository is
    """The repository gives more, or takes longer, than it may."""


def fetch(source: GitScript, secret: Path, max_bytes: int) -> bytes:
    """The file's bytes; raises Failure naming the field."""
    with tempfile.TemporaryDirectory() as folder, _faults(source):
        repository = Repo.init_bare(folder)
        try:
            _fetch(source, secret, repository, max_bytes)
            return _read(source, repository, max_bytes)
        finally:
            repository.close()


def _fetch(source: GitScript, secret: Path, repository: Repo, max_bytes: int) -> None:
    parts = urlsplit(source.url)
    client = Urllib3HttpGitClient(
        f"{parts.scheme}://{parts.netloc}/",
        dumb=False,
        pool_manager=_Pool.of(source),  # type: ignore[arg-type]
        username=_key(secret / "username") or "git" if source.keys else None,
        password=_key(secret / "password") if source.keys else None,
        quiet=True,
    )

    def wants(_refs: Any, depth: int | None = None) -> list[Any]:  # noqa: ANN401, ARG001
        return [source.commit.encode()]

    # Large files of the commit are of no use here; a server that cannot leave them out sends them.
    limit = f"blob:limit={max_bytes}".encode()
    client.fetch(
        parts.path.lstrip("/"),
        repository,
        determine_wants=wants,  # type: ignore[arg-type]
        depth=1,
        filter_spec=limit,
    )


def _read(source: GitScript, repository: Repo, max_bytes: int) -> bytes:
    commit = repository[source.commit.encode()]
    if not isinstance(commit, Commit):
        raise _missing(source, f"{source.commit} is no commit")
    found: Any = repository[commit.tree]
    for name in source.path.split("/"):
        if not isinstance(found, Tree) or name.encode() not in found:
            raise _missing(source, f"the commit has no file {source.path}")
        found = repository[found[name.encode()][1]]
    if not isinstance(found, Blob):
        raise _missing(source, f"{source.path} is a folder")
    data: bytes = found.data
    return data[: max_bytes + 1]


@dataclass
class _Pool:
    """What the client sends its requests by: each to a checked address, all within bounds."""

    web: WebClient
    headers: dict[str, str] = field(default_factory=lambda: {"User-Agent": "git/tidemill"})
    left: int = field(default_factory=lambda: MAX_FETCHED)
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    @classmethod
    def of(cls, source: GitScript) -> "_Pool":
        allowed = AllowedNetworks.parse(source.allowed_networks)
        return cls(WebClient(allowed, read_seconds=READ_SECONDS))

    def request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: Any = None,  # noqa: ANN401 - bytes or parts of them
        **_: object,
    ) -> "_Answer":
        parts = web.parse(url)
        sent = {**self.headers, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = b"".join(body)
        response, pool = self.web.connected(method, parts, sent, body)
        return _Answer(response, pool, url, self.take)

    def take(self, amount: int) -> None:
        """Count what has come; raises TooMuch."""
        self.left -= amount
        if self.left < 0:
            raise TooMuch(f"it gives more than {MAX_FETCHED // 1024**2} MiB")
        if time.monotonic() > self.until:
            raise TooMuch(f"it is not read after {SECONDS:.0f} s")


class _Answer:
    """A response as the client takes it."""

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        pool: urllib3.HTTPConnectionPool,
        url: str,
        take: Callable[[int], None],
    ) -> None:
        self._response, self._pool, self._url, self._take = response, pool, url, take
        self.status = response.status
        self.headers = response.headers
        self.content_type: str | None = None
        self.redirect_location = ""

    def geturl(self) -> str:
        return self._url

    def read(self, amount: int | None = None) -> bytes:
        """As many bytes, or those until the end; one that sends few of them is cut off in time."""
        wanted, parts = BLOCK if amount is None else amount, []
        while wanted > 0:
            part = self._response.read1(wanted)
            self._take(len(part))
            if not part:
                break
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        self._response.close()
        self._pool.close()


@contextmanager
def _faults(source: GitScript) -> Iterator[None]:
    where = f"{source.field}.url: {source.url}"
    try:
        yield
    except WebError as error:
        words = error.message.replace(web.FIELD, source.field)
        raise Failure(str(error.reason), words) from None
    except HTTPUnauthorized:
        words = "correct the keys username and password of its credentialsRef"
        raise Failure("AccessDenied", f"{where} wants other credentials: {words}") from None
    except git_errors.NotGitRepository:
        raise Failure("SourceMissing", f"{where} is no Git repository, or not public") from None
    except TooMuch as error:
        words = "name a smaller repository, or put the file into a bucket"
        raise Failure("SpecInvalid", f"{where}: {error}: {words}") from None
    except (KeyError, git_errors.MissingCommitError):
        raise _missing(source, f"it has no commit {source.commit}") from None
    except (git_errors.GitProtocolError, git_errors.HangupException) as error:
        raise _protocol(source, error) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        why = f"the server does not answer ({type(error).__name__})"
        raise Failure("SourceUnavailable", f"{where}: {why}") from None
    except (AssertionError, ValueError, git_errors.ChecksumMismatch) as error:
        words = f"it does not speak as Git does ({type(error).__name__})"
        raise Failure("SourceMissing", f"{where}: {words}") from None


def _protocol(source: GitScript, error: Exception) -> Failure:
    text = " ".join(str(error).split())[:200]
    if any(words in text.lower() for words in ("not our ref", "no such", "unadvertised", "want ")):
        return _missing(source, f"it has no commit {source.commit}")
    if "unexpected http resp 403" in text:
        words = "the server refuses: correct credentialsRef, or what it may read"
        return Failure("AccessDenied", f"{source.field}.url: {source.url}: {words}")
    if "unexpected http resp 3" in text:
        words = "it redirects: name the address that it leads to"
        return Failure("SourceMissing", f"{source.field}.url: {words}")
    return Failure("SourceUnavailable", f"{source.field}.url: {source.url}: {text}")


def _missing(source: GitScript, what: str) -> Failure:
    return Failure("SourceMissing", f"{source.field}: {what}: push it, or name another")


def _key(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None
