"""One real request to the deployed model, in the Open Inference Protocol's own words."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .cluster import Cluster, proxy
from .data import FOLDER
from .failure import DemoError
from .programs import say

READERS: Mapping[str, Callable[[str], Any]] = {
    "FP64": float,
    "FP32": float,
    "INT64": int,
    "BOOL": lambda text: text == "1",
}


def tensors(inputs: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, str]]) -> list[Any]:
    """The rows as the model's metadata says that it wants them: one tensor per column."""
    made = []
    for one in inputs:
        read = READERS.get(one["datatype"], str)
        data = [read(row[one["name"]]) for row in rows]
        made.append(
            {"name": one["name"], "shape": [len(rows)], "datatype": one["datatype"], "data": data}
        )
    return made


def ask(cluster: Cluster, deployment: str, rows: Sequence[Mapping[str, str]], target: str) -> None:
    """Sends the rows, prints the command that did it, the answer, and what is true."""
    body = cluster.get("modeldeployment", deployment) or {}
    url = body.get("status", {}).get("url")
    if not url:
        raise DemoError(f"ModelDeployment/{deployment} has no url in its status")
    service = str(urlsplit(url).hostname).partition(".")[0]
    model = f"/v2/models/{deployment}"
    metadata = cluster.ask(service, model)
    request = {"inputs": tensors(metadata["inputs"], rows)}
    file = FOLDER / "request.json"
    file.write_text(json.dumps(request, indent=1) + "\n")
    say(f"$ kubectl create --raw {proxy(service)}{model}/infer -f {file.name}")
    answer = cluster.ask(service, f"{model}/infer", request)
    say(json.dumps(answer))
    say(f"The truth, which the model has not seen: {', '.join(row[target] for row in rows)}")
    say(f"Inside the cluster the same model answers at {url}{model}/infer")
