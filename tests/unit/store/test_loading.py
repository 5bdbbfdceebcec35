"""What loading may take, read from either version of control groups."""

from pathlib import Path

import pytest

from tidemill.store.loading import DEFAULT_BYTES, RESERVE_BYTES, budget_bytes

MIB = 1 << 20


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, DEFAULT_BYTES),
        ({"memory.max": "max"}, DEFAULT_BYTES),
        ({"memory.max": str(512 * MIB), "memory.current": str(100 * MIB)}, 348 * MIB),
        ({"memory.max": str(512 * MIB), "memory.current": str(500 * MIB)}, RESERVE_BYTES),
        ({"memory/memory.limit_in_bytes": str(9223372036854771712)}, DEFAULT_BYTES),
        (
            {
                "memory/memory.limit_in_bytes": str(256 * MIB),
                "memory/memory.usage_in_bytes": str(92 * MIB),
            },
            100 * MIB,
        ),
        (
            {
                "memory.max": str(512 * MIB),
                "memory.current": str(500 * MIB),
                "memory.stat": f"anon 1\ninactive_file {400 * MIB}\nactive_file 7\n",
            },
            348 * MIB,
        ),
        (
            {
                "memory/memory.limit_in_bytes": str(256 * MIB),
                "memory/memory.usage_in_bytes": str(192 * MIB),
                "memory/memory.stat": f"inactive_file 5\ntotal_inactive_file {100 * MIB}\n",
            },
            100 * MIB,
        ),
        (
            {
                "memory.max": str(512 * MIB),
                "memory.current": str(100 * MIB),
                "memory.stat": "inactive_file what\n",
            },
            348 * MIB,
        ),
    ],
    ids=[
        *("none", "v2-unlimited", "v2", "v2-full", "v1-unlimited", "v1"),
        *("v2-of-files", "v1-of-files", "v2-no-number"),
    ],
)
def test_what_the_container_leaves(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert budget_bytes(0, tmp_path) == expected
    assert budget_bytes(7, tmp_path) == 7
