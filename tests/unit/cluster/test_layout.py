"""Where things are, by the environment; which names a cluster can have."""

from pathlib import Path

import pytest
from tests.cluster.localcluster.failure import ClusterError
from tests.cluster.localcluster.layout import Layout, cache


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOME": "/home/a"}, "/home/a/.cache/tidemill"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "/x"}, "/x/tidemill"),
        ({"XDG_CACHE_HOME": "/x", "TIDEMILL_CACHE": "/t"}, "/t"),
        ({}, "/root/.cache/tidemill"),
    ],
    ids=["home", "xdg", "own", "none"],
)
def test_cache_is_where_the_environment_says(environment: dict[str, str], expected: str) -> None:
    assert cache(environment) == Path(expected)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "/var/lib/tidemill/mine/kubeconfig"),
        ({"TIDEMILL_STATE": "/state"}, "/state/mine/kubeconfig"),
    ],
    ids=["default", "own"],
)
def test_kubeconfig_is_in_the_state(environment: dict[str, str], expected: str) -> None:
    assert Layout.of("mine", environment).kubeconfig == Path(expected)


@pytest.mark.parametrize("name", ["a", "tidemill", "a-1", "a" * 32])
def test_name_is_taken(name: str) -> None:
    assert Layout.of(name, {}).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "1", "a/b", "..", "a b", "a" * 33])
def test_name_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="cannot be a cluster's name"):
        Layout.of(name, {})


def test_sockets_have_short_paths_whatever_the_state_is() -> None:
    layout = Layout.of("a" * 32, {"TIDEMILL_STATE": "/" + "long/" * 40})
    assert len(str(layout.containerd_socket)) < 108 - len(".ttrpc")
