"""The plugin against an API server of its own, run as kubectl would run it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.cli.api_server import ApiServer, running

from tidemill.cli import data
from tidemill.cli.__main__ import run


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Plugin = Callable[..., Ended]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as found:
        yield found


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the plugin would have waited."""
    waited: list[float] = []
    monkeypatch.setattr(data.Data.__init__, "__defaults__", (waited.append, lambda: 0.0, "", 0.0))
    return waited


@pytest.fixture
def typed(
    server: ApiServer,
    pauses: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Plugin:
    assert pauses == []
    config = server.kubeconfig(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str, kubeconfig: Path = config) -> Ended:
        code = run([*arguments, "--kubeconfig", str(kubeconfig)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ended(code, out, err)

    return call


@pytest.fixture
def plugin(typed: Plugin) -> Plugin:
    """The commands about data sets."""
    return lambda *arguments, **flags: typed("dataset", *arguments, **flags)
