"""`card.json`: what the package tells people of its model. No prediction depends on it."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CARD = "card.json"
FORMAT = "tidemill.dev/card/v1"
MAX_BYTES = 4 * 1024 * 1024

log = logging.getLogger(__name__)


def read_card(folder: Path) -> Mapping[str, Any]:
    """The card, or nothing: a package of old has none, and a model serves without one."""
    path = folder / CARD
    try:
        if not path.exists() or path.stat().st_size > MAX_BYTES:
            return {}
        card = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        log.warning("the model's card cannot be read: %s", error)
        return {}
    return card if isinstance(card, dict) and card.get("format") == FORMAT else {}
