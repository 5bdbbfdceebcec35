"""What a run's status says of its search: how many trials there were, and the best."""

import json
from collections.abc import Mapping
from typing import Any

from tidemill.api.v1alpha1.search import MAX_PARAMETERS, BestTrial, SearchSummary

_VALUE = 64


def summary(found: Mapping[str, Any] | None) -> SearchSummary | None:
    """Cut what a result holds to what fits into a status; None where nothing was searched."""
    if not found:
        return None
    best = found["best"]
    return SearchSummary(
        trials=len(found["trials"]),
        failed=int(found["failed"]),
        best=BestTrial(
            number=int(best["number"]),
            metric=str(found["metric"])[:_VALUE],
            value=f"{best['value']:.6g}",
            params={
                name: _short(value) for name, value in list(best["params"].items())[:MAX_PARAMETERS]
            },
        ),
    )


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"
