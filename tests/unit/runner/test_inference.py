"""What one batch of texts leaves open, the next may rule out."""

import pyarrow as pa
import pytest

from tidemill_runner.inference import Evidence
from tidemill_runner.schema import ColumnType

ZONED, LOCAL = ["2024-01-01T00:00:00Z"], ["2024-01-01T00:00:00"]


@pytest.mark.parametrize(
    ("batches", "kind"),
    [
        ([ZONED, ZONED], ColumnType.TIMESTAMP),
        ([LOCAL, LOCAL], ColumnType.TIMESTAMP),
        ([ZONED, LOCAL], ColumnType.STRING),
        ([LOCAL, ["", "NA"], ZONED], ColumnType.STRING),
        ([["2024-01-01"], LOCAL], ColumnType.TIMESTAMP),
        ([["1"], ["2.5"]], ColumnType.FLOAT),
        ([["1"], ["x"]], ColumnType.STRING),
        ([[""], ["true"]], ColumnType.BOOLEAN),
    ],
    ids=str,
)
def test_the_type_is_that_of_all_batches(batches: list[list[str]], kind: ColumnType) -> None:
    evidence = Evidence()
    for batch in batches:
        evidence.add(pa.array(batch))
    assert evidence.type is kind
