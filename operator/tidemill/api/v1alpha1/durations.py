"""Durations as specs write them: `1h30m`. Shared with the runner, which has no pydantic."""

import re
from datetime import timedelta

DURATION_PATTERN = r"^([0-9]{1,6}(ms|s|m|h|d))+$"
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> timedelta:
    """Read `1h30m` and the like; raises ValueError on anything else."""
    if not re.fullmatch(DURATION_PATTERN, text):
        msg = f"{text!r} is not a duration such as 30s, 15m or 2h"
        raise ValueError(msg)
    seconds = sum(int(n) * _SECONDS[unit] for n, unit in _PART.findall(text))
    return timedelta(seconds=seconds)
