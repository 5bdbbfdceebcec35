"""What the operator knows of a package that no run's record tells of."""

from dataclasses import dataclass, field

from tidemill.store import boosted, layout, package
from tidemill.store.errors import NotFound, PackageError, TooLarge
from tidemill.store.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Contents:
    """What a package's files tell."""

    boosted: bool = False
    onnx: bool = False


@dataclass(frozen=True, slots=True)
class Packages:
    """Reads manifests, each once: what a digest stands for does not change."""

    store: ObjectStore
    known: dict[str, Contents] = field(default_factory=dict)

    async def contents(self, uri: str, digest: str) -> Contents:
        """Tell whether it has trees of XGBoost or LightGBM, and ONNX; raises StoreError.

        One that cannot be read has neither: its server says what is wrong with it.
        """
        if digest not in self.known:
            _, prefix = layout.parse_uri(uri)
            key, limit = f"{prefix}{package.MANIFEST}", package.MAX_MANIFEST_BYTES
            try:
                data = await self.store.get(key, max_bytes=limit)
                paths = package.parse_manifest(data, digest).paths
            except (NotFound, TooLarge, PackageError):
                return Contents()
            trees = not paths.isdisjoint(boosted.FILES.values())
            self.known[digest] = Contents(trees, package.ONNX in paths)
        return self.known[digest]
