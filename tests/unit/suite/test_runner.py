"""Stages run when they may, and a failure stops what depends on it and nothing else."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.suite import stages as catalogue
from tests.suite.runner import Outcome, Runner
from tests.suite.stages import Stage, stages


@pytest.fixture(autouse=True)
def _logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "LOGS", tmp_path)


def stage(
    name: str, code: str = "", needs: tuple[str, ...] = (), waits: tuple[str, ...] = ()
) -> Stage:
    return Stage(name, [sys.executable, "-c", code], about=1, needs=needs, waits=waits)


def run(listed: Sequence[Stage]) -> tuple[dict[str, Outcome], list[str], list[str]]:
    said: list[str] = []
    failed: list[str] = []
    runner = Runner(listed, said.append, on_failure=lambda one: failed.append(one.name), parallel=2)
    return {one.stage.name: one for one in runner.run()}, said, failed


def test_what_needs_a_failed_stage_is_not_run() -> None:
    outcomes, _, failed = run(
        [
            stage("a", "raise SystemExit(3)"),
            stage("b", needs=("a",)),
            stage("c", needs=("b",)),
            stage("d", waits=("a",)),
        ]
    )
    assert [outcomes[name].ran for name in "abcd"] == [True, False, False, True]
    assert outcomes["d"].succeeded
    assert failed == ["a"]


def test_a_stage_begins_after_what_it_waits_for(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    write = "open({0!r}, 'a').write({1!r})"
    outcomes, _, _ = run(
        [
            stage("a", write.format(str(trace), "a")),
            stage("b", write.format(str(trace), "b"), waits=("a",)),
            stage("c", write.format(str(trace), "c"), needs=("b",)),
        ]
    )
    assert trace.read_text() == "abc"
    assert all(one.succeeded for one in outcomes.values())


def test_a_failure_shows_the_end_of_its_log() -> None:
    _, said, _ = run([stage("a", "print('the reason'); raise SystemExit(1)")])
    assert any("the reason" in text for text in said)


def test_a_condition_on_a_stage_that_is_left_out_holds() -> None:
    outcomes, _, _ = run([stage("b", needs=("a",))])
    assert outcomes["b"].succeeded


@pytest.mark.parametrize("cluster", ["local", "current"])
def test_the_stages_could_be_run_in_their_order(cluster: str) -> None:
    every = {one.name for one in stages()}
    before: set[str] = set()
    chosen = {one.name for one in stages(cluster)}
    for one in stages(cluster):
        conditions = {*one.needs, *one.waits}
        assert conditions <= every, one.name
        assert conditions & chosen <= before, one.name
        before.add(one.name)


def test_somebody_elses_cluster_is_neither_made_nor_ended_nor_broken() -> None:
    names = {one.name for one in stages("current")}
    assert not names & {"cluster", "down", "lifecycle", "faults"}
