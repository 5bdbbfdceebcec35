"""One cluster per machine: the second is refused, and told who the first is and how to end it."""

from pathlib import Path

import pytest
from tests.cluster.localcluster import claim
from tests.cluster.localcluster.failure import ClusterError
from tests.cluster.localcluster.layout import Layout


def layout(tmp_path: Path, name: str, state: str = "state") -> Layout:
    return Layout.of(name, {"TIDEMILL_STATE": str(tmp_path / state), "HOME": str(tmp_path)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "claim.json"


@pytest.fixture
def first(tmp_path: Path, file: Path) -> Layout:
    first = layout(tmp_path, "first")
    claim.take(first, file)
    first.state.mkdir(parents=True)
    return first


def test_the_owner_may_claim_again(first: Layout, file: Path) -> None:
    claim.take(first, file)


@pytest.mark.parametrize(
    ("name", "state"), [("second", "state"), ("first", "elsewhere")], ids=["name", "state"]
)
@pytest.mark.usefixtures("first")
def test_another_is_refused(file: Path, tmp_path: Path, name: str, state: str) -> None:
    with pytest.raises(ClusterError) as refused:
        claim.take(layout(tmp_path, name, state), file)
    assert "'first'" in str(refused.value)
    assert f"TIDEMILL_STATE={tmp_path / 'state'}" in str(refused.value)
    assert "down.py --name first" in str(refused.value)


def test_another_cannot_release_it(first: Layout, file: Path, tmp_path: Path) -> None:
    claim.release(layout(tmp_path, "second"), file)
    assert claim.read(file) is not None
    claim.release(first, file)
    assert claim.read(file) is None


def test_a_claim_without_its_state_is_void(first: Layout, file: Path, tmp_path: Path) -> None:
    first.state.rmdir()
    claim.take(layout(tmp_path, "second"), file)


@pytest.mark.parametrize("content", ["", "{"], ids=["empty", "torn"])
def test_an_unreadable_claim_is_void(file: Path, tmp_path: Path, content: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(content)
    claim.take(layout(tmp_path, "second"), file)
