"""A request of which features may be left out: what it brings, and what is to be looked up.

Columns are sent by name as ever. Of a feature table the client sends any columns itself, which then
count; for those that it leaves out it sends the table's key. One tensor for all columns brings
everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tidemill.store.online import Value
from tidemill_server.features.keys import key_values
from tidemill_server.features.tables import FeatureTable, KeyColumn
from tidemill_server.package.signature import Signature
from tidemill_server.protocol.errors import ProtocolError, bad_request
from tidemill_server.protocol.rows import (
    check_rows,
    check_shape,
    column_values,
    listed,
    missing_columns,
    read_rows,
    sent_twice,
    unknown_column,
)
from tidemill_server.protocol.tensors import Tensor, read_tensor


@dataclass(slots=True)
class Asked:
    """The columns sent in feature order, None for one that was not; the keys by their columns."""

    rows: int
    columns: list[list[Any] | np.ndarray | None]
    keys: dict[str, list[Value]]

    def lacks(self, table: FeatureTable) -> bool:
        """Whether any feature of the table is to be looked up."""
        return any(self.columns[column.place] is None for column in table.columns)


@dataclass(frozen=True)
class RequestReader:
    """Reads requests for one model."""

    signature: Signature
    tables: Sequence[FeatureTable]
    max_rows: int

    @cached_property
    def keys(self) -> Mapping[str, KeyColumn]:
        return {part.name: part for table in self.tables for part in table.key}

    @cached_property
    def joined(self) -> frozenset[int]:
        """The places of the inputs that may be left out."""
        return frozenset(column.place for table in self.tables for column in table.columns)

    @cached_property
    def known(self) -> Mapping[str, None]:
        """What may be sent, by name, in order."""
        return dict.fromkeys((*self.signature.positions, *self.keys))

    def read(self, inputs: object) -> Asked | np.ndarray:
        """What the request brings, or its whole matrix; raises ProtocolError."""
        if type(inputs) is not list or not inputs:
            raise bad_request("the request has no list 'inputs' with at least one tensor")
        if len(inputs) > len(self.known):
            raise self._too_many(inputs)
        tensors = [read_tensor(item) for item in inputs]
        if len(tensors) == 1 and len(tensors[0].shape) == 2 and self._is_matrix(tensors[0]):
            return read_rows(inputs, self.signature, self.max_rows)
        asked = self._columns(tensors)
        self._check_complete(asked)
        return asked

    def _is_matrix(self, tensor: Tensor) -> bool:
        return tensor.shape[1] != 1 or tensor.name not in self.known

    def _columns(self, tensors: list[Tensor]) -> Asked:
        signature = self.signature
        as_objects = signature.as_objects
        rows = tensors[0].shape[0]
        check_rows(rows, self.max_rows)
        asked = Asked(rows, [None] * len(signature.inputs), {})
        for tensor in tensors:
            place, key = signature.positions.get(tensor.name), self.keys.get(tensor.name)
            if place is None and key is None:
                raise unknown_column(tensor.name, list(self.known))
            if tensor.name in asked.keys or (
                place is not None and asked.columns[place] is not None
            ):
                raise sent_twice(tensor.name)
            check_shape(tensor, rows)
            if place is not None:
                column = signature.inputs[place]
                asked.columns[place] = column_values(tensor, column, as_objects=as_objects)
            if key is not None:
                asked.keys[tensor.name] = key_values(tensor, key)
        return asked

    def _check_complete(self, asked: Asked) -> None:
        """Name the columns that are neither there nor looked up."""
        missing = [
            column.name
            for place, column in enumerate(self.signature.inputs)
            if asked.columns[place] is None and place not in self.joined
        ]
        if missing:
            raise missing_columns(missing)
        for table in self.tables:
            absent = [part.name for part in table.key if part.name not in asked.keys]
            if absent and asked.lacks(table):
                left_out = [c.name for c in table.columns if asked.columns[c.place] is None]
                raise bad_request(
                    f"columns are missing: {listed(left_out)}: send them, or the key by which "
                    f"they are looked up in {table.dataset!r}: {listed(absent)}"
                )

    def _too_many(self, inputs: list[Any]) -> ProtocolError:
        """More inputs than columns: name the one too many, which is among the first of them."""
        seen: set[str] = set()
        for item in inputs[: len(self.known) + 1]:
            name = item.get("name") if isinstance(item, dict) else None
            if type(name) is str and name not in self.known:
                return unknown_column(name, list(self.known))
            if type(name) is str and name in seen:
                return sent_twice(name)
            seen.add(str(name))
        return bad_request(f"the request has {len(inputs)} inputs, the model {len(self.known)}")
