"""What is to become of a Dataset's versions when it is gone, noted beside them in the store.

A note and no finalizer: deleting a Dataset never waits for Tidemill, nor for the store.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tidemill.store import layout
from tidemill.store.digests import canonical_json
from tidemill.store.errors import NotFound
from tidemill.store.objects import ObjectStore

MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Note:
    """The policy of the Dataset that has, or last had, the name; `uid` is that Dataset's."""

    policy: str = "Retain"
    uid: str = ""

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Read one; what cannot be read retains."""
        try:
            document = json.loads(data)
            return cls(str(document["deletionPolicy"]), str(document["uid"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def to_bytes(self) -> bytes:
        """Write it."""
        return canonical_json({"deletionPolicy": self.policy, "uid": self.uid})


async def write(store: ObjectStore, metadata: Mapping[str, str], policy: str) -> None:
    """Note the policy of a Dataset; that nothing is to be done need not be noted."""
    namespace, name = metadata["namespace"], metadata["name"]
    if policy == Note().policy == (await read(store, namespace, name)).policy:
        return
    key = layout.policy_key(namespace, name)
    await store.put(key, Note(policy, metadata["uid"]).to_bytes())


async def read(store: ObjectStore, namespace: str, name: str) -> Note:
    """Read the policy of a Dataset that is gone."""
    try:
        data = await store.get(layout.policy_key(namespace, name), max_bytes=MAX_BYTES)
    except NotFound:
        return Note()
    return Note.parse(data)
