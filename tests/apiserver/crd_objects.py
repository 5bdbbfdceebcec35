"""The smallest objects of each kind that the API server takes, to be changed by a test."""

import copy
from collections.abc import Mapping
from typing import Any

Body = dict[str, Any]
DIGEST = "sha256:" + "0a" * 32

_SPECS: dict[str, Body] = {
    "Dataset": {"source": {"s3": {"bucket": "raw", "format": "CSV"}}},
    "TrainingRun": {
        "dataset": {"name": "elec2"},
        "task": "Classification",
        "target": "class",
        "estimator": {
            "sklearn": {
                "steps": [
                    {
                        "name": "model",
                        "class": "sklearn.ensemble.HistGradientBoostingClassifier",
                        "params": {"max_iter": 60, "learning_rate": 0.1},
                    }
                ]
            }
        },
    },
    "ModelDeployment": {"model": {"run": "elec2"}},
}
KINDS = tuple(_SPECS)
PLURALS = {kind: f"{kind.lower()}s.tidemill.dev" for kind in KINDS}


def minimal(kind: str, name: str = "example", changes: Mapping[str, Any] | None = None) -> Body:
    """Give an object; `changes` sets fields by dotted path; None drops the field."""
    body = {
        "apiVersion": "tidemill.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": copy.deepcopy(_SPECS[kind]),
    }
    for path, value in (changes or {}).items():
        _change(body["spec"], path.split("."), value)
    return body


def _change(node: Any, path: list[str], value: object) -> None:
    *parents, last = path
    for step in parents:
        node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = copy.deepcopy(value)
