"""What the installation provides to every kind: the store, the images, the operator's address."""

from dataclasses import dataclass

from tidemill.store.config import StoreConfig
from tidemill.store.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Platform:
    """Read once at start; a changed ConfigMap or Secret restarts the operator's pod."""

    store_config: StoreConfig
    store: ObjectStore
    runner_image: str
    server_image: str
    operator_url: str
