"""Asking a deployed model, through its Service, as a program in the cluster would."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.world import World


def infer(
    world: World, service: str, model: str, columns: Mapping[str, Sequence[Any]]
) -> dict[str, list[Any]]:
    """Send named columns to a model; gives its outputs by name."""
    inputs = [_tensor(name, values) for name, values in columns.items()]
    path = f"/v2/models/{model}/infer"
    answer = json.loads(
        world.kubectl(
            "create",
            "--raw",
            f"{_proxy(world, service)}{path}",
            "-f",
            "-",
            body={"inputs": inputs},
        )
    )
    return {output["name"]: output["data"] for output in answer["outputs"]}


def ask(world: World, service: str, path: str) -> Any:
    """GET a path of a deployed model."""
    return json.loads(world.kubectl("get", "--raw", f"{_proxy(world, service)}{path}"))


def _proxy(world: World, service: str) -> str:
    return f"/api/v1/namespaces/{world.namespace}/services/{service}:http/proxy"


def _tensor(name: str, values: Sequence[Any]) -> dict[str, Any]:
    if any(isinstance(value, str) for value in values):
        datatype = "BYTES"
    elif all(isinstance(value, int) for value in values):
        datatype = "INT64"
    else:
        datatype = "FP64"
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": list(values)}
