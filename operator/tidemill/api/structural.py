"""Structural schemas: a pydantic model as the API server wants to read it.

Kubernetes takes a subset of JSON schema: no `$ref`, no union with null, no title, no
`additionalProperties: false` (what is not declared is unknown anyway). A field that may be absent
is simply not required. Whatever this module does not know how to say is refused, not passed over.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_RULES = "x-kubernetes-validations"
_INT_OR_STRING = "x-kubernetes-int-or-string"

# In this order they are written: what a reader looks for first stands first.
_KEYWORDS = (
    *("description", "type", "format", "default", "enum", "pattern", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "required"),
)
_EXTENSIONS = (
    *(_INT_OR_STRING, "nullable", "x-kubernetes-preserve-unknown-fields"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"),
    _RULES,
)
_CHILDREN = ("properties", "items", "additionalProperties")
_DROPPED = ("title", "examples", "$defs")
_UNION = "anyOf"


class NotStructuralError(ValueError):
    """The model says something that a structural schema cannot."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """Give the model's schema; raises NotStructuralError."""
    source = model.model_json_schema(by_alias=True)
    return _convert(source, source.get("$defs", {}), model.__name__)


def _convert(source: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    node = _resolve(source, definitions, path)
    _refuse_unknown(node, path)
    result: Schema = {}
    for keyword in (*_KEYWORDS, *_EXTENSIONS):
        if keyword in node:
            result[keyword] = node[keyword]
    if result.get("default", ...) is None:
        del result["default"]
    if "const" in node:
        result["enum"] = [node["const"]]
    if result.get("type") == "integer":
        result["format"] = "int64"
    if node.get(_INT_OR_STRING):
        del result["type"]
        result[_UNION] = [{"type": "integer"}, {"type": "string"}]
    if _RULES in node:
        # pydantic sorts the keys of what it is given; a rule reads best before its message.
        result[_RULES] = [dict(sorted(r.items(), reverse=True)) for r in node[_RULES]]
    return _in_order(result) | _convert_children(node, definitions, path)


def _convert_children(node: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    result: Schema = {}
    if "items" in node:
        result["items"] = _convert(node["items"], definitions, f"{path}[]")
    values = node.get("additionalProperties")
    if isinstance(values, dict):
        result["additionalProperties"] = _convert(values, definitions, f"{path}{{}}")
    elif values is True and not node.get("x-kubernetes-preserve-unknown-fields"):
        raise NotStructuralError(f"{path}: a map must say what its values are")
    if "properties" in node:
        result["properties"] = {
            name: _convert(field, definitions, f"{path}.{name}")
            for name, field in node["properties"].items()
        }
    return result


def _resolve(node: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    """Put what is referred to in place; what stands at the reference itself wins."""
    siblings = dict(node)
    if _UNION in siblings:
        choices = [c for c in siblings.pop(_UNION) if c.get("type") != "null"]
        if len(choices) != 1:
            raise NotStructuralError(f"{path}: a field has one type; use `exactly one of` fields")
        return _resolve(choices[0] | siblings, definitions, path)
    if "$ref" in siblings:
        name = siblings.pop("$ref").removeprefix("#/$defs/")
        return _resolve(definitions[name] | siblings, definitions, path)
    return siblings


def _refuse_unknown(node: Schema, path: str) -> None:
    known = {*_KEYWORDS, *_EXTENSIONS, *_CHILDREN, *_DROPPED, "const"}
    if unknown := sorted(set(node) - known):
        raise NotStructuralError(f"{path}: a structural schema has no {', '.join(unknown)}")


def _in_order(node: Schema) -> Schema:
    order = (*_KEYWORDS, _UNION, *_EXTENSIONS)
    return {keyword: node[keyword] for keyword in order if keyword in node}
