"""What the code is given to read: the rows trained on, what they are, and what it was told.

A script gets numbers as the model will be given them: a matrix of floats, texts beside it, in files
that numpy and the standard library read. A container gets a table in one file. Of the rows held out
neither sees anything.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tidemill_runner import threads
from tidemill_runner.judgement.scene import groups_of
from tidemill_runner.material import Material
from tidemill_runner.schema import Column, ColumnType
from tidemill_runner.train_input import Training
from tidemill_runner.user_code.code import SCRIPT, Code

SHIM = "tidemill_call.py"
COLUMNS, PARAMS, CALL = "columns.json", "params.json", "call.json"
# As Open MPI and as Hydra write that a host is to have one process.
HOSTS = {"hosts": "{} slots=1\n", "hosts.hydra": "{}:1\n"}
VERSION = 1
_FILES = {"Parquet": "train.parquet", "CSV": "train.csv"}


@dataclass(frozen=True)
class Layout:
    """The folder that the code reads, and what it is about."""

    folder: Path
    training: Training
    material: Material
    group_by: tuple[str, ...]
    # The names of all ranks, where the code runs in several pods.
    hosts: tuple[str, ...] = ()

    def write(self, code: Code, script: bytes | None) -> None:
        """Fill the folder, which is empty."""
        self._json(COLUMNS, self._columns(code))
        self._json(PARAMS, dict(code.params))
        for name, line in HOSTS.items() if self.hosts else ():
            text = "".join(map(line.format, self.hosts))
            (self.folder / name).write_text(text, encoding="ascii")
        if code.kind == SCRIPT:
            self._script(code, script or b"")
        else:
            self._table(code)

    @property
    def _train(self) -> NDArray[np.intp]:
        return self.material.parts.train

    def _columns(self, code: Code) -> dict[str, Any]:
        roles = self.material.roles
        file = {} if code.kind == SCRIPT else {"file": _FILES[code.format]}
        return {
            "v": VERSION,
            **file,
            "task": self.training.task,
            "rows": len(self._train),
            "seed": self.training.seed,
            "threads": threads.cpu_limit(),
            "features": [_told(column) for column in roles.features],
            "target": _told(roles.target),
            "weights": roles.weight.name if roles.weight else None,
            "matrix": "object-nan" if roles.has_text else "float64",
        }

    def _script(self, code: Code, script: bytes) -> None:
        name = PurePosixPath(code.source.file if code.source else "").name
        file = name if name.endswith(".py") else f"{name or 'train'}.py"
        folder = self.folder / "code"
        folder.mkdir()
        (folder / file).write_bytes(script)
        self._json(CALL, {"file": file, "function": code.function, "field": code.field})
        shutil.copyfile(Path(__file__).with_name("shim.py"), self.folder / SHIM)
        self._matrix()
        data, train = self.material.data, self._train
        target = data.target[train]
        if target.dtype == object:
            self._json("target.json", target.tolist())
        else:
            np.save(self.folder / "target.npy", target, allow_pickle=False)
        if data.weights is not None:
            np.save(self.folder / "weights.npy", data.weights[train], allow_pickle=False)
        groups = groups_of(data, self.group_by)
        if groups is not None:
            np.save(self.folder / "groups.npy", groups[train], allow_pickle=False)

    def _matrix(self) -> None:
        """Numbers in one file, in their columns' places; texts in another."""
        features, roles = self.material.data.features[self._train], self.material.roles
        texts = [i for i, one in enumerate(roles.features) if one.type is ColumnType.STRING]
        numbers = [i for i in range(len(roles.features)) if i not in set(texts)]
        matrix = features[:, numbers].astype(np.float64) if texts else features
        np.save(self.folder / "numbers.npy", np.ascontiguousarray(matrix), allow_pickle=False)
        for place in texts:
            values = [None if value != value else value for value in features[:, place].tolist()]  # noqa: PLR0124 - NaN
            self._json(f"text-{place}.json", values)

    def _table(self, code: Code) -> None:
        roles = self.material.roles
        named = [*roles.features, roles.target, *([roles.weight] if roles.weight else [])]
        table = self.material.rows.table.select([column.name for column in named])
        chosen = table.take(pa.array(self._train))
        path = self.folder / _FILES[code.format]
        if code.format == "CSV":
            pa_csv.write_csv(chosen, path)
        else:
            # What readers of any age can read.
            pq.write_table(chosen, path, compression="snappy", version="1.0")

    def _json(self, name: str, content: object) -> None:
        (self.folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _told(column: Column) -> dict[str, Any]:
    return {"name": column.name, "type": str(column.type), "nullable": column.nullable}
