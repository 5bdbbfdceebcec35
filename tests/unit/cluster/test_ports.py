"""A cluster's ports follow from its name, avoid what is taken, and then stay."""

from pathlib import Path

import pytest
from tests.cluster.localcluster import ports
from tests.cluster.localcluster.failure import ClusterError


def test_ports_follow_from_the_name() -> None:
    assert ports.choose("tidemill", lambda _: True) == ports.block("tidemill")
    assert ports.block("tidemill") != ports.block("other")


def test_a_block_with_a_taken_port_is_left_out() -> None:
    taken = ports.block("tidemill")["kwok"]
    chosen = ports.choose("tidemill", lambda port: port != taken)
    assert chosen == ports.block("tidemill", attempt=1)


@pytest.mark.parametrize("name", ["tidemill", "a", "x" * 32])
def test_ports_stay_below_those_that_others_give_out(name: str) -> None:
    for attempt in range(ports.BLOCKS):
        assert all(20000 <= port < 30000 for port in ports.block(name, attempt).values())


def test_no_port_is_given_twice() -> None:
    block = ports.block("tidemill")
    assert len(set(block.values())) == len(ports.NAMES) <= ports.STRIDE


def test_a_full_machine_is_reported() -> None:
    with pytest.raises(ClusterError, match="free ports"):
        ports.choose("tidemill", lambda _: False)


def test_chosen_ports_stay(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = ports.load_or_choose(file, "tidemill")
    assert ports.load(file) == first
    assert ports.load_or_choose(file, "other") == first


@pytest.mark.parametrize("content", ["", "{", '{"etcd": 1}'], ids=["empty", "torn", "older"])
def test_an_unusable_file_is_as_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(content)
    assert ports.load(file) is None
