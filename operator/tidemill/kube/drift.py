"""Does an object in the cluster still say what we said?

Only what the manifest sets is compared, so that defaults and other people's fields do not count:

1. A mapping agrees when each key of the manifest agrees; further keys are somebody else's.
2. A list whose items have a merge key (`name`, `mountPath`, ...) agrees when each item of the
   manifest is found by that key and agrees; any other list must agree item by item and in length.
3. A Service's selector agrees only as a whole: a key more, and it selects nothing.
4. Quantities agree by value (`1000m` is stored as `1`), and an empty value agrees with none at all.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

_MERGE_KEYS = ("name", "mountPath", "containerPort", "port", "uid", "key", "type")
EXACT = "spec.selector"
_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:e([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIX = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def drift(desired: object, live: object, path: str = "") -> str | None:
    """Give the path of the first field of `desired` that reads differently in `live`, or None."""
    if desired is None:
        return None  # says nothing
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        for key, value in desired.items():
            found = drift(value, live.get(key), f"{path}.{key}" if path else key)
            if found:
                return found
        return path if path == EXACT and set(live) - set(desired) else None
    if isinstance(desired, list | tuple) and isinstance(live, list | tuple):
        return _drift_in_list(desired, live, path)
    if desired == live or (live is None and _is_empty(desired)):
        return None
    return None if _same_quantity(desired, live) else path


def _drift_in_list(desired: Sequence[Any], live: Sequence[Any], path: str) -> str | None:
    key = _merge_key(desired)
    if key is None:
        if len(desired) != len(live):
            return path
        pairs = list(zip(desired, live, strict=True))
    else:
        found = {item.get(key): item for item in live if isinstance(item, Mapping)}
        pairs = [(item, found.get(item[key])) for item in desired]
    for index, (mine, theirs) in enumerate(pairs):
        label = mine[key] if key is not None else index
        place = f"{path}[{label}]"
        if theirs is None:
            return place
        if deeper := drift(mine, theirs, place):
            return deeper
    return None


def _merge_key(items: Sequence[Any]) -> str | None:
    """Find the key that tells the items of a list apart, if it is that sort of list."""
    for key in _MERGE_KEYS:
        if all(isinstance(item, Mapping) and key in item for item in items):
            values = [item[key] for item in items]
            if items and len(set(values)) == len(values):
                return key
    return None


def _same_quantity(desired: object, live: object) -> bool:
    mine, theirs = quantity(desired), quantity(live)
    return mine is not None and mine == theirs


def quantity(value: object) -> Decimal | None:
    """Read a number or a Kubernetes quantity; None when it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None or match[1].count(".") > 1 or not any(map(str.isdigit, match[1])):
        return None
    return Decimal(match[1]) * Decimal(10) ** int(match[2] or 0) * _SUFFIX.get(match[3], 1)


def _is_empty(value: object) -> bool:
    """Tell what the API server leaves out; `false` and `0` are values like others."""
    return isinstance(value, str | Mapping | Sequence) and len(value) == 0
