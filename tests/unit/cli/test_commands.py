"""What each command shows, writes and ends with."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.cli.api_server import USER_TOKEN, ApiServer, status
from tests.unit.cli.conftest import Plugin
from tests.unit.data_api.bucket import digest_of
from tests.unit.runner.profile.tables import profile_of

from tidemill.api.v1alpha1.schema import SchemaSpec
from tidemill.cli import complete
from tidemill.store import layout
from tidemill_runner.schema import ColumnType

FILES = {"2026/a.csv": b"one", "2026/b.csv": b"two" * 200_000, "c.csv": b""}
EVIL = "\x1b[31mred\u202e\n"


def profile(**columns: tuple[str, list[Any]]) -> bytes:
    return profile_of(**{n: (ColumnType(kind), v) for n, (kind, v) in columns.items()}).to_bytes()


@pytest.fixture
def version(server: ApiServer) -> str:
    """The data set `power` with a version in use."""
    made = server.bucket.version(FILES, why="Created")
    server.statuses["team", "power"] = {
        "version": made,
        "versions": [{"version": made, "rows": 3, "createdAt": "2026-03-01T12:00:00Z"}],
    }
    return made


def short(version: str) -> str:
    return version.removeprefix("sha256:")[:12]


def test_history_is_a_table_of_eighty_columns(
    server: ApiServer, plugin: Plugin, version: str
) -> None:
    why = {"reason": "ChecksFailed", "message": f"spec.checks[0] {EVIL} fails in 3 rows"}
    facts = {"why": "SourceChanged", "rejected": why, "change": {"kind": "Compatible"}}
    bad = server.bucket.version({"x": b"y"}, **facts)
    ended = plugin("history", "power")
    assert (ended.code, ended.err) == (0, "")
    title, first, second, *rest = ended.out.splitlines()
    assert title.split() == ["VERSION", "VERDICT", "ROWS", "SIZE", "WHY", "CHANGE", "AGE"]
    assert first.split()[:3] == [short(bad), "Rejected", "3"]
    assert second.split()[:6] == [short(version), "InUse", "3", "585.9", "KiB", "Created"]
    assert f"{short(bad)} was not let in: spec.checks[0] �[31mred�� fails" in " ".join(rest)
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "\x1b" not in ended.out


def test_history_for_programs(server: ApiServer, plugin: Plugin, version: str) -> None:
    made = [server.bucket.version({"x": str(n).encode()}) for n in range(105)]
    found = json.loads(plugin("history", "power", "-o", "json", "--limit", "102").out)
    assert [item["version"] for item in found["items"]] == made[:2:-1]
    assert found["remaining"] == 4
    last = json.loads(plugin("history", "power", "-o", "json", "--limit", "200").out)["items"][-1]
    assert (last["version"], last["verdict"]) == (version, "InUse")
    assert last["createdAt"] == "2026-03-01T12:00:00Z"


@pytest.mark.usefixtures("version")
def test_the_token_is_made_for_the_data_port_and_the_users_own_stays_behind(
    server: ApiServer, plugin: Plugin
) -> None:
    plugin("history", "power")
    assert server.token_requests == [
        {
            "ns": "team",
            "name": "default",
            "audiences": ["tidemill.dev"],
            "expirationSeconds": 600,
        }
    ]
    for method, path, headers in server.asked:
        assert headers["Authorization"] == f"Bearer {USER_TOKEN}"
        own = {k: v for k, v in headers.items() if k != "Authorization"}
        assert USER_TOKEN not in str(own)
        assert ("X-Tidemill-Token" in headers) == ("/proxy/" in path)
        assert method == "GET" or path.endswith("/token")


@pytest.mark.parametrize(
    ("flags", "namespace"),
    [((), "team"), (("-n", "mine"), "mine"), (("--context", "there"), "other")],
)
def test_the_namespace_is_the_flags_or_the_contexts(
    server: ApiServer, plugin: Plugin, flags: tuple[str, ...], namespace: str
) -> None:
    made = server.bucket.version({"a": b"1"}, place=(namespace, "power"))
    server.statuses[namespace, "power"] = {"version": made}
    assert short(made) in plugin("history", "power", *flags).out


@pytest.mark.usefixtures("server")
def test_get_writes_what_the_version_holds(plugin: Plugin, version: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "power"
    ended = plugin("get", "power", "-o", str(target))
    assert (ended.code, ended.err) == (0, "")
    assert f"power {short(version)}: 3 objects, 585.9 KiB in" in ended.out
    files = {str(f.relative_to(target)): f.read_bytes() for f in target.rglob("*") if f.is_file()}
    assert files == FILES


def test_get_goes_on_where_it_was_cut_off(
    server: ApiServer, plugin: Plugin, version: str, tmp_path: Path
) -> None:
    target = tmp_path / "data"
    plugin("get", "power", version, "-o", str(target))
    (target / "c.csv").unlink()
    (target / "2026/a.csv").write_bytes(b"bad")
    (target / "mine.txt").write_bytes(b"stays")
    server.asked.clear()
    ended = plugin("get", "power", short(version), "-o", str(target))
    assert "(1 were there)" in ended.out
    assert "1 other files lie in" in ended.err
    assert (target / "2026/a.csv").read_bytes() == b"one"
    assert (target / "mine.txt").read_bytes() == b"stays"
    objects = [path for _, path, _ in server.asked if "/objects/" in path]
    assert len(objects) == 2


@pytest.mark.usefixtures("version")
def test_content_that_is_not_the_versions_is_not_kept(
    server: ApiServer, plugin: Plugin, tmp_path: Path
) -> None:
    key = layout.cas_key(layout.cas_prefix("team"), digest_of(b"one"))
    server.bucket.objects[key] = b"eno"
    target = tmp_path / "data"
    ended = plugin("get", "power", "-o", str(target))
    assert ended.code == 1
    assert "'2026/a.csv' arrived with other content" in ended.err
    assert [file for file in target.rglob("*") if file.is_file()] == []


def test_a_manifest_of_another_version_is_not_believed(
    server: ApiServer, plugin: Plugin, version: str, tmp_path: Path
) -> None:
    other = server.bucket.version({"evil": b"evil"})
    keys = [layout.manifest_key("team", "power", one) for one in (version, other)]
    server.bucket.objects[keys[0]] = server.bucket.objects[keys[1]]
    ended = plugin("get", "power", "-o", str(tmp_path / "data"))
    assert ended.code == 1
    assert f"is version {short(other)}, not {short(version)}" in ended.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("key", ["../evil", "a/../../evil", "a/./b", "a//b", "x\x00y", "k" * 300])
def test_no_key_leads_out_of_the_directory(
    server: ApiServer, plugin: Plugin, tmp_path: Path, key: str
) -> None:
    server.statuses["team", "power"] = {"version": server.bucket.version({"a": b"1", key: b"2"})}
    ended = plugin("get", "power", "-o", str(tmp_path / "deep" / "data"))
    assert ended.code == 1
    assert "cannot be a file" in ended.err
    assert not (tmp_path / "deep").exists(), "refused before anything is written"


def test_report_is_one_file(plugin: Plugin, version: str, tmp_path: Path) -> None:
    ended = plugin("report", "power")
    name = f"power-{short(version)}.html"
    assert (ended.code, ended.out.strip()) == (0, name)
    assert (tmp_path / name).read_bytes() == b"<html>report</html>"
    plugin("report", "power", "latest", "-o", "other.html")
    assert (tmp_path / "other.html").read_bytes() == b"<html>report</html>"
    assert not list(tmp_path.glob(".*"))


def test_schema_is_ready_to_be_pasted(server: ApiServer, plugin: Plugin) -> None:
    described = profile(
        price=("Float", [n / 10 for n in range(101)]),
        kind=("String", ["up", "down", "no"] * 33 + ["no", None]),
    )
    found = (("price", "Float", False), ("kind", "String", True), ("list", "Other", True))
    made = server.bucket.version({"a": b"1"}, columns=found, profile=described)
    server.statuses["team", "power"] = {"version": made}
    text = plugin("schema", "power").out
    assert text.splitlines()[:2] == ["schema:", "  mode: Enforce"]
    spec = SchemaSpec.model_validate(yaml.safe_load(text)["schema"])
    price, kind, other = spec.columns
    assert (price.type, price.nullable, price.min, price.max) == ("Float", False, "0", "11")
    assert (kind.in_, kind.nullable, kind.min) == (["down", "no", "up"], None, None)
    assert (other.type, other.min, other.in_) == ("Other", None, None)
    assert json.loads(plugin("schema", "power", "-o", "json").out) == yaml.safe_load(text)


def two_versions(server: ApiServer) -> tuple[str, str]:
    columns = ("a", "Integer", False), ("list", "Other", True)
    old = profile(a=("Integer", list(range(100))), gone=("String", ["x"] * 100))
    new = profile(a=("Integer", list(range(100))), new=("Float", [1.0] * 100))
    one = server.bucket.version({"a": b"1"}, columns=columns, profile=old)
    two = server.bucket.version({"a": b"2"}, columns=columns[:1], profile=new)
    server.statuses["team", "power"] = {"version": two, "rejected": {"version": one}}
    return one, two


def test_diff_tells_the_most_important_first(server: ApiServer, plugin: Plugin) -> None:
    one, two = two_versions(server)
    ended = plugin("diff", "power", one)
    head, _, first, second, third, *_ = ended.out.splitlines()
    assert head == f"{short(one)} → {short(two)}: 100 rows → 100 rows"
    assert first.split()[:3] == ["gone", "ColumnLost", "!"]
    assert second.split()[:3] == ["list", "ColumnLost", "!"]
    assert third.split()[:2] == ["new", "ColumnAdded"]
    assert max(map(len, ended.out.splitlines())) <= 80
    assert ended.code == 0
    assert plugin("diff", "power", one, "--exit-code").code == 1
    assert plugin("diff", "power", two, two, "--exit-code").code == 0
    assert "Nothing that matters" in plugin("diff", "power", two, two).out


def test_diff_for_programs(server: ApiServer, plugin: Plugin) -> None:
    one, two = two_versions(server)
    told = json.loads(plugin("diff", "power", "rejected", "latest", "-o", "json").out)
    assert (told["before"], told["after"]) == (
        {"version": one, "rows": 100},
        {"version": two, "rows": 100},
    )
    assert told["breaking"] is True
    assert [change["kind"] for change in told["changes"]] == [
        "ColumnLost",
        "ColumnLost",
        "ColumnAdded",
    ]


FORBIDDEN = status("Forbidden", 'User "anna" cannot get resource "services/proxy"')


@pytest.mark.parametrize(
    ("arguments", "refuse", "code", "words"),
    [
        pytest.param(("history", "none"), {}, 1, "no data set none", id="no data set"),
        pytest.param(("report", "power", "ffffff"), {}, 1, "no version ffffff", id="no version"),
        pytest.param(("report", "power", "rejected"), {}, 1, "was let in", id="none rejected"),
        pytest.param(("report", "power", "newest"), {}, 2, "is no version", id="no word for one"),
        pytest.param(("get", "power"), {}, 2, "--output", id="no directory"),
        pytest.param(("schema", "power"), {}, 1, "not a profile", id="a profile not known"),
        pytest.param(
            ("history", "power", "--service-account", "x"), {}, 1, "no ServiceAccount x", id="no SA"
        ),
        pytest.param(
            ("history", "power"), {"/token": (403, FORBIDDEN)}, 3, "role `edit`", id="no token"
        ),
        pytest.param(
            ("history", "power"), {"/proxy/": (403, FORBIDDEN)}, 3, "services/proxy", id="no proxy"
        ),
        pytest.param(
            ("history", "power"),
            {"/proxy/": (401, {"error": "the token is not valid"})},
            3,
            "not valid",
            id="a token that is not taken",
        ),
        pytest.param(
            ("history", "power"),
            {"/proxy/": (404, status("NotFound", "x"))},
            4,
            "--tidemill-namespace",
            id="no Service",
        ),
        pytest.param(
            ("history", "power"),
            {"/proxy/": (503, status("ServiceUnavailable", "no endpoints"))},
            4,
            "does not answer",
            id="no operator",
        ),
        pytest.param(
            ("history", "power", "--context", "none"), {}, 4, "--context", id="no such context"
        ),
    ],
)
@pytest.mark.usefixtures("version")
def test_how_a_command_ends_that_cannot_do_it(
    server: ApiServer,
    plugin: Plugin,
    arguments: tuple[str, ...],
    refuse: dict[str, tuple[int, dict[str, Any]]],
    code: int,
    words: str,
) -> None:
    server.refuse = {part: [answer] for part, answer in refuse.items()}
    ended = plugin(*arguments)
    assert ended.code == code
    assert words in ended.err
    if "Usage:" not in ended.err:
        assert ended.err.count("\n") == 1
        assert ended.err.startswith("error: ")


@pytest.mark.usefixtures("version")
def test_who_is_told_to_come_back_comes_back(
    server: ApiServer, plugin: Plugin, pauses: list[float]
) -> None:
    busy = (429, {"error": "too many downloads at the same time"})
    server.refuse = {"/proxy/": [busy, (503, {"error": "the store does not answer"})]}
    assert plugin("history", "power").code == 0
    assert pauses == [3.0, 3.0]
    server.refuse = {"/proxy/": [busy] * 10}
    ended = plugin("history", "power")
    assert (ended.code, len(pauses)) == (4, 7)
    assert "too many downloads" in ended.err


@pytest.mark.usefixtures("version")
def test_an_api_server_that_is_away(server: ApiServer, plugin: Plugin, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    port, server.port = server.port, 1
    ended = plugin("history", "power", kubeconfig=server.kubeconfig(away))
    server.port = port
    assert (ended.code, ended.err.count("\n")) == (4, 1)
    assert "refused" in ended.err


@pytest.mark.usefixtures("plugin")
def test_completion_knows_data_sets_versions_and_files(
    server: ApiServer, version: str, tmp_path: Path
) -> None:
    server.statuses["team", "prices"] = {}
    flags = "--kubeconfig", str(tmp_path / "kubeconfig")

    def offered(*words: str) -> list[str]:
        return [line.partition("\t")[0] for line in complete.proposals(words)]

    assert offered("dataset", "") == ["diff", "get", "history", "report", "schema", ":4"]
    assert offered("dataset", "history", *flags, "p") == ["power", "prices", ":4"]
    assert offered("dataset", "history", *flags, "po") == ["power", ":4"]
    assert offered("dataset", "diff", *flags, "power", "") == [
        "latest",
        "rejected",
        short(version),
        ":4",
    ]
    assert offered("dataset", "report", *flags, "power", "-o", "") == [":0"]
    assert offered("dataset", "history", "--kubeconfig", "none", "p") == [":4"]
