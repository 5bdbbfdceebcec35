"""What the environment may say."""

from pathlib import Path

import pytest

from tidemill_server.exits import Exit, Refused, write_termination
from tidemill_server.settings import Online, Settings, Tracing

DIGEST = "sha256:" + "ab" * 32
ENV = {
    "TIDEMILL_MODEL_URI": "s3://bucket/models/team/power/x",
    "TIDEMILL_MODEL_DIGEST": DIGEST,
    "TIDEMILL_MODEL_NAME": "power",
}


def test_defaults() -> None:
    found = Settings.from_env(ENV)
    assert (found.bucket, found.prefix) == ("bucket", "models/team/power/x/")
    assert found.model_version == "abababababab"
    assert (found.port, found.store) == (8080, Path("/etc/tidemill/store"))
    assert found.grpc_port is None
    assert (found.stopping.drain_seconds, found.limits.in_flight) == (5.0, 256)


def test_everything_can_be_set() -> None:
    found = Settings.from_env(
        {
            **ENV,
            "TIDEMILL_MODEL_VERSION": "7",
            "PORT": "9000",
            "TIDEMILL_GRPC_PORT": "0",
            "TIDEMILL_STORE": "/a",
            "TIDEMILL_SCRATCH": "/b",
            "TIDEMILL_TERMINATION": "/c",
            "TIDEMILL_MAX_BODY_BYTES": "1",
            "TIDEMILL_MAX_BODIES_BYTES": "9",
            "TIDEMILL_MAX_ROWS": "2",
            "TIDEMILL_MAX_IN_FLIGHT": "3",
            "TIDEMILL_MAX_BATCH_ROWS": "4",
            "TIDEMILL_BODY_SECONDS": "5",
            "TIDEMILL_LOAD_SECONDS": "6",
            "TIDEMILL_LOAD_MEMORY_BYTES": "7",
            "TIDEMILL_DRAIN_SECONDS": "0.5",
            "TIDEMILL_FINISH_SECONDS": "9",
            "TIDEMILL_ACCESS_LOG_EVERY": "100",
        }
    )
    assert (found.model_version, found.port, found.access_log_every) == ("7", 9000, 100)
    assert found.grpc_port == 0
    assert (found.store, found.scratch, found.termination) == (Path("/a"), Path("/b"), Path("/c"))
    limits = found.limits
    assert (limits.body_bytes, limits.rows, limits.in_flight, limits.batch_rows) == (1, 2, 3, 4)
    assert (limits.bodies_bytes, limits.held_bytes) == (9, 9)
    assert (limits.body_seconds, found.loading.seconds, found.loading.memory_bytes) == (5, 6, 7)
    assert (found.stopping.drain_seconds, found.stopping.finish_seconds) == (0.5, 9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDEMILL_MODEL_URI", ""),
        ("TIDEMILL_MODEL_URI", "http://bucket/x"),
        ("TIDEMILL_MODEL_DIGEST", "sha256:AB"),
        ("TIDEMILL_MODEL_NAME", ""),
        ("PORT", "http"),
        ("TIDEMILL_GRPC_PORT", "yes"),
        ("TIDEMILL_MAX_ROWS", "0"),
        ("TIDEMILL_MAX_ROWS", "-1"),
        ("TIDEMILL_DRAIN_SECONDS", "soon"),
        ("TIDEMILL_DRAIN_SECONDS", "nan"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name) as refused:
        Settings.from_env({**ENV, name: value})
    assert refused.value.code is Exit.USER_ERROR


def test_the_termination_message_fits_into_what_kubernetes_keeps(tmp_path: Path) -> None:
    path = tmp_path / "message"
    write_termination(path, Refused("ModelUnloadable", "ü" * 10_000))
    assert len(path.read_bytes()) < 4096


def test_a_termination_message_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    write_termination(tmp_path / "missing" / "message", Refused("ModelUnloadable", "why"))


ONLINE = {
    **ENV,
    "TIDEMILL_ONLINE_ADDRESS": "redis.example.org:6379",
    "TIDEMILL_ONLINE_NAMESPACE": "team",
}


def test_no_online_store_is_the_default() -> None:
    assert Settings.from_env(ENV).online is None
    assert Settings.from_env({**ENV, "TIDEMILL_ONLINE_ADDRESS": ""}).online is None


def test_an_online_store() -> None:
    found = Settings.from_env(ONLINE).online
    assert found == Online("redis.example.org", 6379, "team")
    assert (found.tls, found.seconds, found.may_lack) == ("VerifyFull", 0.05, False)
    told = {
        **ONLINE,
        "TIDEMILL_ONLINE_ADDRESS": "[2001:db8::7]:1",
        "TIDEMILL_ONLINE_TLS": "Disable",
        "TIDEMILL_ONLINE_SECONDS": "1.2",
        "TIDEMILL_ONLINE_UNAVAILABLE": "Missing",
        "TIDEMILL_ONLINE_SECRET": "/s",
        "TIDEMILL_HTTP_ALLOWED_NETWORKS": "10.0.0.0/8,fd12::/16",
    }
    networks = ("10.0.0.0/8", "fd12::/16")
    assert Settings.from_env(told).online == Online(
        *("2001:db8::7", 1, "team", "Disable", 1.2, True, Path("/s"), networks)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDEMILL_ONLINE_ADDRESS", "redis"),
        ("TIDEMILL_ONLINE_ADDRESS", ":6379"),
        ("TIDEMILL_ONLINE_ADDRESS", "redis:port"),
        ("TIDEMILL_ONLINE_NAMESPACE", ""),
        ("TIDEMILL_ONLINE_TLS", "On"),
        ("TIDEMILL_ONLINE_SECONDS", "soon"),
        ("TIDEMILL_ONLINE_UNAVAILABLE", "Guess"),
    ],
)
def test_an_online_store_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(Refused, match=f"the environment variable {name} is wrong") as refused:
        Settings.from_env({**ONLINE, name: value})
    assert (refused.value.reason, refused.value.code) == ("SpecInvalid", Exit.USER_ERROR)


