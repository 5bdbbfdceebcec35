"""An explanation on its way: who may ask for one, of how many rows, and how it is told."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tidemill_server.batching.batcher import refused_values
from tidemill_server.explain.explainer import Explanation
from tidemill_server.lifecycle.state import Served
from tidemill_server.package.signature import EXPLAINED
from tidemill_server.protocol.errors import ProtocolError, bad_request
from tidemill_server.protocol.infer import InferRequest


def check(served: Served, rows: int, most: int) -> None:
    """Refuse what will not be explained, before anything is computed; raises ProtocolError."""
    if most == 0:
        raise bad_request(
            "explanations are not given here: set spec.explain of the ModelDeployment to Enabled"
        )
    if served.explainer is None:
        raise bad_request(served.unexplained)
    if rows > most:
        raise ProtocolError(413, f"{most} rows at a time are explained, not {rows}: send fewer")


async def explain(served: Served, rows: np.ndarray) -> Explanation:
    """Row by row, each when it is its turn, so that predictions wait for one at most.

    Raises ProtocolError.
    """
    explainer = served.explainer
    if explainer is None:
        raise TypeError("nobody explains here")
    try:
        parts = await _each(served, explainer.explain, rows)
        if len({part.method for part in parts}) > 1:  # a row that is lost in rounding, say
            parts = await _each(served, explainer.sampled, rows)
    except ValueError as error:
        raise refused_values(error) from None
    added = np.concatenate([part.added for part in parts])
    first = parts[0]
    return Explanation(first.features, added, first.base, first.unit, first.method)


async def _each(
    served: Served, way: Callable[[np.ndarray], Explanation], rows: np.ndarray
) -> list[Explanation]:
    turns = (functools.partial(way, rows[at : at + 1]) for at in range(len(rows)))
    return [await served.batcher.turn(turn) for turn in turns]


def beside(request: InferRequest, found: Explanation) -> tuple[InferRequest, dict[str, np.ndarray]]:
    """The request as if it had asked for the explanation's outputs as well, and these."""
    values = found.added[:, :, 0] if len(found.base) == 1 else found.added
    features = np.array(found.features, dtype=object)
    outputs = dict(zip(EXPLAINED, (values, found.base, features), strict=True))
    as_bytes = request.as_bytes | outputs.keys() if request.as_bytes else request.as_bytes
    told = {
        **(request.told or {}),
        "explanation_unit": found.unit,
        "explanation_method": found.method,
    }
    names = (*request.outputs, *outputs)
    return InferRequest(request.id, request.rows, names, told, as_bytes), outputs


def in_words(found: Explanation, labels: tuple[str, ...]) -> tuple[dict[str, Any], list[Any]]:
    """The explanation by names, for rows that came by names: of all rows, and of each."""
    by_label = len(found.base) > 1
    base: Any = found.base.tolist()
    rows: list[Any]
    if by_label:
        base = dict(zip(labels, base, strict=True))
        rows = [
            {label: _named(found, row[:, at]) for at, label in enumerate(labels)}
            for row in found.added
        ]
    else:
        base = base[0]
        rows = [_named(found, row[:, 0]) for row in found.added]
    told = {"unit": found.unit, "method": found.method, "base": base}
    if not by_label and len(labels) == 2:
        told["of"] = labels[1]
    return told, rows


def _named(found: Explanation, values: np.ndarray) -> Mapping[str, float]:
    return dict(zip(found.features, values.tolist(), strict=True))
