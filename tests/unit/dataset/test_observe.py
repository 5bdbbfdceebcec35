"""What is told of a source that cannot be listed or holds no data."""

import pytest

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.sources import S3Source
from tidemill.dataset import observe
from tidemill.store.errors import AccessDenied, BucketMissing, StoreError, Unavailable

OPEN = S3Source.model_validate({"bucket": "raw", "prefix": "day/", "format": "CSV"})
KEYED = OPEN.model_copy(
    update={
        "credentials_ref": S3Source.model_validate(
            {"bucket": "raw", "format": "CSV", "credentialsRef": {"name": "keys"}}
        ).credentials_ref
    }
)


@pytest.mark.parametrize(
    ("error", "source", "reason", "tells"),
    [
        (BucketMissing("no bucket"), OPEN, Reason.BUCKET_MISSING, "create it, or correct the name"),
        (AccessDenied("no"), KEYED, Reason.ACCESS_DENIED, "correct the Secret keys"),
        (AccessDenied("no"), OPEN, Reason.ACCESS_DENIED, "set spec.source.s3.credentialsRef"),
        (Unavailable("refused"), OPEN, Reason.STORE_UNAVAILABLE, "trying again"),
        (StoreError("what"), OPEN, Reason.STORE_UNAVAILABLE, "trying again"),
    ],
    ids=["bucket", "denied", "anonymous", "unavailable", "unknown"],
)
def test_the_way_out_is_told(
    error: StoreError, source: S3Source, reason: Reason, tells: str
) -> None:
    problem = observe._problem(error, source)
    assert problem.reason is reason
    assert str(error) in problem.message
    assert tells in problem.message
    assert problem.passing is (reason is Reason.STORE_UNAVAILABLE)
