"""A build reaches the package index as this machine does, and keeps no trace of how."""

from pathlib import Path

from images.imagebuild.pip import configuration_files, find_bundle, secrets, settings


def test_the_environment_comes_before_the_files(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a.example\nproxy = http://p:1\n")
    assert settings([file], {"PIP_INDEX_URL": "https://b.example"}) == {
        "index-url": "https://b.example",
        "proxy": "http://p:1",
    }


def test_only_what_leads_to_the_index_is_passed_on(tmp_path: Path) -> None:
    environment = {"PIP_FIND_LINKS": "/wheels", "PIP_USER": "1", "PIP_DEFAULT_TIMEOUT": "9"}
    assert settings([tmp_path / "absent"], environment) == {"timeout": "9"}


def test_the_authorities_are_shown_as_a_file_of_the_build(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("certificates")
    environment = {"HOME": str(tmp_path), "PIP_CERT": str(bundle)}
    shown = secrets(tmp_path, environment)
    assert shown == {"ca.crt": bundle, "pip.conf": tmp_path / "pip.conf"}
    assert "cert = /run/secrets/ca.crt" in shown["pip.conf"].read_text()


def test_the_configuration_may_hold_a_password_and_is_private(tmp_path: Path) -> None:
    shown = secrets(tmp_path, {"HOME": str(tmp_path)})
    assert shown["pip.conf"].stat().st_mode & 0o077 == 0


def test_a_bundle_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    real = tmp_path / "real.crt"
    real.touch()
    environment = {"PIP_CERT": str(tmp_path / "gone.crt"), "SSL_CERT_FILE": str(real)}
    assert find_bundle(environment) == real


def test_a_named_configuration_is_read_last(tmp_path: Path) -> None:
    named = configuration_files({"HOME": "/h", "PIP_CONFIG_FILE": str(tmp_path)})
    assert named[-1] == tmp_path
