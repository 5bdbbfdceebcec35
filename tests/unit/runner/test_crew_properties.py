"""Whatever is delivered, and whoever comes: the rows, or the refusal, are those of one worker."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as some
from tests.unit.runner.deliveries import csv
from tests.unit.runner.test_crew import staged

from tidemill_runner.failures import Failure

KINDS = (
    ["", "NA", "1", "-3"],
    ["1.5", "2", "1e3"],
    ["-0", "0", "9007199254740993"],
    ["2026-01-01", "NA", ""],
    ["2026-01-01T00:00:00", "2026-01-01"],
    ["x", " ", "NA"],
    ["true", "NULL"],
    ["007", "1"],
)
FILE = some.sampled_from(KINDS).flatmap(
    lambda kind: some.lists(some.sampled_from(kind), min_size=1, max_size=3)
)
TYPES = some.sampled_from([None, "Float", "String", "Integer", "Timestamp"])


@settings(max_examples=40, deadline=None)
@given(some.lists(FILE, min_size=1, max_size=5), TYPES, some.sets(some.integers(1, 3)))
def test_any_columns_of_any_files(files: list[list[str]], kind: str | None, came: set[int]) -> None:
    columns = [{"name": "a", "type": kind}] if kind else []
    texts = ["a,n\n" + "".join(f"{v},{n}\n" for n, v in enumerate(file)) for file in files]
    delivery = csv(*texts, asked={"schema": {"columns": columns}})
    told = []
    with TemporaryDirectory() as folder:
        for name, workers, coming in (("one", 1, ()), ("several", 4, tuple(came))):
            try:
                told.append(staged(delivery, Path(folder) / name, workers, coming))
            except Failure as failure:
                told.append([failure.reason.encode(), failure.message.encode()])
    assert told[0] == told[1]
