"""What is true of a Dataset now: its source as listed, its ingest Jobs, the result of the last.

The source is listed here, in the operator, since a listing is cheap; bytes are read only in the
Job.
"""

from collections.abc import Mapping
from dataclasses import replace

from tidemill.api.v1alpha1.dataset import DatasetSpec, S3Source
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.credentials import secret_values
from tidemill.children.platform import Platform
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.engine.errors import Stalled
from tidemill.kube.client import Client
from tidemill.kube.resources import SECRETS
from tidemill.store import listing
from tidemill.store.config import StoreConfig
from tidemill.store.errors import AccessDenied, BucketMissing, StoreError, TooLarge
from tidemill.store.objects import ObjectStore

SECRET_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
SESSION_KEY = "AWS_SESSION_TOKEN"


def source_config(spec: S3Source, platform: StoreConfig, keys: Mapping[str, str]) -> StoreConfig:
    """Address the source: what the spec leaves open is as in Tidemill's own store."""
    own_store = spec.endpoint is None or spec.endpoint == platform.endpoint
    return replace(
        platform,
        endpoint=spec.endpoint or platform.endpoint,
        region=spec.region or platform.region,
        bucket=spec.bucket,
        path_style=platform.path_style if spec.path_style is None else spec.path_style,
        access_key=keys.get("AWS_ACCESS_KEY_ID", ""),
        secret_key=keys.get("AWS_SECRET_ACCESS_KEY", ""),
        session_token=keys.get(SESSION_KEY) or None,
        ca_file=platform.ca_file if own_store else None,
    )


async def source_keys(client: Client, namespace: str, spec: S3Source) -> dict[str, str]:
    """Read the Secret that the source names; raises Stalled with what is wrong with it."""
    if spec.credentials_ref is None:
        return {}
    name = spec.credentials_ref.name
    secret = await client.get(SECRETS, namespace, name)
    if secret is None:
        message = (
            f"spec.source.s3.credentialsRef names the Secret {name}, which does not exist in "
            f"namespace {namespace}: create it with the keys {' and '.join(SECRET_KEYS)}"
        )
        raise Stalled(Reason.SECRET_MISSING, message)
    return secret_values(secret, SECRET_KEYS)


async def list_source(
    client: Client, platform: Platform, namespace: str, spec: DatasetSpec
) -> Listing | SourceProblem:
    """List the source once."""
    s3 = spec.source.s3
    if s3 is None:
        return SourceProblem(Reason.SPEC_INVALID, "spec.source.s3 is missing: name a source")
    try:
        keys = await source_keys(client, namespace, s3)
    except Stalled as error:
        return SourceProblem(error.reason, error.message)
    store = ObjectStore(source_config(s3, platform.store_config, keys))
    try:
        listed = await store.list(s3.prefix)
    except StoreError as error:
        return _problem(error, s3)
    found = listing.data_objects(listed, s3.prefix)
    if not found:
        return _empty(s3, len(listed))
    mark = listing.fingerprint(found, s3.prefix)
    return Listing(mark, len(found), sum(item.size for item in found))


def _empty(s3: S3Source, left_out: int) -> SourceProblem:
    where = f"s3://{s3.bucket}/{s3.prefix}"
    what = f"no object lies under {where}"
    if left_out:
        what = f"none of the {left_out} object(s) under {where} is data"
        what += " (names that start with a dot or an underscore are left out)"
    message = f"{what}: deliver data there, or correct spec.source.s3.prefix"
    return SourceProblem(Reason.PREFIX_EMPTY, message)


def _problem(error: StoreError, s3: S3Source) -> SourceProblem:
    if isinstance(error, BucketMissing):
        message = f"spec.source.s3.bucket: {error}: create it, or correct the name"
        return SourceProblem(Reason.BUCKET_MISSING, message)
    if isinstance(error, TooLarge):
        return SourceProblem(Reason.SPEC_INVALID, f"{error}: narrow spec.source.s3.prefix")
    if isinstance(error, AccessDenied):
        fix = "set spec.source.s3.credentialsRef, or let anybody read the bucket"
        if s3.credentials_ref:
            fix = f"correct the Secret {s3.credentials_ref.name}, or the rights of its user"
        return SourceProblem(Reason.ACCESS_DENIED, f"{error}: {fix}")
    return SourceProblem(Reason.STORE_UNAVAILABLE, f"{error}; trying again", passing=True)
