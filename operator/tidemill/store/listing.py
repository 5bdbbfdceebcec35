"""What of a listing is data, and one fingerprint for it.

Two listings with equal fingerprints hold the same objects. Markers and half-written output are not
data: keys ending in `/`, and keys with a path segment below the prefix that starts with `_` or `.`
(`_SUCCESS`, `_temporary/…`, `.part`). The prefix itself may contain such segments. Globs may narrow
what is left.
"""

from collections.abc import Iterable, Sequence

from tidemill.store import digests
from tidemill.store.globs import Globs
from tidemill.store.objects import ObjectInfo


def is_data(key: str, prefix: str) -> bool:
    below = key.removeprefix(prefix)
    if not key or key.endswith("/"):
        return False
    # With a prefix that ends inside a name ("raw/part-"), what follows is the rest of that name.
    segments = below.split("/") if prefix.endswith("/") or not prefix else below.split("/")[1:]
    name = key.rsplit("/", 1)[-1]
    return not any(part.startswith(("_", ".")) for part in [*segments, name])


def data_objects(
    objects: Iterable[ObjectInfo], prefix: str, include: Sequence[str] = ()
) -> list[ObjectInfo]:
    """The data of a listing, sorted by the bytes of the key; with globs, what matches one."""
    kept = [item for item in objects if is_data(item.key, prefix)]
    if include:
        globs = Globs(include)
        kept = [item for item in kept if globs.match(below(item.key, prefix))]
    return sorted(kept, key=lambda item: item.key.encode("utf-8"))


def below(key: str, prefix: str) -> str:
    """What globs and folders are looked for in: the key after the prefix, never empty."""
    return key.removeprefix(prefix).removeprefix("/") or key.rsplit("/", 1)[-1]


def nothing_left(where: str, objects: Sequence[ObjectInfo], prefix: str) -> str:
    """Why a listing holds no data, and the way out."""
    data = data_objects(objects, prefix)
    if data:
        return (
            f"none of the {len(data)} object(s) under {where} matches spec.source.s3.include, the "
            f"first is {below(data[0].key, prefix)}: correct the globs, or deliver what they name"
        )
    what = f"no object lies under {where}"
    if objects:
        what = f"none of the {len(objects)} object(s) under {where} is data"
        what += " (names that start with a dot or an underscore are left out)"
    return f"{what}: deliver data there, or correct spec.source.s3.prefix"


def fingerprint(objects: Iterable[ObjectInfo], prefix: str) -> str:
    """Equal for equal sets of (key, etag, size); independent of the order of the listing."""
    rows = [[item.key, item.etag, item.size] for item in data_objects(objects, prefix)]
    return digests.sha256_digest(digests.canonical_json(rows))
