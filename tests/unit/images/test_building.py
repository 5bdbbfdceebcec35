"""Images are built after their parents, once, and only when they are not there."""

from pathlib import Path

import pytest
from images.imagebuild.building import ensure, labels, revision
from images.imagebuild.catalog import BASE, BY_NAME, ROOT
from tests.unit.images.fakes import FakeEngine, workshop


def names(engine: FakeEngine) -> list[str]:
    return [build.name.rpartition("/")[2].partition(":")[0] for build in engine.builds]


def test_parents_are_built_first_and_shared(tmp_path: Path) -> None:
    engine = FakeEngine()
    bench = workshop(tmp_path, engine)
    ensure(bench, BY_NAME["runner"])
    ensure(bench, BY_NAME["server"])
    assert names(engine) == ["python", "installer", "science", "runner", "server"]


def test_what_is_there_is_not_built_again(tmp_path: Path) -> None:
    engine = FakeEngine()
    bench = workshop(tmp_path, engine)
    first = ensure(bench, BY_NAME["operator"])
    engine.builds.clear()
    assert ensure(bench, BY_NAME["operator"]) == first
    assert engine.builds == []


def test_after_a_code_edit_only_that_image_is_built(tmp_path: Path) -> None:
    engine = FakeEngine()
    bench = workshop(tmp_path, engine)
    ensure(bench, BY_NAME["operator"])
    engine.builds.clear()
    (bench.sources.root / "operator/tidemill/wiring.py").write_text("edited = 1\n")
    ensure(bench, BY_NAME["operator"])
    assert names(engine) == ["operator"]


def test_a_dockerfile_gets_its_parents_by_their_exact_names(tmp_path: Path) -> None:
    engine = FakeEngine(BASE)
    bench = workshop(tmp_path, engine)
    ensure(bench, BY_NAME["science"])
    assert engine.builds[-1].arguments == {
        "PYTHON": bench.name(BY_NAME["python"]),
        "INSTALLER": bench.name(BY_NAME["installer"]),
    }
    assert all(not build.name.endswith(":latest") for build in engine.builds)


def test_published_images_carry_labels(tmp_path: Path) -> None:
    sources = workshop(tmp_path, FakeEngine()).sources
    found = labels(BY_NAME["operator"], sources)
    prefix = "org.opencontainers.image"
    assert found[f"{prefix}.title"] == "Tidemill operator"
    assert found[f"{prefix}.version"] == "1.2.3"
    assert found[f"{prefix}.licenses"] == "Apache-2.0"
    assert labels(BY_NAME["minio"], sources)[f"{prefix}.licenses"] == "AGPL-3.0-or-later"


def test_a_tree_without_history_has_no_revision(tmp_path: Path) -> None:
    assert revision(tmp_path) is None


@pytest.mark.parametrize("image", BY_NAME.values(), ids=lambda image: image.name)
def test_everything_that_a_dockerfile_copies_is_an_input(image: object) -> None:
    assert isinstance(image, type(BY_NAME["python"]))
    patterns = [*image.files, *([image.program] if image.program else [])]
    for line in (ROOT / image.dockerfile).read_text().splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            for source in line.split()[1:-1]:
                assert any(pattern.startswith(source) for pattern in patterns), line
