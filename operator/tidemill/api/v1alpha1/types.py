"""The small types that every kind shares: their pattern, their bounds, how they are read.

A spec holds no floats (Kubernetes' API conventions): fractions are decimal strings, sizes are
quantities, times are durations. Each type here carries its pattern into the CRD, so that the API
server refuses what the operator could not read.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tidemill.api.v1alpha1.durations import DURATION_PATTERN

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"

Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32, examples=["15m"])]


def _as_text(value: object) -> object:
    """Read `cpu: 2` as `cpu: "2"`, as pods do."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    Field(
        pattern=QUANTITY_PATTERN,
        max_length=32,
        examples=["2Gi"],
        description="A quantity as Kubernetes writes it: 2, 500m, 2Gi.",
        json_schema_extra={"x-kubernetes-int-or-string": True},
    ),
    BeforeValidator(_as_text),  # last: before the field, pydantic would lose the pattern
]
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN, max_length=71)]
Fraction = Annotated[str, Field(pattern=r"^0?\.[0-9]{1,6}$", max_length=8, examples=["0.2"])]
ObjectName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        min_length=1,
        max_length=253,
    ),
]


class ApiModel(BaseModel):
    """A part of a spec: camelCase outside, immutable, unknown fields refused."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True
    )


class StatusModel(BaseModel):
    """A part of a status: as ApiModel, but fields of other versions are read over."""

    model_config = ConfigDict(
        extra="ignore", alias_generator=to_camel, populate_by_name=True, frozen=True
    )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; what is not known is left out, since apply means "absent"."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rule(expression: str, message: str, *, field_path: str | None = None) -> dict[str, str]:
    """One CEL rule as `x-kubernetes-validations` wants it."""
    entry = {"rule": expression, "message": message}
    return entry | {"fieldPath": field_path} if field_path else entry


def rules(*entries: dict[str, str]) -> dict[str, Any]:
    """CEL rules for `json_schema_extra`."""
    return {"x-kubernetes-validations": list(entries)}
