"""What of a listing is data, and one fingerprint for it.

Two listings with equal fingerprints hold the same objects. Markers and half-written output are not
data: keys ending in `/`, and keys with a path segment below the prefix that starts with `_` or `.`
(`_SUCCESS`, `_temporary/…`, `.part`). The prefix itself may contain such segments.
"""

from collections.abc import Iterable

from tidemill.store import digests
from tidemill.store.objects import ObjectInfo


def is_data(key: str, prefix: str) -> bool:
    below = key.removeprefix(prefix)
    if not key or key.endswith("/"):
        return False
    # With a prefix that ends inside a name ("raw/part-"), what follows is the rest of that name.
    segments = below.split("/") if prefix.endswith("/") or not prefix else below.split("/")[1:]
    name = key.rsplit("/", 1)[-1]
    return not any(part.startswith(("_", ".")) for part in [*segments, name])


def data_objects(objects: Iterable[ObjectInfo], prefix: str) -> list[ObjectInfo]:
    """The data of a listing, sorted by the bytes of the key."""
    kept = [item for item in objects if is_data(item.key, prefix)]
    return sorted(kept, key=lambda item: item.key.encode("utf-8"))


def fingerprint(objects: Iterable[ObjectInfo], prefix: str) -> str:
    """Equal for equal sets of (key, etag, size); independent of the order of the listing."""
    rows = [[item.key, item.etag, item.size] for item in data_objects(objects, prefix)]
    return digests.sha256_digest(digests.canonical_json(rows))
