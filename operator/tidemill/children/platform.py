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
    # Those with XGBoost and LightGBM, where they are installed.
    runner_boosting_image: str = ""
    server_boosting_image: str = ""

    def runner_for(self, *, boosted: bool) -> str:
        """Give the image of a Job; the plain one says what it lacks."""
        return (self.runner_boosting_image if boosted else "") or self.runner_image

    def server_for(self, *, boosted: bool) -> str:
        """Give the image of a model's server."""
        return (self.server_boosting_image if boosted else "") or self.server_image
