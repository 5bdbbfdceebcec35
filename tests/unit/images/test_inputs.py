"""The tag of an image follows its inputs, all of them and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest
from images.imagebuild.catalog import BY_NAME
from images.imagebuild.inputs import files, stage, tag
from tests.unit.images.fakes import FakeEngine, workshop

RUNNER, SERVER = {"runner", "runner-boosting"}, {"server", "server-boosting"}
BOTH = RUNNER | SERVER


@pytest.mark.parametrize(
    ("changed", "images"),
    [
        pytest.param("operator/tidemill/wiring.py", {"operator"}, id="operator-code"),
        pytest.param("operator/tidemill/store/objects.py", {"operator", *BOTH}, id="shared-code"),
        pytest.param("images/runner/tidemill_runner/__main__.py", RUNNER, id="runner-code"),
        pytest.param("images/server/requirements.lock", SERVER, id="lock"),
        pytest.param(
            "images/boosting/requirements.lock",
            {"runner-boosting", "server-boosting"},
            id="lock-of-two",
        ),
        pytest.param("images/science/requirements.lock", {"science", *BOTH}, id="shared-lock"),
        pytest.param(
            "images/python/Dockerfile",
            {"python", "installer", "science", "operator", *BOTH},
            id="ancestor",
        ),
        pytest.param("bin/minio", {"minio"}, id="program"),
        pytest.param("README.md", set(), id="anything-else"),
        pytest.param("operator/tidemill/__pycache__/wiring.cpython-311.pyc", set(), id="bytecode"),
    ],
)
def test_a_change_gives_new_tags_to_what_it_goes_into(
    tmp_path: Path, changed: str, images: set[str]
) -> None:
    sources = workshop(tmp_path, FakeEngine()).sources
    before = {name: tag(image, sources) for name, image in BY_NAME.items()}
    (sources.root / changed).write_text("changed")
    after = {name: tag(image, sources) for name, image in BY_NAME.items()}
    assert {name for name in BY_NAME if before[name] != after[name]} == images


def test_the_tag_is_the_same_in_another_folder(tmp_path: Path) -> None:
    first, second = (workshop(tmp_path / name, FakeEngine()).sources for name in ("a", "b"))
    assert tag(BY_NAME["runner"], first) == tag(BY_NAME["runner"], second)


def test_a_new_version_gives_new_tags_to_published_images_only(tmp_path: Path) -> None:
    sources = workshop(tmp_path, FakeEngine()).sources
    newer = replace(sources, version="1.2.4")
    changed = {name for name, one in BY_NAME.items() if tag(one, sources) != tag(one, newer)}
    assert changed == {"operator", *BOTH, "minio"}


def test_the_build_sees_the_inputs_and_nothing_else(tmp_path: Path) -> None:
    sources = workshop(tmp_path, FakeEngine()).sources
    target = tmp_path / "context"
    (target / "left").mkdir(parents=True)
    (target / "left/over.txt").write_text("from an earlier build")
    stage(BY_NAME["server"], sources, target)
    staged = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert staged == set(files(BY_NAME["server"], sources))
    assert "operator/tidemill/wiring.py" not in staged
    assert "operator/tidemill/store/objects.py" in staged


def test_a_program_stays_executable(tmp_path: Path) -> None:
    sources = workshop(tmp_path, FakeEngine()).sources
    stage(BY_NAME["minio"], sources, tmp_path / "context")
    assert (tmp_path / "context/minio").stat().st_mode & 0o777 == 0o755
