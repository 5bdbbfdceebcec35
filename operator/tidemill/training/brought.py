"""What a run's Job is told of the model that it imports."""

from typing import Any

from tidemill.api.v1alpha1.imported import PLAIN_FORMATS
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.credentials import secret_values
from tidemill.engine.errors import Stalled
from tidemill.jobs.manifests import SOURCE_DIR
from tidemill.kube.client import Client
from tidemill.kube.resources import SECRETS
from tidemill.store.config import StoreConfig

FIELD = "spec.estimator.import.s3.credentialsRef"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def credentials(spec: TrainingRunSpec) -> str | None:
    """Name the Secret that opens the model's bucket."""
    brought = spec.estimator.import_
    reference = brought.s3.credentials_ref if brought else None
    return reference.name if reference else None


async def check(client: Client, namespace: str, spec: TrainingRunSpec) -> None:
    """Raise Stalled where the Secret lacks a key: the bucket would be read as by anybody."""
    name = credentials(spec)
    secret = await client.get(SECRETS, namespace, name) if name else None
    if secret is None:
        return
    try:
        secret_values(secret, KEYS)
    except Stalled as error:
        raise Stalled(error.reason, f"{FIELD}: {error.message}") from None


def needs_trees(spec: TrainingRunSpec) -> bool:
    """Tell whether its file may be one of XGBoost's or LightGBM's."""
    brought = spec.estimator.import_
    return brought is not None and brought.format not in PLAIN_FORMATS


def document(spec: TrainingRunSpec, store: StoreConfig) -> dict[str, Any]:
    """Give where the model lies, all defaults resolved; nothing where none is imported."""
    brought = spec.estimator.import_
    if brought is None:
        return {}
    place = brought.s3
    return {
        "import": {
            "endpoint": place.endpoint or store.endpoint,
            "region": place.region or store.region,
            "bucket": place.bucket,
            "pathStyle": store.path_style if place.path_style is None else place.path_style,
            "key": place.key,
            "prefix": place.prefix,
            "digest": place.digest,
            "format": brought.format,
            "classes": brought.classes,
            "keys": SOURCE_DIR if place.credentials_ref else None,
        }
    }
