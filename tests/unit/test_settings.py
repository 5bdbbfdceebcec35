"""Flags, environment, defaults."""

import pytest

from tidemill.settings import Settings


def parse(*arguments: str, **environment: str) -> Settings:
    return Settings.parse(arguments, environment)


def test_flags_win_over_the_environment_and_that_over_the_defaults() -> None:
    settings = parse("--all-namespaces", "--workers", "4", TIDEMILL_WORKERS="8", TIDEMILL_PORT="9")
    assert (settings.workers, settings.port, settings.resync_seconds) == (4, 9, 600.0)


@pytest.mark.parametrize(
    ("arguments", "environment", "scopes"),
    [
        pytest.param(["--all-namespaces"], {}, (None,), id="all"),
        pytest.param(["--namespace", "a, b,"], {}, ("a", "b"), id="some"),
        pytest.param([], {"TIDEMILL_NAMESPACE": "a,b"}, ("a", "b"), id="some, environment"),
        pytest.param([], {"TIDEMILL_ALL_NAMESPACES": "true"}, (None,), id="all, environment"),
        pytest.param(
            ["--namespace", "a"], {"TIDEMILL_ALL_NAMESPACES": "true"}, ("a",), id="flag wins"
        ),
        pytest.param(
            ["--all-namespaces"], {"TIDEMILL_NAMESPACE": "a"}, (None,), id="flag wins, too"
        ),
    ],
)
def test_which_namespaces_are_served(
    arguments: list[str], environment: dict[str, str], scopes: tuple[str | None, ...]
) -> None:
    assert parse(*arguments, **environment).scopes == scopes


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        pytest.param([], {}, "either --all-namespaces or --namespace", id="no namespaces"),
        pytest.param(["--all-namespaces", "--namespace=a"], {}, "either", id="both"),
        pytest.param(["--namespace=a", "--workers=0"], {}, "--workers", id="no workers"),
        pytest.param(["--namespace=a", "--renew-seconds=20"], {}, "--renew", id="renew too long"),
        pytest.param(
            ["--namespace=a"],
            {"TIDEMILL_HTTP_ALLOWED_NETWORKS": "10.0.0.1/8"},
            "--http-allowed-networks: 10.0.0.1/8 has host bits set",
            id="no network",
        ),
        pytest.param(["--namespace=a"], {"TIDEMILL_PORT": "x"}, "TIDEMILL_PORT", id="no number"),
        pytest.param([], {"TIDEMILL_ALL_NAMESPACES": "yes"}, "true or false", id="no boolean"),
    ],
)
def test_a_mistake_ends_with_a_line_that_names_it(
    arguments: list[str],
    environment: dict[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments, **environment)
    assert message in capsys.readouterr().err


def test_identities_differ_so_that_two_processes_on_a_machine_do() -> None:
    assert parse("--all-namespaces").identity != parse("--all-namespaces").identity
    assert parse("--all-namespaces", TIDEMILL_IDENTITY="x").identity == "x"
