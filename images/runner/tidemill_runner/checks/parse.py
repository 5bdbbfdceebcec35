"""A declaration becomes a plan; what no schema of the API can judge is refused here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import duckdb

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill_runner import names
from tidemill_runner.checks import column as columns
from tidemill_runner.checks import declared
from tidemill_runner.checks import entity as entities
from tidemill_runner.checks.expression import Compiler, Refused
from tidemill_runner.checks.rule import (
    Distribution,
    Exists,
    Expression,
    Freshness,
    Label,
    Leakage,
    Order,
    Plan,
    Repeats,
    RowCount,
    Rule,
    Severity,
)
from tidemill_runner.failures import Failure
from tidemill_runner.schema import Column, ColumnType, Schema

Spec = Mapping[str, Any]
_PREFIX = "__value_"
_KINDS = (
    "rowCount",
    "expression",
    "unique",
    "freshness",
    "monotonic",
    "duplicateRows",
    "distribution",
    "referential",
    "leakage",
)
DEFAULT_EFFECT = "0.2"
DEFAULT_THRESHOLD = "0.99"
# A hint is no proof.
_DEFAULTS = {"leakage": "Warn"}


def parse(
    spec_schema: Spec | None,
    spec_checks: Sequence[Spec],
    schema: Schema,
    entity: Spec | None = None,
) -> Plan:
    """The plan for rows of a schema (see `settle`); raises Failure, which names the field."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_external_access = false")
        rules = list(declared.rules(spec_schema, schema, connection)) if spec_schema else []
        if entity:
            rules.extend(entities.rules(entity, schema))
        compiler = Compiler(connection, schema)
        for position, check in enumerate(spec_checks):
            rules.append(_Check(position, check, schema, compiler).rule())
    prefix = _PREFIX
    folded = [name.casefold() for name in schema.names()]
    while any(name.startswith(prefix) for name in folded):
        prefix = f"_{prefix}"
    return Plan(tuple(rules), prefix)


