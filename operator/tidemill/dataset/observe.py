"""What a Dataset's source holds now, as a listing says it; bytes are read only in the Job.

The source is listed here, in the operator, since a listing is cheap.
"""

from collections.abc import Mapping
from dataclasses import replace

from tidemill.api.v1alpha1.dataset import DatasetSpec
from tidemill.api.v1alpha1.dataset_status import DatasetStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.api.v1alpha1.sources import HttpSource, InlineSource, S3Source, SqlSource
from tidemill.children.credentials import secret_values
from tidemill.children.platform import Platform
from tidemill.dataset import claim_probe
from tidemill.dataset.database_probe import DatabaseProbe, read_already
from tidemill.dataset.observed import Listing, SourceProblem
from tidemill.dataset.references import of_source
from tidemill.dataset.upstream import Datasets, Upstream, known
from tidemill.dataset.web_probe import WebProbe
from tidemill.engine.context import Context
from tidemill.engine.errors import Stalled
from tidemill.engine.key import Key
from tidemill.kube.client import Client
from tidemill.kube.drift import quantity
from tidemill.kube.resources import SECRETS
from tidemill.store import digests, listing, web
from tidemill.store.addresses import AllowedNetworks
from tidemill.store.config import StoreConfig
from tidemill.store.errors import AccessDenied, BucketMissing, StoreError, TooLarge
from tidemill.store.objects import ObjectStore
from tidemill.store.postgres import AUTHORITY, PASSWORD, USERNAME, Login

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


def inline_bytes(inline: InlineSource) -> bytes:
    """Give the data as they are read and hashed."""
    return inline.data.encode("utf-8")


def max_bytes(source: HttpSource | SqlSource) -> int:
    """Give the size above which a file, or what a query gives, is refused."""
    return int(quantity(source.max_size) or 0)


async def list_source(
    context: Context, platform: Platform, key: Key, spec: DatasetSpec, status: DatasetStatus
) -> Listing | SourceProblem:
    """List the source of the Dataset `key`; raises Passing while Tidemill's store is away."""
    source = spec.source
    try:
        if source.inline:
            return _inline(source.inline)
        if source.http:
            return await _http(context, key.namespace, source.http, status)
        if source.sql:
            reading = read_already(spec, status)
            return reading or await _sql(context, key.namespace, source.sql)
        if source.pvc:
            return await claim_probe.look(context.client, key.namespace, source.pvc)
        if source.dataset:
            reference = of_source(source.dataset)
            datasets = Datasets(context, key)
            return await Upstream(datasets, platform.store, reference).look(status)
        if source.s3:
            keys = await source_keys(context.client, key.namespace, source.s3)
            return await _s3(source.s3, source_config(source.s3, platform.store_config, keys))
    except Stalled as error:
        return SourceProblem(error.reason, error.message)
    message = "spec.source names none: set one of s3, inline, http, dataset, sql, pvc"
    return SourceProblem(Reason.SPEC_INVALID, message)


async def source_keys(client: Client, namespace: str, spec: S3Source) -> dict[str, str]:
    """Read the Secret that the source names; raises Stalled with what is wrong with it."""
    if spec.credentials_ref is None:
        return {}
    wanted = f"create it with the keys {' and '.join(SECRET_KEYS)}"
    name = spec.credentials_ref.name
    return await _secret(client, namespace, name, ("s3.credentialsRef", wanted), SECRET_KEYS)


async def source_headers(client: Client, namespace: str, http: HttpSource) -> dict[str, str]:
    """Read the Secret whose keys are sent as headers; raises Stalled likewise."""
    if http.headers_ref is None:
        return {}
    name, wanted = http.headers_ref.name, "create it with a key for each header, as Authorization"
    headers = await _secret(client, namespace, name, ("http.headersRef", wanted), ())
    if not headers:
        raise Stalled(Reason.SECRET_INVALID, f"the Secret {name} has no keys: add one")
    for key, value in headers.items():
        if fault := web.header_fault(key, value):
            message = f"the key {key} of the Secret {name} {fault}: correct or remove it"
            raise Stalled(Reason.SECRET_INVALID, message)
    return headers


async def source_login(client: Client, namespace: str, sql: SqlSource) -> Login:
    """Read the Secret that a database is opened with; raises Stalled likewise."""
    name, keys = sql.credentials_ref.name, (USERNAME, PASSWORD)
    wanted = f"create it with the keys {' and '.join(keys)}"
    values = await _secret(client, namespace, name, ("sql.credentialsRef", wanted), keys)
    return Login(name, values[USERNAME], values[PASSWORD], values.get(AUTHORITY, ""))


async def _secret(
    client: Client, namespace: str, name: str, field: tuple[str, str], keys: tuple[str, ...]
) -> dict[str, str]:
    secret = await client.get(SECRETS, namespace, name)
    if secret is None:
        message = (
            f"spec.source.{field[0]} names the Secret {name}, which does not exist in "
            f"namespace {namespace}: {field[1]}"
        )
        raise Stalled(Reason.SECRET_MISSING, message)
    return secret_values(secret, keys)


def _inline(inline: InlineSource) -> Listing:
    data = inline_bytes(inline)
    return Listing(digests.sha256_digest(data), 1, len(data), settled=True)


async def _http(
    context: Context, namespace: str, http: HttpSource, status: DatasetStatus
) -> Listing | SourceProblem:
    if http.checksum and (ingested := known(status, http.checksum)):
        return ingested
    headers = await source_headers(context.client, namespace, http)
    allowed = AllowedNetworks.parse(context.settings.http_allowed_networks)
    secret = http.headers_ref.name if http.headers_ref else None
    limit = max_bytes(http)
    try:
        found = await WebProbe(allowed, headers, secret).ask(http.url)
        if found.length is not None and found.length > limit:
            raise web.too_large(http.url, found.length, limit)
    except web.WebError as error:
        reason = Reason.named(error.reason.value) or Reason.SOURCE_UNAVAILABLE
        passing = reason is Reason.SOURCE_UNAVAILABLE
        return SourceProblem(reason, error.message, passing)
    size = found.length or 0
    if http.checksum:
        return Listing(http.checksum, 1, size, settled=True)
    return Listing(found.fingerprint, 1, size, weak=found.weak)


async def _sql(context: Context, namespace: str, sql: SqlSource) -> Listing | SourceProblem:
    login = await source_login(context.client, namespace, sql)
    allowed = AllowedNetworks.parse(context.settings.http_allowed_networks)
    return await DatabaseProbe(allowed, login).ask(sql)


async def _s3(s3: S3Source, config: StoreConfig) -> Listing | SourceProblem:
    try:
        listed = await ObjectStore(config).list(s3.prefix)
    except StoreError as error:
        return _problem(error, s3)
    found = listing.data_objects(listed, s3.prefix, s3.include or ())
    if not found:
        where = f"s3://{s3.bucket}/{s3.prefix}"
        message = listing.nothing_left(where, listed, s3.prefix)
        return SourceProblem(Reason.PREFIX_EMPTY, message)
    mark = listing.fingerprint(found, s3.prefix)
    return Listing(mark, len(found), sum(item.size for item in found))


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
