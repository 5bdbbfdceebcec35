"""Where everything lies in the bucket: the only place that builds keys.

Every prefix carries its namespace, so that credentials can be cut to one namespace, one run, one
model. Content-addressed data is kept per namespace for the same reason.
"""

from tidemill.store import digests


def dataset_prefix(namespace: str, name: str) -> str:
    return f"datasets/{namespace}/{name}/"


def manifests_prefix(namespace: str, name: str) -> str:
    return f"{dataset_prefix(namespace, name)}manifests/"


def manifest_key(namespace: str, name: str, version: str) -> str:
    return f"{manifests_prefix(namespace, name)}{digests.hex_of(version)}.jsonl"


def manifest_pattern(namespace: str, key: str) -> str:
    """A pattern for a manifest's key that is short: any data set's, by 64 bits of the digest."""
    version = key.rsplit("/", 1)[1]
    return f"datasets/{namespace}/*/manifests/{version[:16]}*"


def profile_key(namespace: str, name: str, version: str) -> str:
    return f"{dataset_prefix(namespace, name)}profiles/{digests.hex_of(version)}.json"


def report_key(namespace: str, name: str, version: str) -> str:
    return f"{dataset_prefix(namespace, name)}reports/{digests.hex_of(version)}.html"


def record_key(namespace: str, name: str, version: str) -> str:
    """What is known of a version beside its content: why it was made, and the verdict on it."""
    return f"{dataset_prefix(namespace, name)}versions/{digests.hex_of(version)}.json"


def policy_key(namespace: str, name: str) -> str:
    """What is to become of a data set's versions when it is gone."""
    return f"{dataset_prefix(namespace, name)}policy.json"


def retention_key(namespace: str) -> str:
    """What the next look at a namespace's retention has to know of the last."""
    return f"retention/{namespace}.json"


def cas_prefix(namespace: str) -> str:
    return f"cas/{namespace}/sha256/"


def cas_key(prefix: str, digest: str) -> str:
    """The key of content under a content-addressed prefix (as `cas_prefix` gives it)."""
    return f"{prefix}{digests.hex_of(digest)}"


def run_prefix(namespace: str, uid: str) -> str:
    return f"runs/{namespace}/{uid}/"


def cached_run_key(namespace: str, key: str) -> str:
    """Which run has left the result for a cache key: no credentials but the operator's reach it."""
    return f"cached/{namespace}/{key}.json"


def parts_prefix(output: str) -> str:
    """Where the pods of one ingest leave parts of a delivery, below the output of their Job."""
    return f"{output}parts/"


def trials_prefix(run: str) -> str:
    """Where the pods of a run that searches leave its trials, below the run's prefix."""
    return f"{run}search/"


def checkpoint_prefix(run: str) -> str:
    """Where a run's code has put aside how far it is, below the run's prefix."""
    return f"{run}checkpoint/"


def first_rank_key(checkpoint: str) -> str:
    """What rank 0 of a run's code tells the others, beside the checkpoint that all of them have."""
    return f"{checkpoint}rank-0"


def models_prefix(namespace: str) -> str:
    return f"models/{namespace}/"


def model_prefix(namespace: str, name: str) -> str:
    return f"{models_prefix(namespace)}{name}/"


def package_prefix(namespace: str, name: str, digest: str) -> str:
    return f"{model_prefix(namespace, name)}{digests.hex_of(digest)}/"


def uri(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def parse_uri(text: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into bucket and key; raises ValueError."""
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"not of the form s3://bucket/key: {text!r}")
    return bucket, key
