"""`kubectl tidemill model`: what is proved, what is told, how it ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.api_server import ApiServer
from tests.unit.cli.conftest import Plugin
from tests.unit.cli.test_runs import ended, run
from tests.unit.store import keys

from tidemill.cli import complete
from tidemill.store import package, signing

CARD = b"# A model for \x1b[31mlate\n\nRight in 9 of 10.\n"
FILES = {**keys.FILES, "card.md": CARD, "metrics.json": b'{"metrics": []}'}
EVIL = "\x1b[31mred.txt"


class Published:
    """A package in the bucket, as a run leaves it."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.manifest = keys.sealed(folder / "package", FILES)
        hexdigest = self.manifest.digest[7:]
        self.prefix = f"models/team/late/{hexdigest}/"
        self.uri = f"s3://tidemill/{self.prefix}"
        self.bucket = server.bucket
        for file in (folder / "package").iterdir():
            self.bucket.put(f"{self.prefix}{file.name}", file.read_bytes())

    def put(self, name: str, data: bytes) -> None:
        self.bucket.put(f"{self.prefix}{name}", data)

    def sign(self, name: str = "ours") -> None:
        self.put("model.sig", signing.sign(self.manifest, "late", keys.key(name)))


@pytest.fixture
def published(server: ApiServer, tmp_path: Path) -> Published:
    return Published(server, tmp_path)


@pytest.fixture
def key(tmp_path: Path) -> str:
    (tmp_path / "public.pem").write_text(keys.public_pem())
    return "public.pem"


def test_a_signed_package_is_proved(typed: Plugin, published: Published, key: str) -> None:
    published.sign()
    told = typed("model", "verify", published.uri, "--key", key)
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert lines[0] == f"late {published.manifest.digest[7:19]}"
    assert lines[1].split() == ["FILE", "SIZE", "DIGEST", "WHAT"]
    assert [line.split()[0] for line in lines[2:7]] == sorted(FILES)
    assert all(line.split()[-1] == "right" for line in lines[2:7])
    assert lines[7:] == [
        f"signed by the key {keys.key_id()[7:19]}",
        "The package is what its digest says.",
    ]
    assert max(map(len, lines)) <= 80


def test_it_may_be_named_by_its_run(typed: Plugin, server: ApiServer, published: Published) -> None:
    server.runs = {"first": [ended(artifact={"uri": published.uri})], "second": [run("second")]}
    assert typed("model", "verify", "first").code == 0
    told = typed("model", "verify", "second")
    assert (told.code, "run second has left no package" in told.err) == (1, True)


def test_json(typed: Plugin, published: Published, key: str) -> None:
    published.sign()
    told = json.loads(typed("model", "verify", published.uri, "--key", key, "-o", "json").out)
    assert told["verified"] is True
    assert told["digest"] == published.manifest.digest
    assert told["signature"] == {
        "keyId": keys.key_id(),
        "verified": True,
        "message": f"signed by the key {keys.key_id()[7:19]}",
    }
    assert {one["path"] for one in told["files"]} == set(FILES)


def test_without_a_key_the_signature_is_told_and_not_believed(
    typed: Plugin, published: Published
) -> None:
    assert "not signed" in typed("model", "verify", published.uri).out
    published.sign()
    told = typed("model", "verify", published.uri)
    assert told.code == 0
    assert f"says that the key {keys.key_id()[7:19]} signed it: prove it with --key" in told.out


Change = Callable[[Published], object]
WRONG: list[tuple[str, Change, str]] = [
    ("altered", lambda p: p.put("model.skops", b"madel"), "has another digest"),
    ("longer", lambda p: p.put("model.skops", b"model and more"), "has another digest"),
    ("missing", lambda p: p.bucket.objects.pop(f"{p.prefix}card.md"), "is not there"),
    ("more", lambda p: p.put("more.bin", b"x"), "is not named by the manifest"),
    ("more, hostile", lambda p: p.put(EVIL, b"x"), "is not named by the manifest"),
]


