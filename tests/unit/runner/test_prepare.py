"""The query between source and version: what it may say, what it gives, how it fails."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.store import digests
from tidemill_runner.failures import Failure
from tidemill_runner.prepare import Preparation, Room
from tidemill_runner.staging import staged

MEMORY = 256 * 1024 * 1024
ROWS = {"site": ["a", "b", "a", None], "load": [1.5, 2.0, float("nan"), 4.0], "n": [1, 2, 3, 4]}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, list[Path]]:
    """`source` in two files, `sites` in one."""
    folder = tmp_path / "in"
    folder.mkdir()
    whole = pa.table(ROWS)
    for number, part in enumerate((whole.slice(0, 2), whole.slice(2))):
        pq.write_table(part, folder / f"{number}.parquet")
    pq.write_table(pa.table({"site": ["a", "b"], "area": [10, 20]}), folder / "sites.parquet")
    return {
        "source": [folder / "0.parquet", folder / "1.parquet"],
        "sites": [folder / "sites.parquet"],
    }


def prepared(
    tables: dict[str, list[Path]], sql: str, *, seconds: float = 60, memory: int = MEMORY
) -> Path:
    folder = tables["source"][0].parent
    room = Room((folder,), folder.parent / "out", folder.parent / "spill")
    room.into.mkdir(exist_ok=True)
    queries = {name: staged(files) for name, files in tables.items()}
    return Preparation(sql, seconds).run(queries, room, memory)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("select n from source", {"n": [1, 2, 3, 4]}, id="columns"),
        pytest.param("from source select n + 1 as m where n > 2", {"m": [4, 5]}, id="from first"),
        pytest.param("SELECT n FROM Source;  ", {"n": [1, 2, 3, 4]}, id="case and semicolon"),
        pytest.param("select n from source -- all", {"n": [1, 2, 3, 4]}, id="comment at the end"),
        pytest.param(
            "select n, area from source join sites using (site) order by n",
            {"n": [1, 2, 3], "area": [10, 20, 10]},
            id="join",
        ),
        pytest.param(
            "with a as (select max(n) as m from source) select m from a", {"m": [4]}, id="with"
        ),
        pytest.param(
            "with recursive r(i) as (select 1 union all select i + 1 from r where i < 3) from r",
            {"i": [1, 2, 3]},
            id="recursion",
        ),
        pytest.param(
            "select i from range(2) t(i), (values (1)) v(j)", {"i": [0, 1]}, id="range and values"
        ),
        pytest.param(
            "select n, row_number() over (order by n desc) as r from source order by n limit 1",
            {"n": [1], "r": [4]},
            id="window",
        ),
        pytest.param("select n from source where false", {"n": []}, id="no rows"),
    ],
)
def test_a_query_gives_its_rows(
    tables: dict[str, list[Path]], sql: str, expected: dict[str, list[object]]
) -> None:
    assert pq.read_table(prepared(tables, sql)).to_pydict() == expected


def test_the_same_query_gives_the_same_bytes(tables: dict[str, list[Path]]) -> None:
    sql = "select site, sum(load) as s, count(*) as c from source group by site"
    first, second = (digests.sha256_digest(prepared(tables, sql).read_bytes()) for _ in range(2))
    assert first == second


def test_a_version_names_query_and_engine() -> None:
    header = Preparation("select 1 as a", 1).header()
    assert header["sql"] == "select 1 as a"
    assert header["engine"].startswith("duckdb ")


@pytest.mark.parametrize(
    ("sql", "tells"),
    [
        pytest.param("selec n from source", "syntax error", id="not SQL"),
        pytest.param("", "one SELECT", id="empty"),
        pytest.param("select 1; select 2", "2 statements", id="two statements"),
        pytest.param("drop table source", "only one SELECT", id="drop"),
        pytest.param("copy source to '/tmp/x'", "only one SELECT", id="copy"),
        pytest.param("set threads = 8", "only one SELECT", id="set"),
        pytest.param("attach 'x.db'", "only one SELECT", id="attach"),
        pytest.param(
            "select n from sorce",
            "no table 'sorce' to read from; did you mean 'source'?",
            id="table",
        ),
        pytest.param("select * from '/etc/passwd'", "no table '/etc/passwd'", id="file as a table"),
        pytest.param("select * from main.source", "no table 'source'", id="schema"),
        pytest.param("select * from duckdb_settings()", "duckdb_settings", id="settings"),
        pytest.param("select * from read_csv('/etc/passwd')", "read_csv", id="read_csv"),
        pytest.param("select * from glob('/*')", "glob", id="glob"),
        pytest.param("from (select * from read_text('/x'))", "read_text", id="in a subquery"),
        pytest.param(
            "select n from source where n in (select 1 from read_blob('x'))", "read_blob", id="deep"
        ),
        pytest.param("describe source", "show_ref", id="describe"),
        pytest.param("select random() from source", "random", id="random"),
        pytest.param("select n, now() as t from source", "now", id="now"),
        pytest.param("select current_date from source", "current_date", id="a word"),
        pytest.param("select uuid() from source", "uuid", id="uuid"),
        pytest.param("select error(site) from source", "error", id="a value as a message"),
        pytest.param("select * from source tablesample 10%", "TABLESAMPLE", id="sample"),
        pytest.param("select wrong from source", '"wrong" not found', id="column"),
        pytest.param("select foo(n) from source", "foo", id="function"),
    ],
)
def test_what_may_not_be_asked_is_refused(
    tables: dict[str, list[Path]], sql: str, tells: str
) -> None:
    with pytest.raises(Failure) as refused:
        prepared(tables, sql)
    assert refused.value.reason == "PrepareInvalid"
    assert refused.value.message.startswith("spec.prepare.sql: ")
    assert tells in refused.value.message


def test_a_closing_parenthesis_does_not_lead_out_of_the_query(
    tables: dict[str, list[Path]],
) -> None:
    sql = "select 1) to '/tmp/x' (format csv); select * from source --"
    with pytest.raises(Failure) as refused:
        prepared(tables, sql)
    assert refused.value.reason == "PrepareInvalid"


@pytest.mark.parametrize(
    ("sql", "tells"),
    [
        pytest.param("select cast(site as int) as i from source", "Could not convert", id="cast"),
    ],
)
def test_a_value_that_fails_is_not_told(
    tables: dict[str, list[Path]], sql: str, tells: str
) -> None:
    with pytest.raises(Failure) as failed:
        prepared(tables, sql)
    assert failed.value.reason == "PrepareFailed"
    assert tells in failed.value.message
    assert "'a'" not in failed.value.message


def test_what_takes_too_long_is_ended(tables: dict[str, list[Path]]) -> None:
    sql = "select count(*) as c from range(100000000) a, range(1000000) b"
    with pytest.raises(Failure, match="not done after") as failed:
        prepared(tables, sql, seconds=0.3)
    assert failed.value.reason == "PrepareFailed"


def test_what_needs_too_much_memory_names_the_limit(tables: dict[str, list[Path]]) -> None:
    sql = "select list(i) as all_of_them from range(50000000) t(i)"
    with pytest.raises(Failure, match=r"spec\.template\.resources\.limits\.memory"):
        prepared(tables, sql, memory=64 * 1024 * 1024)
