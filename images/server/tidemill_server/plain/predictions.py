"""The answer to rows: for each one its label and probabilities by label, or its value."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from tidemill_server.explain.explainer import Explanation
from tidemill_server.explain.telling import in_words
from tidemill_server.package.signature import Signature

CLASSIFICATION = "Classification"


def class_names(signature: Signature) -> tuple[str, ...]:
    """The labels as JSON has them for names; packages of old count their classes instead."""
    output = signature.outputs_by_name.get("predict_proba")
    if output is None:
        return ()
    if signature.classes is None:
        return tuple(map(str, range(output.shape[-1])))
    return tuple(
        str(label).lower() if isinstance(label, bool) else str(label) for label in signature.classes
    )


def write_predictions(
    answer: Mapping[str, np.ndarray],
    signature: Signature,
    head: Mapping[str, Any],
    explanation: Explanation | None = None,
) -> bytes:
    """The body, which begins with the head; a probability that is no number is null."""
    key = "label" if signature.task == CLASSIFICATION else "value"
    found: list[dict[str, Any]] = [{key: value} for value in answer["predict"].tolist()]
    names = class_names(signature)
    if names:
        rows = answer["predict_proba"].tolist()
        for one, values in zip(found, rows, strict=True):
            one["probabilities"] = dict(zip(names, values, strict=True))
    document = dict(head)
    if explanation is not None:
        document["explanation"], rows = in_words(explanation, names)
        for one, contributions in zip(found, rows, strict=True):
            one["contributions"] = contributions
    document["predictions"] = found
    return orjson.dumps(document)
