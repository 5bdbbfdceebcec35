"""Durations, quantities, fractions, names: what is read, and what is refused."""

from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from tidemill.api.v1alpha1.durations import parse_duration
from tidemill.api.v1alpha1.types import (
    ApiModel,
    Digest,
    Duration,
    Fraction,
    ObjectName,
    Quantity,
    StatusModel,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta()),
    ],
)
def test_duration_is_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "m", "-1m", "1.5h", "1 m", "1w", "1m\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 30s, 15m or 2h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(Duration, "1h30m", id="duration"),
        pytest.param(Quantity, "500m", id="thousandths"),
        pytest.param(Quantity, "2Gi", id="binary"),
        pytest.param(Quantity, "0.5", id="decimal"),
        pytest.param(Fraction, "0.25", id="fraction"),
        pytest.param(Fraction, ".25", id="fraction without a leading zero"),
        pytest.param(Digest, "sha256:" + "0a" * 32, id="digest"),
        pytest.param(ObjectName, "a.b-c.9", id="name with dots"),
        pytest.param(ObjectName, "a" * 253, id="longest name"),
    ],
)
def test_value_is_taken_as_it_is(kind: Any, value: str) -> None:
    assert TypeAdapter(kind).validate_python(value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(Duration, "soon", id="duration"),
        pytest.param(Quantity, "-1", id="negative quantity"),
        pytest.param(Quantity, "2 GB", id="unit"),
        pytest.param(Quantity, True, id="boolean is no quantity"),
        pytest.param(Quantity, 0.5, id="float is no quantity"),
        pytest.param(Fraction, "1.5", id="fraction over 1"),
        pytest.param(Fraction, "1", id="the whole"),
        pytest.param(Fraction, "-0.1", id="negative fraction"),
        pytest.param(Digest, "sha256:abc", id="short digest"),
        pytest.param(Digest, "md5:" + "0a" * 32, id="other hash"),
        pytest.param(ObjectName, "", id="empty name"),
        pytest.param(ObjectName, "Upper", id="upper case"),
        pytest.param(ObjectName, "a_b", id="underscore"),
        pytest.param(ObjectName, "a" * 254, id="name too long"),
    ],
)
def test_value_is_refused(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


def test_whole_number_is_a_quantity() -> None:
    assert TypeAdapter(Quantity).validate_python(2) == "2"


class Spec(ApiModel):
    """A part of a spec."""

    max_size: int = 1


class Status(StatusModel):
    """A part of a status."""

    max_size: Annotated[int | None, Field()] = None


def test_fields_are_camel_case_outside() -> None:
    assert Spec.model_validate({"maxSize": 2}).max_size == 2


def test_unknown_field_of_a_spec_is_refused() -> None:
    with pytest.raises(ValidationError, match="maxSise"):
        Spec.model_validate({"maxSise": 2})


def test_unknown_field_of_a_status_is_read_over() -> None:
    assert Status.model_validate({"maxSize": 2, "later": True}).max_size == 2


def test_what_is_not_known_is_left_out_of_a_status() -> None:
    assert Status().to_dict() == {}
    assert Status(max_size=0).to_dict() == {"maxSize": 0}
