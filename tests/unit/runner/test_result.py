"""The termination message fits, whatever it carries; the log is kept and bounded."""

import gzip
import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidemill.store import digests
from tidemill_runner import journal, result
from tidemill_runner.failures import Failure
from tidemill_runner.journal import Journal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        pytest.param("short", ["a", "b"], id="small"),
        pytest.param("m" * 1500, ["l" * 200] * 20, id="full"),
        pytest.param("ü" * 1500, ["ü" * 200] * 20, id="two-bytes-per-character"),
        pytest.param("m" * 9000, [], id="long-message"),
    ],
)
def test_the_termination_message_fits_and_is_json(
    tmp_path: Path, message: str, lines: list[str]
) -> None:
    path = tmp_path / "termination-log"
    result.failed(path, Failure("FitFailed", message), lines)
    data = path.read_bytes()
    assert len(data) <= 4096
    told = json.loads(data)
    assert told["reason"] == "FitFailed"
    assert told["message"].startswith(message[:100])
    assert told["log"] == lines[len(lines) - len(told["log"]) :]


def test_success_names_the_result_by_digest(tmp_path: Path) -> None:
    data, digest = result.document("train", {"rows": 1}, NOW, NOW)
    result.succeeded(tmp_path / "t", digest)
    assert json.loads((tmp_path / "t").read_text()) == {"result": digests.sha256_digest(data)}
    assert json.loads(data) == {
        "apiVersion": "runner.tidemill.dev/v1",
        "verb": "train",
        "outcome": "Succeeded",
        "rows": 1,
        "startedAt": "2026-01-02T03:04:05Z",
        "completedAt": "2026-01-02T03:04:05Z",
    }


def test_the_journal_keeps_the_last_lines_and_all_in_the_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "log") as kept:
        for number in range(100):
            logging.getLogger("test").info("line %d %s", number, "x" * 500)
        last, text = kept.last(), gzip.decompress(kept.compressed()).decode()
    assert len(last) == journal.LINES
    assert all(len(line) <= journal.MAX_LINE for line in last)
    assert "line 99" in last[-1]
    assert text.count("\n") == 100


def test_the_journal_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_BYTES", 1000)
    with Journal(tmp_path / "log") as kept:
        for _ in range(100):
            logging.getLogger("test").info("x" * 100)
        assert len(gzip.decompress(kept.compressed())) < 1500


def test_the_journal_leaves_logging_as_it_was(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)
    with Journal(tmp_path / "log"):
        pass
    assert logging.getLogger().handlers == before
