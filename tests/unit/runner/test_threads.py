"""The number of threads follows the container's CPU limit."""

import os
from pathlib import Path

import pytest

from tidemill_runner import threads

NODE = os.cpu_count() or 1


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"cpu.max": "150000 100000"}, 2, id="v2-one-and-a-half"),
        pytest.param({"cpu.max": "50000 100000"}, 1, id="v2-half"),
        pytest.param({"cpu.max": "max 100000"}, NODE, id="v2-unlimited"),
        pytest.param(
            {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3, id="v1-three"
        ),
        pytest.param(
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            NODE,
            id="v1-unlimited",
        ),
        pytest.param({}, NODE, id="no-cgroup"),
    ],
)
def test_the_limit_is_read(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert threads.cpu_limit(tmp_path) == expected


def test_what_is_set_is_left(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    environ = {"OMP_NUM_THREADS": "7"}
    assert threads.apply(environ, tmp_path) == 1
    assert environ["OMP_NUM_THREADS"] == "7"
    assert environ["OPENBLAS_NUM_THREADS"] == "1"
    assert environ["GOMP_SPINCOUNT"] == threads.SPINS