@pytest.mark.parametrize(("change", "says"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_a_package_that_is_not_what_it_was(
    typed: Plugin, published: Published, change: Change, says: str
) -> None:
    published.sign()
    change(published)
    told = typed("model", "verify", published.uri)
    assert told.code == 1
    assert says in told.out
    assert told.out.endswith("Do not use it.\n")
    assert "\x1b" not in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    body = json.loads(typed("model", "verify", published.uri, "-o", "json").out)
    assert body["verified"] is False


SIGNED: list[tuple[str, Change, str]] = [
    ("not at all", lambda _: None, "not signed"),
    ("by another key", lambda p: p.sign("other"), "none of those that are believed"),
    ("by nothing", lambda p: p.put("model.sig", b"{}"), "model.sig cannot be read"),
    ("too long", lambda p: p.put("model.sig", b"{" * 100_000), "more than"),
]


@pytest.mark.parametrize(("change", "says"), [c[1:] for c in SIGNED], ids=[c[0] for c in SIGNED])
def test_a_signature_that_is_not_right(
    typed: Plugin, published: Published, key: str, change: Change, says: str
) -> None:
    change(published)
    told = typed("model", "verify", published.uri, "--key", key)
    assert told.code == 1
    assert says in " ".join(told.out.split())


def test_a_manifest_that_is_another(typed: Plugin, published: Published) -> None:
    published.put(package.MANIFEST, b"{}")
    told = typed("model", "verify", published.uri)
    assert (told.code, told.out) == (1, "")
    assert "manifest.json has digest" in told.err


@pytest.mark.parametrize(
    ("uri", "code", "says"),
    [
        ("s3://tidemill/models/team/late/", 1, "is no address of a package"),
        (f"s3://tidemill/models/other/late/{'a' * 64}/", 1, "add -n other"),
        (f"s3://tidemill/models/team/late/{'a' * 64}/", 1, "there is no"),
        ("none", 1, "has no run none"),
    ],
)
def test_what_names_no_package(typed: Plugin, uri: str, code: int, says: str) -> None:
    told = typed("model", "verify", uri)
    assert told.code == code
    assert says in told.err


def test_a_key_that_is_none(typed: Plugin, published: Published, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(keys.private_pem())
    told = typed("model", "verify", published.uri, "--key", "x.pem")
    assert told.code == 1
    assert "x.pem: it is no public key in PEM" in told.err
    assert "PRIVATE" not in told.err


def test_its_card(typed: Plugin, published: Published) -> None:
    told = typed("model", "show", published.uri)
    assert told.code == 0
    assert told.out == "# A model for �[31mlate\n\nRight in 9 of 10.\n"


def test_its_documents(typed: Plugin, published: Published) -> None:
    told: Any = typed("model", "show", published.uri, "--part", "metrics")
    assert json.loads(told.out) == {"metrics": []}
    absent = typed("model", "show", published.uri, "--part", "lineage")
    assert (absent.code, absent.err) == (1, "error: the package has no lineage.json\n")
    published.put("card.md", b"# Another")
    assert typed("model", "show", published.uri).code == 1


def test_an_operator_that_is_busy_is_asked_again(
    typed: Plugin, published: Published, server: ApiServer, pauses: list[float]
) -> None:
    server.refuse["/files/model.skops"] = [(503, {"error": "busy"})]
    assert typed("model", "verify", published.uri).code == 0
    assert pauses == [3.0]


def test_completion_offers_runs(server: ApiServer, tmp_path: Path) -> None:
    config = str(server.kubeconfig(tmp_path))
    server.runs = {"first": [run("first")]}
    for command in ("verify", "show"):
        words = ["model", command, "--kubeconfig", config, "f"]
        assert list(complete.proposals(words)) == ["first", ":4"]
    assert [one.split("\t")[0] for one in complete.proposals(["model", ""])] == [
        *("show", "verify", ":4")
    ]
