"""Short-lived keys, cut to one job: STS AssumeRole with a session policy.

The operator's own keys never leave it. A store without STS gives None, and the caller then uses
the namespace's own Secret or says that there is none. Session policies may hold 2048 characters;
ours stay under 2000 for any name that Kubernetes allows.
"""

import datetime as dt
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from tidemill.store import layout
from tidemill.store.config import StoreConfig
from tidemill.store.errors import AccessDenied, Unavailable

MAX_POLICY = 2000
# The shortest life that the client asks for, whatever it is told.
MIN_SECONDS = 3600
# What is asked for where a store grants none for so long: the most that AWS' roles can be set to,
# and what they are set to as they come.
SHORTER = (43_200, MIN_SECONDS)
BAD_REQUEST = 400
_READ = ["s3:GetObject"]
_WRITE = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_REMOVE = ["s3:DeleteObject"]
_STATUS = re.compile(r"HTTP status code (\d{3})")


@dataclass(frozen=True)
class TemporaryStore:
    """The store with keys that end by themselves."""

    config: StoreConfig
    expires: dt.datetime


@dataclass(frozen=True)
class Policy:
    """What a job may read, write and remove: prefixes of one bucket, and single keys to read.

    Under the prefixes `unlisted` a key that is gone reads as "denied", elsewhere as "not found".
    """

    bucket: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    read_keys: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether a store takes it: its text must be short."""
        return len(self._text()) <= MAX_POLICY

    def to_json(self) -> str:
        text = self._text()
        if len(text) > MAX_POLICY:
            raise ValueError(f"the session policy has {len(text)} characters, over {MAX_POLICY}")
        return text

    def _text(self) -> str:
        arn = f"arn:aws:s3:::{self.bucket}"
        statements: list[dict[str, Any]] = []
        # What may be both is named once: the text must stay short.
        both = [prefix for prefix in self.read if prefix in self.write]
        read = [*_below(self.read, both), *self.read_keys]
        for actions, patterns in (
            (_READ + _WRITE, _below(both)),
            (_READ, read),
            (_WRITE, _below(self.write, both)),
            (_REMOVE, _below(self.remove)),
        ):
            if patterns:
                resources = [f"{arn}/{pattern}" for pattern in patterns]
                statements.append({"Effect": "Allow", "Action": actions, "Resource": resources})
        if listed := _below(self.read, self.unlisted):
            condition = {"StringLike": {"s3:prefix": listed}}
            statements.append(
                {
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket"],
                    "Resource": [arn],
                    "Condition": condition,
                }
            )
        document = {"Version": "2012-10-17", "Statement": statements}
        return json.dumps(document, separators=(",", ":"))


def _below(prefixes: Iterable[str], but: Collection[str] = ()) -> list[str]:
    return [f"{prefix}*" for prefix in prefixes if prefix not in but]


def ingest_policy(
    bucket: str, namespace: str, name: str, uid: str, upstream: Iterable[str] = ()
) -> Policy:
    """Read and write the namespace's content and the data set's own; write the run.

    `upstream` are keys of manifests to read: versions of other data sets that go into this one.
    Where so many do not fit, they are named by the first 64 bits of their digests alone, which no
    other version has. `fits` tells whether even that is too long.
    """
    content = layout.cas_prefix(namespace)
    own = layout.dataset_prefix(namespace, name)
    output = layout.run_prefix(namespace, uid)
    alone = Policy(bucket, (content, own), (content, own, output), unlisted=(own,))
    return with_manifests(alone, namespace, upstream)


def with_parts(policy: Policy, run: str) -> Policy:
    """Let the pods of one job read, and at the end remove, what they leave to each other.

    `run` is the prefix that the job writes its runs to.
    """
    return replace(policy, read=(*policy.read, run), remove=(layout.parts_prefix(f"{run}*/"),))


def with_trials(policy: Policy, run: str) -> Policy:
    """Let a job read the trials of a search that pods before it have left; `run` is its prefix."""
    return replace(policy, read=(*policy.read, layout.trials_prefix(run)))


def with_checkpoint(policy: Policy, run: str) -> Policy:
    """Let a job keep a checkpoint and take up that of the pod before; `run` is its prefix."""
    kept = (layout.checkpoint_prefix(run),)
    return replace(policy, read=(*policy.read, *kept), remove=(*policy.remove, *kept))


def shortened(policy: Policy, namespace: str, manifest: str) -> Policy:
    """The same where it fits; else of the data set's manifests only that of the version read.

    `manifest` is its key; it is named by the first 64 bits of its digest.
    """
    if policy.fits:
        return policy
    others = tuple(prefix for prefix in policy.read if not manifest.startswith(prefix))
    short = layout.manifest_pattern(namespace, manifest)
    return replace(policy, read=others, read_keys=(*policy.read_keys, short))


def with_manifests(policy: Policy, namespace: str, manifests: Iterable[str]) -> Policy:
    """Let a job read manifests too: by their keys, or in short where so many do not fit."""
    before, keys = policy.read_keys, tuple(dict.fromkeys(manifests))
    exact = replace(policy, read_keys=(*before, *keys))
    if exact.fits:
        return exact
    patterns = dict.fromkeys(layout.manifest_pattern(namespace, key) for key in keys)
    return replace(policy, read_keys=(*before, *patterns))


def train_policy(bucket: str, namespace: str, name: str, uid: str, dataset: str) -> Policy:
    """Read the namespace's content and the data set's manifests; write the run and packages."""
    return Policy(
        bucket,
        read=(layout.cas_prefix(namespace), layout.manifests_prefix(namespace, dataset)),
        write=(layout.run_prefix(namespace, uid), layout.model_prefix(namespace, name)),
    )


def materialise_policy(bucket: str, namespace: str, name: str, uid: str) -> Policy:
    """Read the namespace's content and the data set's manifests; write the run."""
    return Policy(
        bucket,
        read=(layout.cas_prefix(namespace), layout.manifests_prefix(namespace, name)),
        write=(layout.run_prefix(namespace, uid),),
    )


def serve_policy(bucket: str, package: str) -> Policy:
    """Read one package, by its prefix (`layout.package_prefix`)."""
    return Policy(bucket, read=(package,))


def assume_role(config: StoreConfig, policy: Policy, seconds: int) -> TemporaryStore | None:
    """Keys for the policy, or None where the store has no STS. Blocks: call it in a thread.

    A store that grants none for so long is asked for less: the keys say when they end.
    """
    wanted = max(seconds, MIN_SECONDS)
    for life in (wanted, *(one for one in SHORTER if one < wanted)):
        try:
            return _granted(config, policy, life)
        except _RefusedError as refused:
            if refused.status != BAD_REQUEST:
                return None
    return None


class _RefusedError(Exception):
    """The store answered otherwise than with keys."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _granted(config: StoreConfig, policy: Policy, seconds: int) -> TemporaryStore:
    # Imported here so that servers, which read this package's other modules, stay small.
    from minio.credentials import AssumeRoleProvider  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    provider = AssumeRoleProvider(
        sts_endpoint=config.endpoint,
        access_key=config.access_key,
        secret_key=config.secret_key,
        duration_seconds=seconds,
        policy=policy.to_json(),
        region=config.region,
        http_client=_pool(config),
    )
    try:
        granted = provider.retrieve()
    except HTTPError as error:
        cause = type(getattr(error, "reason", None) or error).__name__
        raise Unavailable(f"STS at {config.endpoint} does not answer: {cause}") from None
    except ValueError as error:
        raise _RefusedError(_status_unless_trouble(config, str(error))) from None
    except SyntaxError:
        # ElementTree's ParseError: an answer, but not one of STS.
        raise _RefusedError(0) from None
    expires = granted.expiration or _now() + dt.timedelta(seconds=seconds)
    if expires.tzinfo is None:
        expires = expires.replace(tzinfo=dt.UTC)
    temporary = replace(
        config,
        access_key=granted.access_key,
        secret_key=granted.secret_key,
        session_token=granted.session_token,
    )
    return TemporaryStore(temporary, expires)


def _pool(config: StoreConfig) -> Any:  # noqa: ANN401 - urllib3's pool, imported lazily
    import urllib3  # noqa: PLC0415

    options: dict[str, Any] = {"ca_certs": config.ca_file} if config.ca_file else {}
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=15),
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        **options,
    )


def _status_unless_trouble(config: StoreConfig, message: str) -> int:
    """Tell with what status there were no keys; raises where STS is there, but in trouble."""
    match = _STATUS.search(message)
    status = int(match[1]) if match else 0
    if status in (401, 403):
        raise AccessDenied(f"STS at {config.endpoint} refuses the operator's credentials")
    if status >= 500 and status != 501:
        raise Unavailable(f"STS at {config.endpoint} answers with HTTP {status}")
    return status


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
