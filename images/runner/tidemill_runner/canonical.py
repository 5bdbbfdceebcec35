"""A model file whose bytes depend on the model alone.

skops names members by memory addresses and stamps them with the time, so equal models give
different files. Here identities are counted in the order of the document, members follow that
order, and the stamp is fixed: the same fit twice is one package with one digest.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

SCHEMA = "schema.json"
STAMP = (1980, 1, 1, 0, 0, 0)
LEVEL = 6


def rewrite(source: Path, target: Path) -> None:
    """Write the canonical form of a skops file."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as output:
        document = json.loads(archive.read(SCHEMA))
        renamed = _Renaming()
        canonical = renamed.apply(document)
        text = json.dumps(canonical, separators=(",", ":"))
        _write(output, SCHEMA, text.encode())
        for old, new in renamed.files.items():
            _write(output, new, archive.read(old))


class _Renaming:
    """Counts identities and files as a walk through the document meets them."""

    def __init__(self) -> None:
        self._ids: dict[Any, int] = {}
        self.files: dict[str, str] = {}

    def apply(self, node: Any) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(node, list):
            return [self.apply(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: self._value(key, value, node) for key, value in node.items()}

    def _value(self, key: str, value: Any, node: dict[str, Any]) -> Any:  # noqa: ANN401
        if key == "__id__":
            return self._ids.setdefault(value, len(self._ids))
        if key == "file" and "__loader__" in node and isinstance(value, str):
            suffix = Path(value).suffix
            return self.files.setdefault(value, f"{len(self.files)}{suffix}")
        return self.apply(value)


def _write(output: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, STAMP)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    output.writestr(member, data, compresslevel=LEVEL)
