"""A run from its files to its exit code, where no store is needed to see it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.runner.test_inputs import TRAIN

from tidemill_runner.__main__ import main
from tidemill_runner.exits import Exit
from tidemill_runner.paths import Paths
from tidemill_runner.run import Run

REPOSITORY = Path(__file__).parents[3]


def paths(folder: Path) -> Paths:
    names = ("input", "store", "source", "scratch", "token", "termination")
    environ = {f"TIDEMILL_{name.upper()}": str(folder / name) for name in names}
    found = Paths.from_environ(environ)
    found.scratch.mkdir()
    return found


def run(folder: Path, verb: str = "train") -> tuple[Exit, dict[str, object]]:
    where = paths(folder)
    code = Run(verb, where, lambda: datetime(2026, 1, 1, tzinfo=UTC))()
    assert not list(where.scratch.iterdir())
    return code, json.loads(where.termination.read_bytes())


def test_without_input_it_is_a_bug_and_says_so(tmp_path: Path) -> None:
    code, told = run(tmp_path)
    assert (code, told["reason"]) == (Exit.BUG, "InternalError")


def test_without_a_store_the_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "input").write_text(json.dumps(TRAIN))
    code, told = run(tmp_path)
    assert (code, told["reason"]) == (Exit.BUG, "InternalError")
    assert "'endpoint'" in str(told["message"])


def test_a_store_that_is_away_is_worth_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidemill.store.objects import Patience
    from tidemill_runner import run as module
    from tidemill_runner.storage import Storage

    impatient = Patience(retries=0)
    monkeypatch.setattr(module, "Storage", lambda config, keys: Storage(config, impatient, keys))
    (tmp_path / "input").write_text(json.dumps(TRAIN))
    (tmp_path / "store").mkdir()
    values = {"endpoint": "http://127.0.0.1:9", "bucket": "b", "access-key": "KEY-X"}
    for name, value in {**values, "secret-key": "SECRET-X"}.items():
        (tmp_path / "store" / name).write_text(value)
    code, told = run(tmp_path)
    assert (code, told["reason"]) == (Exit.INFRASTRUCTURE, "StoreUnavailable")
    assert "http://127.0.0.1:9" in str(told["message"])
    assert "-X" not in json.dumps(told)


@pytest.mark.parametrize("arguments", [[], ["evaluate"], ["ingest", "train"]])
def test_a_wrong_command_line_is_answered_with_the_verbs(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) is Exit.BUG
    assert "ingest|collect|conclude|train" in capsys.readouterr().err


def test_an_ingest_does_not_import_scikit_learn() -> None:
    code = (
        "import sys, tidemill_runner.run, tidemill_runner.ingest; "
        "sys.exit(int('sklearn' in sys.modules))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(REPOSITORY / p) for p in ("operator", "images/runner")),
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize(
    ("verb", "worker"),
    [("ingest", 3), ("collect", 3), ("conclude", 3), ("train", 3), ("materialise", 0)],
)
def test_only_work_that_pods_share_is_numbered(
    verb: str, worker: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidemill_runner import run as module

    class Seen:
        def __init__(self, *given: object) -> None:
            self.worker = given[3]

        def __call__(self) -> Exit:
            assert self.worker == worker
            return Exit.OK

    monkeypatch.setattr(module, "Run", Seen)
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "3")
    assert main([verb]) is Exit.OK
