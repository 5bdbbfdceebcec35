"""`GET /openapi.json`: what the server answers, in the words of OpenAPI 3.1, for this very model.

The rows of `/v1/predict` have the model's own columns, with examples that it has answered.
"""

from collections.abc import Mapping
from typing import Any

from tidemill import __version__
from tidemill_server.about.model import examples
from tidemill_server.lifecycle.state import Served
from tidemill_server.plain.columns import Field
from tidemill_server.plain.predictions import CLASSIFICATION, class_names
from tidemill_server.protocol import binary
from tidemill_server.protocol.infer import MAX_ID_CHARS, Stamp
from tidemill_server.settings import Limits

Schema = dict[str, Any]
_REFUSALS = {
    "400": "The request makes no sense; the words name field, row or column.",
    "408": "The body did not arrive in time.",
    "413": "Too large, or too many rows.",
    "415": "The body is in a form that is not read here.",
    "429": "Too many requests at a time; come again after Retry-After.",
    "503": "The model is not ready, or the time given has passed; come again after Retry-After.",
}
_JSON_TYPES = {"FP64": "number", "INT64": "integer", "BOOL": "boolean", "BYTES": "string"}
_TEXT: Schema = {"type": "string"}
_EXPLAIN: Schema = {
    "type": "boolean",
    "description": "Tell what each feature adds to the answer.",
}
_IDS = {
    "X-Tidemill-Prediction-Id": "Of this answer; labels are joined by it.",
    "X-Tidemill-Model-Name": "The model that answered.",
    "X-Tidemill-Model-Version": "Its version.",
    "X-Tidemill-Model-Digest": "The digest of its package.",
}


def document(stamp: Stamp, served: Served, limits: Limits) -> Schema:
    """The whole document."""
    model = f"/v2/models/{stamp.name}"
    versioned = f"{model}/versions/{stamp.version}"
    infer = _infer(served)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Model {stamp.name}",
            "version": stamp.version,
            "description": f"Served by Tidemill {__version__}. Package {stamp.digest}.",
        },
        "paths": {
            "/v1/predict": {"post": _predict(served)},
            "/v1/model": {"get": _get("Describe the model", "Model", "describeModel")},
            "/v1/stats": {"get": _get("Tell what was counted", "Stats", "stats")},
            "/v2": {"get": _get("Describe the server", "Server", "serverMetadata")},
            "/v2/health/live": {"get": _get("Tell whether the server lives", "Live", "live")},
            "/v2/health/ready": {"get": _get("Tell whether it is ready", "Ready", "ready")},
            model: {"get": _get("Describe the tensors", "Metadata", "modelMetadata")},
            versioned: {"get": _get("Describe the tensors", "Metadata", "versionMetadata")},
            f"{model}/ready": {"get": _get("Tell whether it is ready", "Ready", "modelReady")},
            f"{versioned}/ready": {
                "get": _get("Tell whether it is ready", "Ready", "versionReady")
            },
            f"{model}/infer": {"post": {**infer, "operationId": "infer"}},
            f"{versioned}/infer": {"post": {**infer, "operationId": "inferVersion"}},
        },
        "components": {"schemas": _schemas(served, limits), "headers": _headers()},
    }


def _get(summary: str, schema: str, operation: str) -> Schema:
    return {
        "summary": summary,
        "operationId": operation,
        "responses": {
            "200": {"description": summary, "content": _content(schema)},
            "503": {"description": _REFUSALS["503"], "content": _content("Error")},
        },
    }


def _predict(served: Served) -> Schema:
    rows = examples(served)
    header = list(rows[0])
    content = {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Rows"},
            "examples": {"rows": {"summary": "Rows the model has answered", "value": rows}},
        },
        "text/csv": {"schema": _TEXT, "example": _csv(header, rows)},
    }
    return {
        "summary": "Rows by name, as JSON or CSV; labels and probabilities by name",
        "operationId": "predict",
        "parameters": [_timeout()],
        "requestBody": {"required": True, "content": content},
        "responses": _responses("The predictions, one for each row", _content("Predictions")),
    }


def _csv(header: list[str], rows: list[dict[str, Any]]) -> str:
    lines = [header, *([_cell(row[name]) for name in header] for row in rows)]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    special = any(sign in text for sign in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if special else text


def _infer(served: Served) -> Schema:
    return {
        "summary": "Tensors, by the Open Inference Protocol",
        "parameters": [_timeout()],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/InferRequest"},
                    "examples": {"first": {"value": _first_request(served)}},
                }
            },
        },
        "responses": _responses("The outputs", _content("InferResponse")),
    }


