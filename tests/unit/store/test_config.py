"""The store's configuration as Kubernetes mounts it."""

from pathlib import Path

import pytest

from tidemill.store.config import StoreConfig, StoreConfigError

VALUES = {
    "endpoint": "https://s3.example:9000",
    "bucket": "models",
    "access-key": "KEY",
    "secret-key": "SECRET",
}


def mount(folder: Path, **changes: str | None) -> Path:
    folder.mkdir(exist_ok=True)
    for name, value in {**VALUES, **{k.replace("_", "-"): v for k, v in changes.items()}}.items():
        if value is not None:
            (folder / name).write_text(value)
    return folder


def test_defaults_and_blanks(tmp_path: Path) -> None:
    config = StoreConfig.from_dirs(mount(tmp_path / "all", access_key="KEY\n"))
    assert config == StoreConfig(
        VALUES["endpoint"], "us-east-1", "models", True, "KEY", "SECRET", None, None
    )
    assert (config.secure, config.host, config.anonymous) == (True, "s3.example:9000", False)


def test_later_directories_win_field_by_field(tmp_path: Path) -> None:
    place, keys = tmp_path / "config", tmp_path / "credentials"
    for folder, names in ((place, ("endpoint", "bucket")), (keys, ("access-key", "secret-key"))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(VALUES[name])
    (keys / "bucket").write_text("others")
    config = StoreConfig.from_dirs(place, keys)
    assert (config.bucket, config.access_key) == ("others", "KEY")


def test_everything_survives_a_secret(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "ca.crt").write_text("PEM")
    full = mount(tmp_path / "a", region="eu", path_style="false", session_token="T")
    config = StoreConfig.from_dirs(full, tmp_path / "ca")
    again = tmp_path / "b"
    again.mkdir()
    for name, value in config.to_values().items():
        (again / name).write_text(value)
    copy = StoreConfig.from_dirs(again)
    assert copy.to_values() == config.to_values()
    assert (copy.path_style, copy.session_token, copy.region) == (False, "T", "eu")


@pytest.mark.parametrize("name", ["endpoint", "bucket", "access-key", "secret-key"])
@pytest.mark.parametrize("value", [None, "", " \n"], ids=["absent", "empty", "blank"])
def test_what_is_missing_is_named(tmp_path: Path, name: str, value: str | None) -> None:
    folder = mount(tmp_path / "store", **{name.replace("-", "_"): value})
    with pytest.raises(StoreConfigError, match=f"{name!r} in {folder}"):
        StoreConfig.from_dirs(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("endpoint", "s3.example:9000", id="no-scheme"),
        pytest.param("endpoint", "ftp://s3.example", id="another-scheme"),
        pytest.param("endpoint", "https://s3.example/bucket", id="with-a-path"),
        pytest.param("path_style", "perhaps", id="no-boolean"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(StoreConfigError, match=field.replace("_", "-")):
        StoreConfig.from_dirs(mount(tmp_path / "store", **{field: value}))


def test_no_key_is_ever_shown(tmp_path: Path) -> None:
    config = StoreConfig.from_dirs(mount(tmp_path / "store", session_token="TOKEN"))
    for secret in ("KEY", "SECRET", "TOKEN"):
        assert secret not in repr(config)
        assert secret not in str(config)
