"""What pip needs inside a build to reach the package index the way this machine does.

The index, the proxy and the time-outs come from pip's configuration here, the certificate
authorities from this machine's bundle; both are shown to the build as secrets, so an image keeps
neither.
"""

import configparser
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

PASSED = ("extra-index-url", "index-url", "proxy", "retries", "timeout", "trusted-host")
ALIASES = {"default-timeout": "timeout"}
BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
DEFAULT_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
INSIDE = "/run/secrets/ca.crt"


def secrets(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Writes the configuration into the folder; returns what a build is to be shown, by its id."""
    shown = {}
    options = settings(configuration_files(environment), environment)
    if (bundle := find_bundle(environment)) is not None:
        options["cert"] = INSIDE
        shown["ca.crt"] = bundle
    target = folder / "pip.conf"
    target.touch(mode=0o600)
    target.write_text("".join(["[global]\n", *(f"{key} = {options[key]}\n" for key in options)]))
    return shown | {"pip.conf": target}


def configuration_files(environment: Mapping[str, str]) -> list[Path]:
    home = Path(environment.get("HOME", "/root"))
    last = environment.get("PIP_CONFIG_FILE")
    places = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    return [*places, Path(last)] if last else places


def settings(files: Iterable[Path], environment: Mapping[str, str]) -> dict[str, str]:
    """pip's own order: files first, the environment over them."""
    parser = configparser.RawConfigParser()
    parser.read(files)
    found = dict(parser.items("global")) if parser.has_section("global") else {}
    for name, value in environment.items():
        if name.startswith("PIP_"):
            found[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    named = {ALIASES.get(name, name): value for name, value in found.items()}
    return {name: named[name].replace("\n", "\n  ") for name in PASSED if name in named}


def find_bundle(environment: Mapping[str, str]) -> Path | None:
    named = [Path(environment[name]) for name in BUNDLES if environment.get(name)]
    return next((path for path in [*named, DEFAULT_BUNDLE] if path.is_file()), None)
