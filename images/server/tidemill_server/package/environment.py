"""`environment.json`: what the model was made with, against what is installed here.

scikit-learn promises nothing across versions: a model of another minor release may load and answer
differently, so it is refused before it is loaded.
"""

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path

from tidemill.store.package import PackageReason
from tidemill_server.exits import MODEL_UNLOADABLE, Refused

PINNED = "scikit-learn"


def check_environment(
    path: Path, installed: Callable[[str], str] = importlib.metadata.version
) -> None:
    """Raise Refused where the recorded release (major.minor) is not the installed one."""
    try:
        recorded = json.loads(path.read_bytes())["packages"][PINNED]
        wanted = _release(recorded)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused(
            PackageReason.MALFORMED_PACKAGE,
            f"environment.json does not say which {PINNED} the model was made with",
        ) from None
    here = installed(PINNED)
    if wanted != _release(here):
        raise Refused(
            MODEL_UNLOADABLE,
            f"the model was made with {PINNED} {recorded}, this server has {here}: "
            "train it again with the runner image of this release, "
            "or serve it with the server image of the release that trained it",
        )


def _release(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)
