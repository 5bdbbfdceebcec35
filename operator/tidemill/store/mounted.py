"""Keys that lie in a mounted Secret: they end one day, and others have taken their place by then.

The operator makes new ones at half the life of the old, and Kubernetes brings them into the pod.
So whoever works for long reads them again instead of keeping what it began with.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from tidemill.store.config import StoreConfig, StoreConfigError

# So long a client may keep what it was given. Both old and new ones are good for far longer.
KEPT = timedelta(seconds=30)


class Keys(NamedTuple):
    """What a request is signed with."""

    access_key: str
    secret_key: str
    session_token: str | None


class MountedKeys:
    """The keys of a StoreConfig's folder as they are now; safe to ask from several threads."""

    def __init__(self, folder: Path, first: StoreConfig) -> None:
        self._folder = folder
        self._keys = Keys(first.access_key, first.secret_key, first.session_token)
        self._seen = self._stamp()
        self._one = Lock()

    def current(self) -> Keys:
        """Read them again if the folder has changed; what cannot be read leaves them as they were.

        A Secret's volume changes all its files at once, by one link that they are reached by.
        """
        with self._one:
            stamp = self._stamp()
            if stamp != self._seen:
                try:
                    config = StoreConfig.from_dirs(self._folder)
                except (StoreConfigError, OSError):
                    return self._keys
                # One of them while they change would open nothing: not before all are the same.
                if stamp == self._stamp():
                    self._seen = stamp
                    self._keys = Keys(config.access_key, config.secret_key, config.session_token)
            return self._keys

    def for_obstore(self) -> Any:  # noqa: ANN401 - obstore's S3Credential
        """Give them in the form that obstore asks for, which is when those before have ended."""
        keys = self.current()
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.session_token,
            "expires_at": datetime.now(UTC) + KEPT,
        }

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        found = []
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            try:
                state = path.stat()
            except OSError:
                continue
            found.append((path.name, state.st_mtime_ns, state.st_ino))
        return tuple(found)
