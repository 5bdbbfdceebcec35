"""What pydantic says, as a structural schema; what a structural schema cannot say is refused."""

from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from tidemill.api.structural import NotStructuralError, structural_schema
from tidemill.api.v1alpha1.types import QUANTITY_PATTERN, ApiModel, Quantity, rule, rules


class Part(ApiModel):
    """A part."""

    size: Annotated[int, Field(ge=1, le=9, description="Its size.")] = 3


def field_schema(annotation: Any, **default: Any) -> dict[str, Any]:
    model = type(
        "Model",
        (BaseModel,),
        {"__annotations__": {"field": annotation}, "__module__": __name__, **default},
    )
    schema: dict[str, Any] = structural_schema(model)["properties"]["field"]
    return schema


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        pytest.param(str, {"type": "string"}, id="text"),
        pytest.param(bool, {"type": "boolean"}, id="boolean"),
        pytest.param(int, {"type": "integer", "format": "int64"}, id="integer is 64 bits wide"),
        pytest.param(datetime, {"type": "string", "format": "date-time"}, id="time"),
        pytest.param(Literal["A", "B"], {"type": "string", "enum": ["A", "B"]}, id="choice"),
        pytest.param(Literal["A"], {"type": "string", "enum": ["A"]}, id="only choice"),
        pytest.param(str | None, {"type": "string"}, id="optional has no union with null"),
        pytest.param(
            Annotated[str, Field(pattern="^a$", max_length=3, min_length=1)],
            {"type": "string", "pattern": "^a$", "minLength": 1, "maxLength": 3},
            id="bounds of a text",
        ),
        pytest.param(
            Annotated[list[Annotated[str, Field(max_length=5)]], Field(max_length=4)],
            {"type": "array", "maxItems": 4, "items": {"type": "string", "maxLength": 5}},
            id="bounds of a list and its items",
        ),
        pytest.param(
            Annotated[dict[str, Annotated[str, Field(max_length=5)]], Field(max_length=4)],
            {
                "type": "object",
                "maxProperties": 4,
                "additionalProperties": {"type": "string", "maxLength": 5},
            },
            id="bounds of a map and its values",
        ),
    ],
)
def test_field(annotation: Any, expected: dict[str, Any]) -> None:
    assert field_schema(annotation) == expected


def test_part_is_inlined_and_the_description_of_the_field_wins() -> None:
    schema = field_schema(Annotated[Part | None, Field(description="Of this field.")])
    assert schema == {
        "description": "Of this field.",
        "type": "object",
        "properties": {
            "size": {
                "description": "Its size.",
                "type": "integer",
                "format": "int64",
                "default": 3,
                "minimum": 1,
                "maximum": 9,
            }
        },
    }


def test_items_carry_the_description_of_their_model() -> None:
    assert field_schema(list[Part])["items"]["description"] == "A part."


def test_required_and_default() -> None:
    class Model(ApiModel):
        needed: str
        text: str = "a"
        absent: str | None = None
        made: Annotated[list[str], Field(default_factory=list)]

    schema = structural_schema(Model)
    assert schema["required"] == ["needed"]
    assert schema["properties"]["text"]["default"] == "a"
    assert "default" not in schema["properties"]["absent"]
    assert "default" not in schema["properties"]["made"]


def test_extensions_pass_through() -> None:
    extra = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    schema = field_schema(Annotated[list[str], Field(json_schema_extra=extra)])
    assert {key: schema[key] for key in extra} == extra


def test_rule_stands_before_its_message() -> None:
    extra = rules(rule("self != ''", "must not be empty", field_path=".x"))
    schema = field_schema(Annotated[str, Field(json_schema_extra=extra)])
    (found,) = schema["x-kubernetes-validations"]
    assert found == {"rule": "self != ''", "message": "must not be empty", "fieldPath": ".x"}
    assert next(iter(found)) == "rule"


def test_quantity_may_be_a_number() -> None:
    schema = field_schema(Quantity)
    assert "type" not in schema
    assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert schema["x-kubernetes-int-or-string"] is True
    assert schema["pattern"] == QUANTITY_PATTERN


def test_parameters_keep_what_is_unknown() -> None:
    extra = {"x-kubernetes-preserve-unknown-fields": True}
    schema = field_schema(Annotated[dict[str, Any] | None, Field(json_schema_extra=extra)])
    assert schema == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        pytest.param(int | str, "Model.field: a field has one type", id="union"),
        pytest.param(dict[str, Any], "Model.field: a map must say what its values are", id="map"),
        pytest.param(
            Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})],
            "Model.field: a structural schema has no contentEncoding",
            id="unknown keyword",
        ),
        pytest.param(tuple[int, str], "a structural schema has no prefixItems", id="tuple"),
    ],
)
def test_what_cannot_be_said_is_refused(annotation: Any, message: str) -> None:
    with pytest.raises(NotStructuralError, match=message):
        field_schema(annotation)
