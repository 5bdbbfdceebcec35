"""The rules of a Dataset across fields: what is taken, what is refused, what is then said."""

from typing import Any

import pytest

SOURCE = "exactly one source must be set: s3, inline, http, dataset, sql or pvc"
INLINE = "data holds more than 256 KiB: deliver it to a bucket"
CSV_ONLY = "csv says how CSV is written: set format to CSV, or leave csv out"
KIND = (
    "exactly one kind must be set: rowCount, expression, unique, freshness, monotonic, "
    "duplicateRows, distribution, referential or leakage"
)
WHOLE = "rowCount, freshness and leakage hold or do not: they take no maxViolationFraction"
VERSION = "version names what is compared with: it is needed with against: Version and only there"
REFERENCES = "references and columns differ in number: name one for each, in the same order"
INPUT = "an input may not be named source: that is the table of spec.source"
PREPARED = "exactly one way must be set: sql or container"
IMAGE = "image must be named by digest (name@sha256:…): the version says what made it"
OWN_NAME = "names that begin with TIDEMILL_ are set by Tidemill: take another"
THRESHOLD = "threshold is below 0.5: so much any good feature tells"
DIGEST = "sha256:" + "0" * 64
OTHER = {"name": "other"}
SQL = {
    "engine": "PostgreSQL",
    "host": "db.example.org",
    "database": "plant",
    "query": "SELECT 1 AS a",
    "credentialsRef": {"name": "db-reader"},
}
BY_DIGEST = f"registry.example:5000/team/clean:1@{DIGEST}"
PVC = {"claimName": "deliveries", "format": "CSV"}
ENFORCE = "mode Enforce needs columns: with none declared all data would be refused"
GAPS = "maxNullFraction allows gaps that nullable: false forbids: leave one of them out"
LENGTHS = "minLength is above maxLength: no text could be both"
BOUNDS = "min, max or both must be set"
EFFECT = "effect is below 0.1: so little is not told from nothing"
COUNTS = "min is above max: no number of rows could be both"
POLLED = "schedule says when the source is looked at, pollInterval how often: leave one of them out"
PIN = (
    "pin None leaves the data where they are, and what source gives cannot be read again: use "
    "source.s3, set prepare, or leave pin out"
)
SHARED = (
    "parallelism above 1 divides the objects of source.s3 or source.dataset, and a container "
    "prepares in one pod: leave parallelism out"
)
DASK = {"engine": "Dask", "workers": 3}
SPREAD = "distributed divides the objects of source.s3 or source.dataset: leave it out"
GATHERED = (
    "prepare needs all rows in one place: leave distributed out, or set it on a Dataset whose "
    "source.dataset is this one"
)
EITHER = "distributed and parallelism both say how many pods there are: leave one out"
ZONE = "timeZone is where the times of schedule are: set schedule, or leave timeZone out"
ENTITY = {"key": ["site"], "timestamp": "ts"}
ONLINE = {"address": "redis.example.org:6379", "credentialsRef": {"name": "redis-login"}}
FRESH = {"freshness": {"column": "ts", "maxAge": "1d"}}


def case(good: dict[str, Any], bad: dict[str, Any], message: str, name: str) -> Any:
    return pytest.param("Dataset", good, bad, message, id=name)


def inline(data: str, **more: Any) -> dict[str, Any]:
    return {"source": {"inline": {"format": "CSV", "data": data, **more}}}


def csv(**signs: str) -> dict[str, Any]:
    return {"source.s3.csv": signs}


def check(**asked: Any) -> dict[str, Any]:
    return {"checks": [{"name": "x", **asked}]}


def container(image: str = BY_DIGEST, **more: Any) -> dict[str, Any]:
    return {"prepare": {"container": {"image": image, **more}}}


def column(**asked: Any) -> dict[str, Any]:
    return {"schema": {"columns": [{"name": "a", **asked}]}}


