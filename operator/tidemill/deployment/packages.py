"""What the operator knows of a package that no run's record tells of."""

from dataclasses import dataclass, field

from tidemill.store import boosted, layout, package
from tidemill.store.errors import NotFound, PackageError, TooLarge
from tidemill.store.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Packages:
    """Reads manifests, each once: what a digest stands for does not change."""

    store: ObjectStore
    known: dict[str, bool] = field(default_factory=dict)

    async def boosted(self, uri: str, digest: str) -> bool:
        """Tell whether the package has trees of XGBoost or LightGBM; raises StoreError.

        One that cannot be read has none: its server says what is wrong with it.
        """
        if digest not in self.known:
            _, prefix = layout.parse_uri(uri)
            key, limit = f"{prefix}{package.MANIFEST}", package.MAX_MANIFEST_BYTES
            try:
                data = await self.store.get(key, max_bytes=limit)
                paths = package.parse_manifest(data, digest).paths
            except (NotFound, TooLarge, PackageError):
                return False
            self.known[digest] = not paths.isdisjoint(boosted.FILES.values())
        return self.known[digest]