@dataclass(frozen=True)
class _Check:
    """One entry of spec.checks."""

    position: int
    spec: Spec
    schema: Schema
    compiler: Compiler
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        given = [kind for kind in _KINDS if self.spec.get(kind) is not None]
        if len(given) != 1:
            raise _invalid(f"spec.checks[{self.position}]", f"set one of {', '.join(_KINDS)}")
        object.__setattr__(self, "kind", given[0])

    def rule(self) -> Rule:
        readers: dict[str, Callable[[Any], Rule]] = {
            "rowCount": self._row_count,
            "expression": self._expression,
            "unique": self._unique,
            "freshness": self._freshness,
            "monotonic": self._monotonic,
            "duplicateRows": self._duplicate_rows,
            "distribution": self._distribution,
            "referential": self._referential,
            "leakage": self._leakage,
        }
        return readers[self.kind](self.spec[self.kind])

    def _row_count(self, wanted: Spec) -> Rule:
        least, most = wanted.get("min"), wanted.get("max")
        if least is not None and most is not None and least > most:
            raise _invalid(self._path(), f"min ({least}) is above max ({most})")
        bounds = [f"at least {least}" if least is not None else ""]
        bounds.append(f"at most {most}" if most is not None else "")
        return RowCount(self._label(" and ".join(filter(None, bounds))), least, most)

    def _expression(self, wanted: str) -> Rule:
        try:
            code = self.compiler.compile(wanted)
        except Refused as error:
            raise _invalid(self._path(), str(error)) from None
        return Expression(self._label("do not meet it"), code)

    def _unique(self, wanted: Spec) -> Rule:
        found = [
            self._column(name, f"columns[{place}]") for place, name in enumerate(wanted["columns"])
        ]
        return Repeats(
            self._label("repeat an earlier one"),
            tuple(columns.key(column) for column in found),
            " AND ".join(columns.present(column) for column in found),
            exact=bool(wanted.get("exact")),
        )

    def _freshness(self, wanted: Spec) -> Rule:
        column = self._column(wanted["column"], "column", columns.MOMENTS)
        try:
            age = parse_duration(wanted["maxAge"])
        except (ValueError, OverflowError) as error:
            raise _invalid(self._path("maxAge"), str(error)) from None
        micros = age // timedelta(microseconds=1)
        label = self._label(f"older than {wanted['maxAge']}", column)
        return Freshness(label, columns.moment(column), micros)

    def _monotonic(self, wanted: Spec) -> Rule:
        column = self._column(wanted["column"], "column", columns.ORDERED)
        grows = wanted.get("direction", "Increasing") == "Increasing"
        wrong = ("<" if grows else ">") + ("=" if wanted.get("strict") else "")
        fault = "are below the one before" if grows else "are above the one before"
        label = self._label(f"{fault}, or equal" if wanted.get("strict") else fault, column)
        return Order(label, columns.value(column), columns.present(column), f"v {wrong} before")

    def _distribution(self, wanted: Spec) -> Rule:
        named = wanted.get("columns") or ()
        found = [self._column(name, f"columns[{place}]") for place, name in enumerate(named)]
        version = wanted.get("version") if wanted.get("against") == "Version" else None
        which = f"version {version.removeprefix('sha256:')[:12]}" if version else None
        label = self._label(f"moved from {which or 'the version in use'}")
        effect = float(wanted.get("effect") or DEFAULT_EFFECT)
        return Distribution(label, effect, tuple(column.name for column in found), version)

    def _referential(self, wanted: Spec) -> Rule:
        found = [
            self._column(name, f"columns[{place}]") for place, name in enumerate(wanted["columns"])
        ]
        named = wanted.get("references")
        if named is not None and len(named) != len(found):
            raise _invalid(self._path("references"), "name one for each of columns")
        other = wanted["dataset"]
        short = str(other["version"]).removeprefix("sha256:")[:12]
        return Exists(
            self._label(f"have a key that version {short} of Dataset {other['name']} has not"),
            tuple(found),
            tuple(named or wanted["columns"]),
            named=named is not None,
            source=other,
        )

    def _leakage(self, wanted: Spec) -> Rule:
        target = self._column(wanted["target"], "target")
        return Leakage(
            self._label(f"tell {target.name!r} alone"),
            target,
            tuple(column for column in self.schema.columns if column.name != target.name),
            float(wanted.get("threshold") or DEFAULT_THRESHOLD),
        )

    def _duplicate_rows(self, _wanted: Spec) -> Rule:
        for column in self.schema.columns:
            if column.type is ColumnType.OTHER:
                raise _invalid(
                    self._path(),
                    f"column {column.name!r} is of type Other, whose values are not compared: "
                    "use unique with the columns that matter",
                )
        keys = tuple(columns.key(column) for column in self.schema.columns)
        return Repeats(self._label("equal an earlier one"), keys, "TRUE", exact=True, wide=True)

    def _label(self, fault: str, column: Column | None = None) -> Label:
        return Label(
            name=self.spec["name"],
            kind=self.kind,
            field=self._path(),
            fault=fault,
            column=column.name if column else None,
            severity=Severity(self.spec.get("severity") or _DEFAULTS.get(self.kind, "Fail")),
            allowed=Decimal(self.spec.get("maxViolationFraction") or 0),
        )

    def _column(
        self, name: str, part: str, kinds: tuple[ColumnType, ...] = tuple(columns.SQL_TYPES)
    ) -> Column:
        column = self.schema.column(name)
        if column is None:
            near = names.suggestion(name, self.schema.names())
            raise _invalid(self._path(part), f"the data set has no column {name!r}{near}")
        if column.type not in kinds:
            wanted = " or ".join(kinds)
            raise _invalid(
                self._path(part), f"column {name!r} is {column.type}, it must be {wanted}"
            )
        return column

    def _path(self, part: str = "") -> str:
        path = f"spec.checks[{self.position}].{self.kind}"
        return f"{path}.{part}" if part else path


def _invalid(path: str, detail: str) -> Failure:
    return Failure("CheckInvalid", f"{path}: {detail}")