def _first_request(served: Served) -> Schema:
    row = examples(served)[0]
    return {
        "inputs": [
            {
                "name": column.name,
                "datatype": column.datatype,
                "shape": [1],
                "data": [row[column.name]],
            }
            for column in served.signature.inputs
        ]
    }


def _responses(words: str, content: Schema) -> Schema:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _IDS}
    refused = {
        status: {"description": why, "headers": headers, "content": _content("Error")}
        for status, why in _REFUSALS.items()
    }
    return {"200": {"description": words, "headers": headers, "content": content}, **refused}


def _content(schema: str) -> Schema:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _headers() -> Schema:
    return {name: {"description": words, "schema": _TEXT} for name, words in _IDS.items()}


def _timeout() -> Schema:
    return {
        "name": "X-Tidemill-Timeout-Ms",
        "in": "header",
        "description": "How long the client waits; what is queued longer is not computed.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 3_600_000},
    }


def _schemas(served: Served, limits: Limits) -> Schema:
    rows = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Row"},
        "minItems": 1,
        "maxItems": limits.rows,
    }
    wrapped: Schema = {"rows": rows}
    if served.explainer is not None:
        wrapped["explain"] = _EXPLAIN
    return {
        "Row": _row(served.fields),
        "Rows": {"oneOf": [rows, _closed(wrapped, ["rows"])]},
        "Predictions": _predictions(served),
        "Error": _closed({"error": _TEXT}, ["error"]),
        "Model": _open("name", "version", "digest", "task", "columns", "labels", "examples"),
        "Stats": _open("requests", "seconds", "rows", "in_flight", "uptime_seconds"),
        "Server": _open("name", "version", "extensions"),
        "Live": _closed({"live": {"type": "boolean"}}, ["live"]),
        "Ready": _open("ready"),
        "Metadata": _open("name", "versions", "platform", "inputs", "outputs"),
        "InferRequest": _infer_request(served),
        "InferResponse": _open("model_name", "model_version", "parameters", "outputs"),
    }


def _row(fields: Mapping[str, Field]) -> Schema:
    required = [field.name for field in fields.values() if not field.optional]
    return _closed({field.name: _value(field) for field in fields.values()}, required)


def _value(field: Field) -> Schema:
    kind = _JSON_TYPES[field.datatype]
    schema: Schema = {"type": [kind, "null"] if field.nullable else kind}
    if field.datatype == "INT64":
        schema |= {"minimum": -(2**63), "maximum": 2**63 - 1}
    return schema


def _predictions(served: Served) -> Schema:
    signature = served.signature
    kind = _JSON_TYPES[signature.outputs_by_name["predict"].datatype]
    key = "label" if signature.task == CLASSIFICATION else "value"
    one: Schema = _closed({key: {"type": [kind, "null"]}}, [key])
    if names := class_names(signature):
        shares = {name: {"type": ["number", "null"]} for name in names}
        one["properties"]["probabilities"] = _closed(shares, list(names))
        one["required"].append("probabilities")
    if served.explainer is not None:
        one["properties"]["contributions"] = {"type": "object"}
    texts = ("model_name", "model_version", "model_digest", "prediction_id")
    return {
        "type": "object",
        "properties": {
            **dict.fromkeys(texts, _TEXT),
            "predictions": {"type": "array", "items": one},
        },
        "required": [*texts, "predictions"],
    }


def _infer_request(served: Served) -> Schema:
    outputs = {"enum": list(served.signature.output_names)}
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": _TEXT,
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            "datatype": {"enum": list(binary.DATATYPES)},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
    }
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "maxLength": MAX_ID_CHARS},
            "parameters": {"type": "object", "properties": _parameters(served)},
            "inputs": {"type": "array", "items": tensor, "minItems": 1},
            "outputs": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": outputs}, "required": ["name"]},
            },
        },
    }


def _parameters(served: Served) -> Schema:
    known: Schema = {"binary_data_output": {"type": "boolean"}}
    return known | {"explain": _EXPLAIN} if served.explainer is not None else known


def _closed(properties: Schema, required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _open(*required: str) -> Schema:
    return {"type": "object", "required": list(required)}
