"""What the environment may say of a container."""

import pytest

from tidemill_server.exits import Exit, Refused
from tidemill_server.settings import Settings
from tidemill_server.upstream.told import Upstream

ENV = {
    "TIDEMILL_MODEL_URI": "registry.example/peaks@sha256:" + "ab" * 32,
    "TIDEMILL_MODEL_DIGEST": "sha256:" + "ab" * 32,
    "TIDEMILL_MODEL_NAME": "peaks",
    "TIDEMILL_UPSTREAM": "http://127.0.0.1:8081",
}


def test_defaults() -> None:
    found = Settings.from_env(ENV)
    assert found.upstream == Upstream("127.0.0.1", 8081)
    assert (found.bucket, found.prefix) == ("", "")
    assert found.model_version == "ab" * 6
    told = found.upstream
    assert told is not None
    assert (told.protocol, told.ready) == ("OpenInference", "/v2/health/ready")
    assert (told.seconds, told.answer_bytes, told.authority) == (60, 16 * 2**20, "127.0.0.1:8081")


def test_everything_can_be_set() -> None:
    found = Upstream.from_env(
        {
            "TIDEMILL_UPSTREAM": "http://[::1]:9/",
            "TIDEMILL_UPSTREAM_PROTOCOL": "Http",
            "TIDEMILL_UPSTREAM_READY": "/up?x=1",
            "TIDEMILL_UPSTREAM_SECONDS": "0.5",
            "TIDEMILL_MAX_ANSWER_BYTES": "7",
        }
    )
    assert found == Upstream("::1", 9, "Http", "/up?x=1", 0.5, 7)
    assert found.authority == "[::1]:9"


def test_without_it_there_is_a_package() -> None:
    assert Upstream.from_env({}) is None
    with pytest.raises(Refused, match="TIDEMILL_MODEL_URI"):
        Settings.from_env({**ENV, "TIDEMILL_UPSTREAM": ""})


def test_a_container_of_plain_http_is_ready_where_its_root_answers() -> None:
    told = Upstream.from_env({**ENV, "TIDEMILL_UPSTREAM_PROTOCOL": "Http"})
    assert told is not None
    assert told.ready == "/"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("TIDEMILL_UPSTREAM", value)
            for value in (
                *("127.0.0.1:8081", "https://127.0.0.1:8081", "http://127.0.0.1", "http://:8081"),
                *("http://127.0.0.1:0", "http://127.0.0.1:99999", "http://127.0.0.1:8081/a"),
                *("http://127.0.0.1:8081?a", "http://[::1", "unix:/x"),
            )
        ),
        ("TIDEMILL_UPSTREAM_PROTOCOL", "gRPC"),
        *(("TIDEMILL_UPSTREAM_READY", value) for value in ("ready", "/a b", "/a\r\nx: y", "/ä")),
        *(("TIDEMILL_UPSTREAM_SECONDS", value) for value in ("0", "-1", "nan", "inf", "90000")),
        *(("TIDEMILL_MAX_ANSWER_BYTES", value) for value in ("0", "many", "0.5")),
        ("TIDEMILL_GRPC_PORT", "9000"),
        ("TIDEMILL_ONLINE_ADDRESS", "redis:6379"),
        ("TIDEMILL_MODEL_PUBLIC_KEYS", "[]"),
        ("TIDEMILL_MAX_EXPLAINED_ROWS", "20"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(Refused, match=f"the environment variable {name} is wrong") as refused:
        Settings.from_env({**ENV, name: value})
    assert (refused.value.reason, refused.value.code) == ("SpecInvalid", Exit.USER_ERROR)
