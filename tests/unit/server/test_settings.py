"""What the environment may say."""

from pathlib import Path

import pytest

from tidemill_server.exits import Exit, Refused, write_termination
from tidemill_server.settings import Online, Settings

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
