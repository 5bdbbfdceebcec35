"""Locks say every version with its hashes, and nothing twice."""

from pathlib import Path

import pytest
from images.imagebuild.catalog import ROOT
from images.imagebuild.failure import BuildError
from images.imagebuild.locking import entries, requirements, versions, without

LOCK = """\
# a comment
numpy==2.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
scikit-learn==1.9.1 \\
    --hash=sha256:cc
"""
LOCKS = sorted(ROOT.glob("images/*/requirements.lock"))


def test_entries_keep_their_hashes() -> None:
    found = entries(LOCK)
    assert list(found) == ["numpy", "scikit-learn"]
    assert found["numpy"] == "numpy==2.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"


def test_constraints_are_versions_only() -> None:
    assert versions(LOCK) == "numpy==2.0\nscikit-learn==1.9.1\n"


def test_what_the_layer_below_has_is_not_written_again() -> None:
    whole = f"{LOCK}click==8 \\\n    --hash=sha256:dd\n"
    assert without(whole, LOCK) == "click==8 \\\n    --hash=sha256:dd\n"


def test_two_versions_of_one_package_are_refused() -> None:
    with pytest.raises(BuildError, match="numpy is locked differently"):
        without(LOCK.replace("2.0", "2.1"), LOCK)


def test_the_shared_layer_is_what_both_ask_for(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project.optional-dependencies]\n"
        'operator = ["kopf"]\nrunner = ["numpy", "minio"]\nserver = ["uvicorn", "numpy"]\n'
        'boosting = ["lightgbm"]\n'
    )
    assert requirements(tmp_path)["science"] == ["numpy"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.parent.name)
def test_committed_locks_are_complete_and_name_no_registry(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    for name, lines in entries(text).items():
        assert "--hash=sha256:" in lines, name


@pytest.mark.parametrize("name", ["runner", "server", "boosting", "operator"])
def test_committed_locks_hold_what_pyproject_asks_for(name: str) -> None:
    below = [] if name == "operator" else [ROOT / "images/science/requirements.lock"]
    locked: set[str] = set()
    for path in [ROOT / "images" / name / "requirements.lock", *below]:
        locked |= set(entries(path.read_text()))
    for wanted in requirements(ROOT)[name]:
        package = wanted.split(">")[0].split("[")[0].lower()
        assert package in locked
