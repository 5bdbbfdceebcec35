"""A pod around a user's code, on rows that can be learnt."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runner.user_code.pod import Pod, script
from tests.unit.runner.workshop import Workshop, classification, rows

MakePod = Callable[..., Pod]


@pytest.fixture
def pods(workshop: Workshop, tmp_path: Path) -> MakePod:
    """Make a pod: of a spec's changes, on the data given or on some that can be learnt."""

    def make(data: str = rows(), beside: dict[str, Any] | None = None, **spec: Any) -> Pod:
        workshop.deliver(data_csv=data)
        asked = classification(**{"estimator": script(), **spec})
        return Pod(workshop, workshop.ingest(), asked, tmp_path / "pod", beside or {})

    return make
