"""What the images are given is enough for the code in them: no import leads outside."""

import ast
from pathlib import Path

import pytest
from images.imagebuild.catalog import BY_NAME, ROOT, Image

OPERATOR = ROOT / "operator"


def imported(path: Path) -> set[str]:
    """Every module of ours that a file imports, by its full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "tidemill"}


def module_file(name: str) -> Path | None:
    """The file of a module; None for a name in a module."""
    base = OPERATOR / name.replace(".", "/")
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@pytest.mark.parametrize("name", ["runner", "server"])
def test_the_shared_code_that_is_imported_is_in_the_image(name: str) -> None:
    given = files(BY_NAME[name])
    for path in given:
        for module in imported(path):
            needed = module_file(module)
            assert needed is None or needed in given, f"{path} imports {module}"


def files(image: Image) -> set[Path]:
    return {path for pattern in image.files for path in ROOT.glob(pattern) if path.suffix == ".py"}