RULES = [
    case(
        {"retention": {"age": "30d"}},
        {"retention": {}},
        "retention limits nothing: set versions, age or both",
        "retention of everything",
    ),
    case({}, {"source": {}}, SOURCE, "no source"),
    case(
        {"pin": "None"},
        {"source": {"sql": SQL}, "pin": "None"},
        PIN,
        "rows of a database left where they are",
    ),
    case(
        {"source": {"sql": SQL}, "pin": "None", "prepare": {"sql": "SELECT 1 AS a"}},
        {**inline("a\n1\n"), "pin": "None"},
        PIN,
        "what a query makes is kept",
    ),
    case(
        {"parallelism": 64, "prepare": {"sql": "SELECT 1 AS a"}},
        {"source": {"sql": SQL}, "parallelism": 2},
        SHARED,
        "several pods for one query",
    ),
    case(
        {"source": {"dataset": OTHER}, "parallelism": 2},
        {"source": {"pvc": PVC}, "parallelism": 2},
        SHARED,
        "several pods for one volume",
    ),
    case(
        {**container(), "parallelism": 1},
        {**container(), "parallelism": 2},
        SHARED,
        "several pods before a container",
    ),
    case(
        {"source": {"dataset": OTHER}, "distributed": DASK},
        {"source": {"sql": SQL}, "distributed": DASK},
        SPREAD,
        "an engine for one query",
    ),
    case(
        {"distributed": {"workers": 64}},
        {"distributed": DASK, "prepare": {"sql": "SELECT 1 AS a"}},
        GATHERED,
        "an engine and a query over all rows",
    ),
    case(
        {"distributed": DASK, "parallelism": 1},
        {"distributed": DASK, "parallelism": 2},
        EITHER,
        "an engine and pods without one",
    ),
    case(
        inline("a\n1\n"),
        {"source.inline": {"format": "CSV", "data": "a\n1\n"}},
        SOURCE,
        "bucket and data",
    ),
    case(
        {"source": {"http": {"url": "https://x.example/a.csv?b=c", "format": "CSV"}}},
        {"source.http": {"url": "https://x.example/a.csv", "format": "CSV"}},
        SOURCE,
        "bucket and URL",
    ),
    case(
        {"source": {"dataset": {"name": "other"}}},
        {"source": {"dataset": {"name": "o"}, "inline": {"format": "CSV", "data": "a"}}},
        SOURCE,
        "Dataset and data",
    ),
    case({"source": {"sql": SQL}}, {"source.sql": SQL}, SOURCE, "bucket and query"),
    case({"source": {"pvc": PVC}}, {"source.pvc": PVC}, SOURCE, "bucket and claim"),
    case(
        {"source": {"pvc": {**PVC, "path": "..a/.b/c d/", "csv": {"delimiter": ";"}}}},
        {"source": {"pvc": {**PVC, "format": "Parquet", "csv": {"delimiter": ";"}}}},
        CSV_ONLY,
        "dialect of Parquet on a volume",
    ),
    *(
        case(
            {"source": {"pvc": {**PVC, "path": good}}},
            {"source": {"pvc": {**PVC, "path": bad}}},
            "path leads down from the top of the volume: no part of it may be . or ..",
            f"path {bad}",
        )
        for good, bad in {"...": "..", "a../.b": "a/../b", "..a": "../a", "a/b.": "a/."}.items()
    ),
    case(
        inline("\u00fc" * 131_072),
        inline("\u00fc" * 131_073),
        INLINE,
        "few characters, many bytes",
    ),
    case(
        csv(delimiter=";"),
        {"source.s3.format": "Parquet", **csv(delimiter=";")},
        CSV_ONLY,
        "dialect of Parquet",
    ),
    case(
        inline("a\n1\n", csv={"decimal": ","}),
        inline("{}", csv={"decimal": ","}, format="JSONLines"),
        CSV_ONLY,
        "dialect of JSON lines",
    ),
    case(
        csv(delimiter="|", quote="'"),
        csv(delimiter="|", quote="|"),
        "delimiter and quote must be different characters",
        "delimiter as quote",
    ),
    case(
        csv(comment="#"),
        csv(comment="%", quote="%"),
        "comment and quote must be different characters",
        "comment as quote",
    ),
    case(
        csv(comment="#", delimiter=";"),
        csv(comment=";", delimiter=";"),
        "comment and delimiter must be different characters",
        "comment as delimiter",
    ),
    case(
        {"schema": {"mode": "Enforce", "columns": [{"name": "a"}]}},
        {"schema": {"mode": "Enforce"}},
        ENFORCE,
        "nothing to enforce",
    ),
    case(
        column(maxNullFraction="0.1", nullable=True),
        column(maxNullFraction="0.1", nullable=False),
        GAPS,
        "gaps that may not be",
    ),
    case(column(minLength=1, maxLength=1), column(minLength=2, maxLength=1), LENGTHS, "lengths"),
    case(check(rowCount={"min": 1}), check(rowCount={}), BOUNDS, "no number of rows"),
    case(
        check(rowCount={"min": 1, "max": 1}),
        check(rowCount={"min": 2, "max": 1}),
        COUNTS,
        "numbers of rows",
    ),
    case(check(expression="a > 0"), check(), KIND, "no check"),
    case(check(duplicateRows={}), check(duplicateRows={}, expression="a > 0"), KIND, "two checks"),
    case(
        check(expression="a > 0", maxViolationFraction="0.1"),
        check(rowCount={"min": 1}, maxViolationFraction="0.1"),
        WHOLE,
        "a part of a number of rows",
    ),
    case(check(**FRESH), check(maxViolationFraction="0.1", **FRESH), WHOLE, "a part of freshness"),
    case(
        check(distribution={"effect": "0.1"}),
        check(distribution={"effect": "0.09"}),
        EFFECT,
        "an effect too small",
    ),
    case(
        check(distribution={"against": "Version", "version": DIGEST}),
        check(distribution={"against": "Version"}),
        VERSION,
        "no version to compare with",
    ),
    case(
        check(distribution={"against": "Previous"}),
        check(distribution={"version": DIGEST}),
        VERSION,
        "a version that is not compared with",
    ),
    case(
        check(referential={"columns": ["a"], "dataset": OTHER, "references": ["b"]}),
        check(referential={"columns": ["a"], "dataset": OTHER, "references": ["b", "c"]}),
        REFERENCES,
        "more references than columns",
    ),
    case(
        check(leakage={"target": "y", "threshold": "0.5"}),
        check(leakage={"target": "y", "threshold": "0.49"}),
        THRESHOLD,
        "a threshold too low",
    ),
    case(
        {"prepare": {"sql": "SELECT 1", "inputs": [{"name": "sites", "dataset": OTHER}]}},
        {"prepare": {"sql": "SELECT 1", "inputs": [{"name": "source", "dataset": OTHER}]}},
        INPUT,
        "an input named source",
    ),
    case(container(), {"prepare": {"deadline": "1m"}}, PREPARED, "neither query nor container"),
    case(
        {"prepare": {"sql": "SELECT 1"}},
        {"prepare": {"sql": "SELECT 1", **container()["prepare"]}},
        PREPARED,
        "query and container",
    ),
    *(
        case(container(command=["a"], args=["b"], format="CSV"), container(bad), IMAGE, name)
        for name, bad in {
            "an image by its tag": "registry.example/clean:1",
            "an image by its name": "clean",
            "an image by a digest cut short": BY_DIGEST[:-1],
            "an image of another algorithm": BY_DIGEST.replace("sha256", "sha512"),
            "an image by two digests": f"{BY_DIGEST}@{DIGEST}",
            "a digest alone": f"@{DIGEST}",
        }.items()
    ),
    case(
        container(env=[{"name": "YEAR", "value": "2026"}]),
        container(env=[{"name": "TIDEMILL_IN", "value": "/"}]),
        OWN_NAME,
        "a variable of Tidemill's",
    ),
    case(
        {"entity": {"key": ["site", "part"], "timestamp": "ts"}},
        {"entity": {"key": ["site", "ts"], "timestamp": "ts"}},
        "timestamp is part of key already: name the column that says when, and only there",
        "a time as part of the key",
    ),
    case(
        {"online": ONLINE, "entity": ENTITY},
        {"online": ONLINE},
        "online keeps the newest row of each key: set entity, which says what the key is",
        "an online store of rows without a key",
    ),
    case(
        {"online": {**ONLINE, "ttl": "10s"}, "entity": ENTITY},
        {"online": {**ONLINE, "ttl": "0h0s"}, "entity": ENTITY},
        "ttl keeps nothing: make it longer than 0s, or leave it out",
        "a time to live of nothing",
    ),
    case(
        {"online": {"address": "[::1]:65535"}, "entity": ENTITY},
        {"online": {"address": "[::1]:65536"}, "entity": ENTITY},
        "address ends with a port from 1 to 65535",
        "a port that is none",
    ),
    case(
        {"refresh": {"schedule": "0 3 * * 1-5"}},
        {"refresh": {"schedule": "0 3 * * 1-5", "pollInterval": "1m"}},
        POLLED,
        "times and an interval",
    ),
    case(
        {"refresh": {"schedule": "@daily", "timeZone": "Europe/Berlin", "settlePeriod": "30s"}},
        {"refresh": {"pollInterval": "1m", "timeZone": "Europe/Berlin"}},
        ZONE,
        "a zone without times",
    ),
]
