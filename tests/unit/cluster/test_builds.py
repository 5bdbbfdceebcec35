"""Programs are built once, two at a time, and what no cluster needs only when it is asked for."""

import threading
from pathlib import Path

import pytest
from tests.cluster.localcluster import builds, pins
from tests.cluster.localcluster.failure import ClusterError
from tests.cluster.localcluster.pins import COMPONENTS, NEEDED, Component

OPTIONAL = [component for component in COMPONENTS if component not in NEEDED]


class Compiler:
    """Makes empty programs, and counts."""

    def __init__(self) -> None:
        self.compiled: list[str] = []
        self.broken = ""
        self.at_once = self.most = 0
        self._lock = threading.Lock()
        self._pair = threading.Barrier(2)

    def __call__(self, component: Component, target: Path) -> None:
        with self._lock:
            self.compiled.append(component.name)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        if component in COMPONENTS[:2]:
            self._pair.wait(timeout=10)  # the first two are under way together
        if component.name == self.broken:
            raise ClusterError(f"building {component.name} failed")
        for program in component.programs:
            old, new = component.renamed or ("", "")
            (target / (old if program == new else program)).touch()
        with self._lock:
            self.at_once -= 1


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    made = Compiler()
    monkeypatch.setattr(builds, "_compile", made)
    return made


def test_what_a_cluster_needs_is_built_once_and_two_at_a_time(
    compiler: Compiler, tmp_path: Path
) -> None:
    everything = builds.build(tmp_path, NEEDED)
    assert builds.build(tmp_path, NEEDED) == everything
    assert sorted(compiler.compiled) == sorted(component.name for component in NEEDED)
    assert compiler.most == builds.AT_ONCE
    for component in NEEDED:
        assert all((everything / program).is_file() for program in component.programs)


def test_the_rest_is_built_when_it_is_asked_for(compiler: Compiler, tmp_path: Path) -> None:
    everything = builds.build(tmp_path, NEEDED)
    assert OPTIONAL
    programs = [program for component in OPTIONAL for program in component.programs]
    assert not any((everything / program).exists() for program in programs)
    assert builds.build(tmp_path) == everything
    assert all((everything / program).is_file() for program in programs)
    assert len(compiler.compiled) == len(COMPONENTS)


def test_a_build_that_fails_is_told_and_leaves_nothing_that_looks_finished(
    compiler: Compiler, tmp_path: Path
) -> None:
    compiler.broken = COMPONENTS[0].name
    with pytest.raises(ClusterError, match=COMPONENTS[0].name):
        builds.build(tmp_path, NEEDED)
    assert not builds.folder(tmp_path / "bin", COMPONENTS[0]).exists()
    assert not (tmp_path / "bin" / f"all-{pins.digest_of_all()}").exists()
    compiler.broken = ""
    compiler._pair = threading.Barrier(1)
    builds.build(tmp_path, NEEDED)
    assert compiler.compiled.count(COMPONENTS[0].name) == 2
