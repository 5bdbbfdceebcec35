"""What becomes of a child that the API server will not have; the rest is tested on a real one."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.engine.errors import Stalled
from tidemill.kube.apply import ensure
from tidemill.kube.client import Client
from tidemill.kube.errors import ApiError, Forbidden, Invalid

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "n", "name": "x"}}


@dataclass
class Refusing:
    """An API server that answers every write with one error."""

    error: ApiError

    async def get(self, *_: Any) -> None:
        """There is nothing yet."""

    async def apply(self, *_: Any) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Invalid("422: spec.ports: Required value"), Reason.SPEC_INVALID),
        (Forbidden("403: exceeded quota: q"), Reason.FORBIDDEN),
    ],
    ids=["invalid", "forbidden"],
)
async def test_it_waits_for_somebody_with_the_words_of_the_api_server(
    error: ApiError, reason: Reason
) -> None:
    with pytest.raises(Stalled, match=str(error)) as caught:
        await ensure(cast("Client", Refusing(error)), SERVICE, None)
    assert caught.value.reason is reason


async def test_a_namespace_that_goes_needs_nobody() -> None:
    error = Forbidden(
        "403: unable to create new content in namespace n because it is being terminated"
    )
    with pytest.raises(Forbidden):
        await ensure(cast("Client", Refusing(error)), SERVICE, None)
