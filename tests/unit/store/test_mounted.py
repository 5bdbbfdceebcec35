"""Keys in a mounted Secret: those that lie there now are used, whatever was there before."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidemill.store.config import StoreConfig
from tidemill.store.mounted import KEPT, Keys, MountedKeys


def write(volume: Path, number: int, **changes: str) -> None:
    """Put a version of the Secret into place as a kubelet does: a folder, then one link to it."""
    folder = volume / f"..v{number}"
    folder.mkdir(parents=True)
    values = {
        "endpoint": "http://store.test",
        "region": "r",
        "bucket": "b",
        "access-key": f"key-{number}",
        "secret-key": f"secret-{number}",
        "session-token": f"token-{number}",
        **changes,
    }
    for name, value in values.items():
        (folder / name).write_text(value)
        link = volume / name
        if not link.is_symlink():
            link.symlink_to(Path("..data", name))
    (volume / "new").symlink_to(folder.name)
    (volume / "new").replace(volume / "..data")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    write(tmp_path / "store", 1)
    return tmp_path / "store"


def mounted(volume: Path) -> MountedKeys:
    return MountedKeys(volume, StoreConfig.from_dirs(volume))


def test_new_ones_are_used_once_they_are_there(volume: Path) -> None:
    keys = mounted(volume)
    assert keys.current() == Keys("key-1", "secret-1", "token-1")
    write(volume, 2)
    assert keys.current() == Keys("key-2", "secret-2", "token-2")


def test_what_cannot_be_read_leaves_those_before(volume: Path) -> None:
    keys = mounted(volume)
    write(volume, 2, endpoint="")
    assert keys.current() == Keys("key-1", "secret-1", "token-1")
    write(volume, 3)
    assert keys.current() == Keys("key-3", "secret-3", "token-3")


def test_a_folder_that_is_gone_leaves_those_before(volume: Path) -> None:
    keys = mounted(volume)
    volume.rename(volume.with_name("gone"))
    assert keys.current() == Keys("key-1", "secret-1", "token-1")


def test_a_client_asks_again_soon(volume: Path) -> None:
    found = mounted(volume).for_obstore()
    assert (found["access_key_id"], found["token"]) == ("key-1", "token-1")
    assert datetime.now(UTC) < found["expires_at"] <= datetime.now(UTC) + KEPT
