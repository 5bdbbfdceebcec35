"""Every reason that the server can leave behind is one of the API's."""

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.store.errors import PackageReason
from tidemill_server import exits


@pytest.mark.parametrize(
    "reason", [exits.MODEL_UNLOADABLE, exits.SPEC_INVALID, exits.INTERNAL_ERROR, *PackageReason]
)
def test_the_reason_is_documented(reason: str) -> None:
    assert Reason(str(reason)).meaning