TRACED = {**ENV, "TIDEMILL_TRACES_ENDPOINT": "https://collector.example.org/otlp/"}


def test_no_traces_are_the_default() -> None:
    assert Settings.from_env(ENV).traces is None
    assert Settings.from_env({**ENV, "TIDEMILL_TRACES_ENDPOINT": ""}).traces is None


@pytest.mark.parametrize(
    ("endpoint", "host", "port", "path", "tls"),
    [
        ("http://collector:4318", "collector", 4318, "", False),
        ("http://collector:4318/", "collector", 4318, "", False),
        ("http://10.1.2.3", "10.1.2.3", 80, "", False),
        ("https://[fd00::7]:1/a/b", "fd00::7", 1, "/a/b", True),
        ("https://Collector.example.org/otlp/", "collector.example.org", 443, "/otlp", True),
    ],
)
def test_a_collector_of_traces(endpoint: str, host: str, port: int, path: str, tls: bool) -> None:
    told = {
        **ENV,
        "TIDEMILL_TRACES_ENDPOINT": endpoint,
        "TIDEMILL_TRACES_RATIO": "1",
        "TIDEMILL_HTTP_ALLOWED_NETWORKS": "10.0.0.0/8",
    }
    expected = Tracing(endpoint, host, port, path, tls, 1.0, ("10.0.0.0/8",))
    assert Settings.from_env(told).traces == expected


def test_one_request_in_a_hundred_is_traced_by_default() -> None:
    found = Settings.from_env(TRACED).traces
    assert found is not None
    assert (found.ratio, found.networks) == (0.01, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("TIDEMILL_TRACES_ENDPOINT", endpoint)
            for endpoint in (
                *("collector:4318", "grpc://collector:4317", "http://", "http:///v1/traces"),
                *("http://ann:hush@collector", "http://collector:0", "http://collector:99999"),
                *("http://collector:port", "http://collector/?key=1", "http://collector/#a"),
                *("http://[::1", "http://col lector", "http://collector\n", "http://c/a b"),
            )
        ),
        *(("TIDEMILL_TRACES_RATIO", ratio) for ratio in ("-0.1", "1.1", "nan", "all", "1%")),
    ],
)
def test_a_collector_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(Refused, match=f"the environment variable {name} is wrong") as refused:
        Settings.from_env({**TRACED, name: value})
    assert (refused.value.reason, refused.value.code) == ("SpecInvalid", Exit.USER_ERROR)
    assert "hush" not in refused.value.message
