"""The columns declared in spec.schema: which types they are read as, and the rules on them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import duckdb

from tidemill_runner import names
from tidemill_runner.checks import bound
from tidemill_runner.checks import column as columns
from tidemill_runner.checks.rule import (
    Label,
    Member,
    Repeats,
    RowRule,
    Rule,
    Severity,
    Stated,
)
from tidemill_runner.failures import Failure
from tidemill_runner.schema import WIDER, Column, ColumnType, Schema

Spec = Mapping[str, Any]
TEXT_FORMATS = ("CSV",)
_TEXT_RULES = ("regex", "minLength", "maxLength")
_VALUE_RULES = ("nullable", "maxNullFraction", "min", "max", "in", "unique", *_TEXT_RULES)


def settle(spec_schema: Spec | None, schema: Schema, file_format: str) -> Schema:
    """The schema with the types declared, where every value found can be read as one.

    That is Float for whole numbers, Timestamp for dates, anything for a column without values, and
    String for anything that was text in the file. What differs else is left, for the check to fail.
    """
    wanted = {
        entry["name"]: ColumnType(entry["type"])
        for entry in (spec_schema or {}).get("columns") or ()
        if entry.get("type")
    }
    settled = (
        replace(column, type=wanted[column.name])
        if column.name in wanted and _readable(column, wanted[column.name], file_format)
        else column
        for column in schema.columns
    )
    return replace(schema, columns=tuple(settled))


def sensitive(spec_schema: Spec | None) -> frozenset[str]:
    """The columns whose values are never shown."""
    entries = (spec_schema or {}).get("columns") or ()
    return frozenset(entry["name"] for entry in entries if entry.get("sensitive"))


def _readable(column: Column, wanted: ColumnType, file_format: str) -> bool:
    if ColumnType.OTHER in (column.type, wanted):
        return False
    if column.empty or WIDER.get(frozenset({column.type, wanted})) is wanted:
        return True
    return wanted is ColumnType.STRING and file_format in TEXT_FORMATS


def rules(spec: Spec, schema: Schema, connection: duckdb.DuckDBPyConnection) -> Iterator[Rule]:
    """All rules of spec.schema; raises Failure for what contradicts itself or the types."""
    entries = spec.get("columns") or ()
    for entry in entries:
        yield from _Declared(entry, schema, connection).rules()
    if spec.get("mode") == "Enforce":
        known = {entry["name"] for entry in entries}
        for column in schema.columns:
            if column.name not in known:
                yield Stated(_undeclared(column), passed=False)


def _undeclared(column: Column) -> Label:
    return Label(
        name=f"{column.name}: declared",
        kind="declared",
        field="spec.schema.columns",
        fault=f"column {column.name!r} is in the data and not declared: "
        "declare it, leave it out of the data, or set spec.schema.mode to Infer",
        column=column.name,
    )


@dataclass(frozen=True)
class _Declared:
    """One entry of spec.schema.columns."""

    spec: Spec
    schema: Schema
    connection: duckdb.DuckDBPyConnection

    def rules(self) -> Iterator[Rule]:
        name = self.spec["name"]
        found = self.schema.column(name)
        if found is None:
            near = names.suggestion(name, self.schema.names())
            fault = f"column {name!r} is declared and not in the data{near}"
            yield Stated(replace(self._label("present", fault), allowed=Decimal(0)), passed=False)
        # Without a column the declaration is still judged, by the type that it states itself.
        stated = ColumnType(self.spec["type"]) if self.spec.get("type") else None
        kind = stated or (found.type if found else None)
        if kind is None:
            return
        column = found or Column(name, kind, nullable=True)
        judged = list(self._of_values(replace(column, type=kind)))
        if found is not None and stated is not None:
            fits = found.type is stated or found.empty
            fault = f"column {name!r} is {found.type}, declared is {stated}" + (
                "; its values were not judged" if judged and not fits else ""
            )
            yield Stated(replace(self._label("type", fault), allowed=Decimal(0)), passed=fits)
        if found is not None and found.type is kind:
            yield from judged
        elif found is not None and found.empty:
            # Without values there is nothing to judge but that they are missing.
            yield from self._gaps(found)

    def _of_values(self, column: Column) -> Iterator[Rule]:
        if column.type is ColumnType.OTHER:
            self._refuse_values(column)
            return
        yield from self._gaps(column)
        yield from self._bounds(column)
        yield from self._members(column)
        yield from self._texts(column)
        if self.spec.get("unique"):
            label = self._label("unique", "repeat an earlier one")
            key, judged = (columns.key(column),), columns.present(column)
            yield Repeats(label, key, judged, exact=False)

    def _refuse_values(self, column: Column) -> None:
        for part in _VALUE_RULES:
            given = self.spec.get(part)
            if given is False if part == "nullable" else given not in (None, False):
                raise self._invalid(
                    part, f"column {column.name!r} is of type Other, whose values are not judged"
                )

    def _gaps(self, column: Column) -> Iterator[Rule]:
        allowed = self.spec.get("maxNullFraction")
        if self.spec.get("nullable") is False:
            if allowed is not None:
                raise self._invalid("maxNullFraction", "nullable is false: leave one of them out")
            part, allowed = "nullable", 0
        elif allowed is None:
            return
        else:
            part = "maxNullFraction"
        label = replace(self._label(part, "are missing"), allowed=Decimal(allowed))
        yield RowRule(label, "TRUE", columns.absent(column))

    def _bounds(self, column: Column) -> Iterator[Rule]:
        low = self._bound("min", column)
        high = self._bound("max", column)
        if low is not None and high is not None and low > high:  # type: ignore[operator]
            raise self._invalid(
                "min", f"no value lies between {self.spec['min']} and {self.spec['max']} (max)"
            )
        value, judged = columns.value(column), columns.present(column)
        floats = column.type is ColumnType.FLOAT
        if low is not None:
            violated = f"({value}) < {bound.literal(low)}"
            if floats:
                violated = f"({violated} OR {value} = {columns.INFINITY})"
            yield RowRule(
                self._label("min", "are below it or infinite" if floats else "are below it"),
                judged,
                violated,
            )
        if high is not None:
            violated = f"({value}) > {bound.literal(high)}"
            if floats:
                # A NaN is above every number, too.
                violated = f"({violated} AND {judged} OR {value} = '-infinity'::DOUBLE)"
            yield RowRule(
                self._label("max", "are above it or infinite" if floats else "are above it"),
                judged,
                violated,
            )

    def _bound(self, part: str, column: Column) -> bound.Value | None:
        text = self.spec.get(part)
        if text is None:
            return None
        if column.type not in columns.ORDERED:
            raise self._invalid(
                part, f"column {column.name!r} is {column.type}: use in, regex or a check instead"
            )
        reader = bound.least if part == "min" else bound.greatest
        try:
            return reader(text, column.type)
        except ValueError as error:
            raise self._misfit(part, text, column, error) from None

    def _members(self, column: Column) -> Iterator[Rule]:
        texts = self.spec.get("in")
        if texts is None:
            return
        values: dict[bound.Value, None] = {}
        for place, text in enumerate(texts):
            try:
                values[bound.exactly(text, column.type)] = None
            except ValueError as error:
                raise self._misfit(f"in[{place}]", text, column, error) from None
        label = self._label("in", f"are none of the {len(values)} allowed")
        literals = tuple(bound.literal(value) for value in values)
        yield Member(label, columns.present(column), columns.value(column), literals)

    def _texts(self, column: Column) -> Iterator[Rule]:
        given = [part for part in _TEXT_RULES if self.spec.get(part) is not None]
        if given and column.type is not ColumnType.STRING:
            raise self._invalid(
                given[0], f"column {column.name!r} is {column.type}; it is for String"
            )
        low, high = self.spec.get("minLength"), self.spec.get("maxLength")
        if low is not None and high is not None and low > high:
            raise self._invalid("minLength", f"{low} is above maxLength ({high})")
        value, judged = columns.value(column), columns.present(column)
        for part in given:
            wanted = self.spec[part]
            if part == "regex":
                violated, fault = self._mismatch(value, wanted), "do not match it"
            elif part == "minLength":
                violated, fault = f"length({value}) < {int(wanted)}", "are shorter"
            else:
                violated, fault = f"length({value}) > {int(wanted)}", "are longer"
            yield RowRule(self._label(part, fault), judged, violated)

    def _mismatch(self, value: str, pattern: str) -> str:
        try:
            self.connection.execute("SELECT regexp_full_match('', ?::VARCHAR)", [pattern])
        except duckdb.Error as error:
            told = str(error).strip().splitlines()[0].partition(": ")[2]
            raise self._invalid("regex", f"RE2 refuses it: {told}") from None
        return f"NOT regexp_full_match({value}, {bound.literal(pattern)})"

    def _label(self, part: str, fault: str) -> Label:
        name = self.spec["name"]
        return Label(
            name=f"{name}: {part}",
            kind=part,
            field=f"spec.schema.columns[{name}].{part}",
            fault=fault,
            column=name,
            severity=Severity(self.spec.get("severity") or Severity.FAIL),
            allowed=Decimal(self.spec.get("maxViolationFraction") or 0),
        )

    def _misfit(self, part: str, text: str, column: Column, error: ValueError) -> Failure:
        return self._invalid(part, f"{text[:80]!r} does not fit {column.type}: {error}")

    def _invalid(self, part: str, detail: str) -> Failure:
        return Failure("CheckInvalid", f"spec.schema.columns[{self.spec['name']}].{part}: {detail}")
