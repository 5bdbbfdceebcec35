"""A container of the user's between source and version: what it is, and what it is given to read.

It runs in the same pod, after the source has been read and before anything is judged. What it gets
are files and what it leaves are files, so that nothing of ours need be in its image. Whether the
same rows give the same rows is for the image to see to: the version names it by its digest.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidemill.store import digests
from tidemill_runner.schema import ColumnType, Schema

FIELD = "spec.prepare.container"
ENGINE = "container"
MANIFEST = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class Container:
    """Its image by digest, what that is told, and the format of the files that it writes."""

    image: str
    format: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Container":
        """Read the part of an input document."""
        return cls(
            image=document["image"],
            format=document["format"],
            command=tuple(document.get("command") or ()),
            args=tuple(document.get("args") or ()),
            env={one["name"]: one["value"] for one in document.get("env") or ()},
        )

    def header(self, inputs: Mapping[str, str]) -> dict[str, Any]:
        """What a version's manifest says of how its rows were made; what was not said is not."""
        said = {
            "command": list(self.command),
            "args": list(self.args),
            "env": dict(self.env),
            "inputs": dict(inputs),
        }
        given = {name: value for name, value in said.items() if value}
        return {"engine": ENGINE, "image": self.image, **given}


@dataclass(frozen=True)
class Work:
    """The folders of the pod: what the container reads, what it writes, and what it never sees."""

    input: Path
    output: Path
    state: Path

    def clear(self) -> None:
        """Begin anew, whatever another process of this pod has left."""
        for folder in (self.input, self.output, self.state):
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def table(self, name: str) -> Path:
        """Make the folder that a table's files are written to."""
        folder = self.input / name
        folder.mkdir()
        return folder


@dataclass(frozen=True)
class Table:
    """Rows that the container reads, in files of its folder."""

    schema: Schema
    rows: int
    files: tuple[Path, ...]


def describe(folder: Path, tables: Mapping[str, Table]) -> None:
    """Write beside the tables what they are."""
    told = {
        name: {
            "rows": table.rows,
            "columns": [
                column
                for column in table.schema.summary()
                if column["type"] != ColumnType.OTHER  # which are not laid out
            ],
            "files": [path.relative_to(folder).as_posix() for path in table.files],
        }
        for name, table in tables.items()
    }
    data = digests.canonical_json({"v": VERSION, "tables": told})
    (folder / MANIFEST).write_bytes(data)
