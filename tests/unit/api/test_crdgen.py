"""The command: it writes what is generated, and `--check` fails where a file is not."""

from pathlib import Path

import pytest

from tidemill.api import crdgen

FILES = ["crds/datasets.yaml", "crds/modeldeployments.yaml", "crds/trainingruns.yaml"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    assert crdgen.main(["--root", str(tmp_path)]) == 0
    assert crdgen.main(["--reasons", "--root", str(tmp_path)]) == 0
    return tmp_path


def test_writes_each_file(tree: Path) -> None:
    found = sorted(str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file())
    assert found == [*FILES, "docs/reasons.md"]


def test_without_reasons_only_crds_are_written(tmp_path: Path) -> None:
    crdgen.main(["--root", str(tmp_path)])
    assert not (tmp_path / "docs").exists()


def test_check_passes_on_what_was_written(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert crdgen.main(["--check", "--root", str(tree)]) == 0
    assert capsys.readouterr().err == ""


def test_files_that_are_right_stay_untouched(tree: Path) -> None:
    before = [(tree / name).stat().st_mtime_ns for name in FILES]
    crdgen.main(["--root", str(tree)])
    assert [(tree / name).stat().st_mtime_ns for name in FILES] == before


@pytest.mark.parametrize("name", [*FILES, "docs/reasons.md"])
def test_check_shows_the_line_that_differs(
    tree: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lines = (tree / name).read_text(encoding="utf-8").splitlines()
    kept = lines[-1]
    (tree / name).write_text("\n".join([*lines[:-1], "edited by hand"]) + "\n", encoding="utf-8")
    assert crdgen.main(["--check", "--root", str(tree)]) == 1
    shown = capsys.readouterr().err
    assert f"--- {name}" in shown
    assert "-edited by hand" in shown
    assert f"+{kept}" in shown
    assert "make crds" in shown


def test_check_names_a_file_that_is_missing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / FILES[0]).unlink()
    assert crdgen.main(["--check", "--root", str(tree)]) == 1
    assert f"--- {FILES[0]}" in capsys.readouterr().err


def test_check_names_a_file_of_no_model(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "crds" / "old.yaml").write_text("kind: Old\n", encoding="utf-8")
    assert crdgen.main(["--check", "--root", str(tree)]) == 1
    assert "crds/old.yaml is generated from no model" in capsys.readouterr().err
